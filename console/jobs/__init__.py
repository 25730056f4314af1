"""Long work in processes of its own: the readings that a check makes; later the changes that repair."""

"""The findings, one file per family; all pure."""

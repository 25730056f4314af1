"""The files of the pages, for links between them: `st.switch_page` takes a path from the root."""

from __future__ import annotations

from typing import Final

from console.ui.serving import HOUSE

OVERVIEW: Final = HOUSE / "pages" / "overview.py"
HEALTH: Final = HOUSE / "pages" / "health.py"
QUERY: Final = HOUSE / "pages" / "query.py"
COMPARE: Final = HOUSE / "pages" / "compare.py"
GOLDEN: Final = HOUSE / "pages" / "golden.py"
CONNECTIONS: Final = HOUSE / "pages" / "connections.py"

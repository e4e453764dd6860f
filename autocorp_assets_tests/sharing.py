"""How the suite is shared between processes."""

from __future__ import annotations

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

FOLDER = Path(__file__).resolve().parent.parent
SLOW = ("e2e", "spark")
"""Markers whose modules stay together, the first that a module has."""
ALONE = "alone"
"""Marker of a slow module that shares nothing with others: either process may take it once its own are done."""


class SlowGroups(LoadScopeScheduling):
    """One process has the only Spark session, another the demo's platform; modules of quick tests fill up.

    xdist's own groups by mark (loadgroup) are lost under pytest 9.2, which no longer takes a changed node id.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", maxsplit=1)[0]
        text = (FOLDER / module).read_text(encoding="utf-8")
        if f"mark.{ALONE}" in text:
            return module
        return next((name for name in SLOW if f"mark.{name}" in text), module)

"""How long work tells the operator how it stands."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Takes one line for the operator."""

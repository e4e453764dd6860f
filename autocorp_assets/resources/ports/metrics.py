"""Numbers over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number at one moment."""

    name: str
    value: float
    unit: Literal["Seconds", "Count", "Bytes"]
    table: str | None = None


class Metrics(Protocol):
    """Keeps numbers over time, where others can plot them and be alarmed."""

    def publish(self, measurements: Sequence[Measurement]) -> None: ...

"""What a curated table remembers of the raw files it has applied.

It travels in the metadata of the table's own commits, so that rows and memory move in one atomic
step. Plain Python: Dagster reads it to decide what is pending, the job writes it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Self

FORMAT = 2
COMMIT_KEY = "autocorp"
HUDI_PREFIX = "ckpt."
"""Hudi copies commit options with this prefix into the commit's extra metadata."""
HUDI_METADATA_KEY = f"{HUDI_PREFIX}{COMMIT_KEY}"


@dataclass(frozen=True, kw_only=True)
class AppliedDelivery:
    """The newest content of one CSV file that the table has taken in."""

    etag: str
    size: int
    day: str
    """YYYYMMDD, the date in the file's name."""
    ordinal: int
    """Arrival: deliveries of one feed are numbered from 1 as they are first seen."""
    refused: str | None = None
    """Why the file as a whole was refused, and None for one that was read."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Bounded by the look-back window and the number of CSV files, not by the table's age."""

    contract_version: str = ""
    revision: int = 0
    """Commits of the curation so far. Audit and quarantine name theirs, by which readers know those never made."""
    generation: int = 0
    """Newest load generation applied; 0 when none."""
    high_water: str = ""
    """Greatest change file applied, as a path below the table's raw folder; empty when none."""
    high_sequence: str = ""
    """Greatest change sequence applied; empty when none. An older change in a new file has come late."""
    recent: dict[str, int] = field(default_factory=dict)
    """Change files applied that a listing cannot tell from files that have come since: those within the look-back
    window that ends at the high-water mark, and those written within it before raw was listed. By name, when
    they were written, in seconds of the epoch."""
    listed_at: str = ""
    """When raw was listed for the newest plan that was applied; ISO, UTC."""
    deliveries: dict[str, AppliedDelivery] = field(default_factory=dict)
    """By file name."""

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError for a format that this version does not know."""
        value = json.loads(text)
        if (found := value.pop("format", None)) != FORMAT:
            message = (
                f"checkpoint format {found!r} is not {FORMAT}: the table was written by another version. Go back to "
                "that version, or remove the table's folder below curated/: it is made again from raw"
            )
            raise ValueError(message)
        value["deliveries"] = {name: AppliedDelivery(**item) for name, item in value["deliveries"].items()}
        return cls(**value)


def delta_user_metadata(checkpoint: Checkpoint) -> str:
    """The text that Delta stores as a commit's userMetadata."""
    return json.dumps({COMMIT_KEY: checkpoint.to_json()})


def from_delta_user_metadata(text: str | None) -> Checkpoint | None:
    """The checkpoint in a Delta commit's userMetadata, None when the commit carries none."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return Checkpoint.from_json(value[COMMIT_KEY]) if isinstance(value, dict) and COMMIT_KEY in value else None

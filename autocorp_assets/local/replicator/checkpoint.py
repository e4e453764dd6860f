"""The replicator's memory: what is in raw, and where the next change goes on.

Replacing the checkpoint file is the commit. A crash before it leaves staged files that nobody
names; a crash after it leaves renames to be finished, which it lists.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from autocorp_assets.local import durable

FILE = "checkpoint.json"
_FORMAT = 1


class ReplicationError(Exception):
    """Replication cannot go on until somebody acts; the text says what to do."""


class Rename(NamedTuple):
    """Both relative to the lake's root."""

    staged: str
    final: str


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that has been committed to raw."""

    slot: str
    source: str
    """System identifier and name of the database: LSNs of another source mean nothing here."""
    lake: str
    """Root of the lake, relative to the state folder, so that both can move together."""
    generation: int = 0
    whole_generation: int = 0
    """The newest generation that holds every table; later ones are of single tables."""
    lsn: int = 0
    """All commits that end at or before it are in raw; 0 while there is no complete load to go on from."""
    previous_lsn: int = 0
    sequence_time: str = "0" * 16
    counter: int = 0
    batch: int = 0
    file_time: str = ""
    load_files: Mapping[str, int] = field(default_factory=dict)
    """Number of the last LOAD file, by table."""
    changes: int = 0
    last_commit_time: str | None = None
    renames: tuple[Rename, ...] = ()

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """The checkpoint of a state folder, None before the first.

        Raises:
            ReplicationError: the file was not written by this version.
        """
        try:
            content = json.loads((state / FILE).read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError(_FORMAT)
            renames = tuple(Rename(*rename) for rename in content.pop("renames"))
            return cls(**content, renames=renames)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{state / FILE} is not a checkpoint of this version; move it away to load all tables anew"
            raise ReplicationError(msg) from error

    def write(self, state: Path) -> None:
        """Replace the checkpoint file, durably: the commit."""
        durable.replace_json(state / FILE, {"format": _FORMAT, **asdict(self)})

    def lake_folder(self, state: Path) -> Path:
        return Path(os.path.normpath(state.resolve() / self.lake))


def position(state: Path) -> int | None:
    """The LSN up to which every change can be read in raw; None before the first load is complete."""
    checkpoint = Checkpoint.read(state)
    if checkpoint is None:
        return None
    lake = checkpoint.lake_folder(state)
    is_visible = not any((lake / rename.staged).exists() for rename in checkpoint.renames)
    return (checkpoint.lsn if is_visible else checkpoint.previous_lsn) or None

"""Exports into raw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autocorp_assets.resources.ports.progress import Progress


@dataclass(frozen=True, kw_only=True)
class TransferOutcome:
    """What one look at the landing place of a feed came to."""

    transferred: tuple[str, ...]
    bytes: int
    waiting: tuple[str, ...]
    """Names still being written; taken by a later transfer."""
    ignored: Mapping[str, str]
    """Remedy by name, for files that are not deliveries of any feed or cannot be taken."""
    details: Mapping[str, str | int | float] = field(default_factory=dict)
    """What the service that moved them says of its work."""
    remarks: tuple[str, ...] = ()
    """What an operator should know although nothing failed."""


@dataclass(frozen=True, kw_only=True)
class EndedTransfer:
    """A transfer that has come to its end."""

    name: str
    is_news: bool
    """Others than this platform have started it, and it has brought something or has failed."""


class TransferFailed(RuntimeError):
    """Exports were not brought into raw; the message says of which feed, why, and what to do."""


class Transfer(Protocol):
    """Moves whole files from where exports arrive into raw."""

    def arrivals(self, feeds: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """By feed what there is to take or to complain of, one text a version of a file: it changes when the file does.

        Cheap, for a sensor. A feed without any may be left out.

        Raises:
            TransferFailed: nobody can say what has arrived.
        """
        ...

    def ended(self, feed: str, *, told: str | None) -> EndedTransfer | None:
        """The newest transfer, once it has ended; None also when it is `told`, which was given before."""
        ...

    def transfer(self, feed: str, *, on_progress: Progress, ended: str | None = None) -> TransferOutcome:
        """Return once raw holds, verified and visible, what had arrived when this was called.

        Args:
            feed: name of the feed.
            on_progress: told of each phase.
            ended: take in the result of this transfer, as `ended` gave it, and start none.

        Raises:
            TransferFailed: also where the files were moved and are not what they should be.
        """
        ...

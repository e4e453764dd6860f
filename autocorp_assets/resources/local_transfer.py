"""Transfer from the landing folder of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.transfer import EndedTransfer, TransferFailed, TransferOutcome
from autocorp_assets.settings import Settings

SETTLED_SECONDS = 2.0
"""A file that has not grown for this long is taken for whole; the copy verifies that it was."""


@dataclass(frozen=True, kw_only=True)
class LocalTransfer:
    """Transfer: verified copies from the landing folder."""

    settings: Settings
    settled_seconds: float = SETTLED_SECONDS

    def arrivals(self, feeds: Sequence[str]) -> Mapping[str, Sequence[str]]:
        from autocorp_assets.local.transfer import TransferError, arrivals

        try:
            return {
                feed: arrivals(
                    feed,
                    landing=self.settings.landing_folder,
                    lake=self.settings.lake_folder,
                    settled_seconds=self.settled_seconds,
                )
                for feed in feeds
            }
        except TransferError as error:
            raise TransferFailed(str(error)) from error

    def ended(self, feed: str, *, told: str | None) -> EndedTransfer | None:  # noqa: ARG002 nobody else transfers here
        return None

    def transfer(self, feed: str, *, on_progress: Progress, ended: str | None = None) -> TransferOutcome:  # noqa: ARG002
        from autocorp_assets.local.transfer import TransferError, transfer

        try:
            report = transfer(
                feed,
                landing=self.settings.landing_folder,
                lake=self.settings.lake_folder,
                settled_seconds=self.settled_seconds,
            )
        except TransferError as error:
            raise TransferFailed(str(error)) from error
        return TransferOutcome(
            transferred=tuple(file.name for file in report.copied),
            bytes=sum(file.bytes for file in report.copied),
            waiting=report.waiting,
            ignored=dict(report.ignored),
        )

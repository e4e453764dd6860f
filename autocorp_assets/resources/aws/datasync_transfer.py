"""Transfer by DataSync: one task for each feed, whose verified results are made visible by receipts."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.model import CsvFeed
from autocorp_assets.contracts.raw_format import RAW_CSV, TRANSFER_RECEIPTS, feed_prefix
from autocorp_assets.lake.export_names import is_export, why_ignored
from autocorp_assets.resources.aws import feed_receipts
from autocorp_assets.resources.aws.clients import explain
from autocorp_assets.resources.aws.datasync_executions import POLL_SECONDS, DatasyncTasks, Execution
from autocorp_assets.resources.aws.s3_place import S3Object, S3Place
from autocorp_assets.resources.ports.progress import Progress
from autocorp_assets.resources.ports.transfer import EndedTransfer, TransferFailed, TransferOutcome
from autocorp_assets.settings import Settings

DEADLINE_SECONDS = 3600.0
"""Of one execution: the next hour's transfer joins what takes longer."""


@dataclass(frozen=True, kw_only=True)
class DatasyncTransfer:
    """Transfer through DataSync, from wherever the tasks' sources are."""

    settings: Settings
    poll_seconds: float = POLL_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS

    def arrivals(self, feeds: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """What lies in the landing place, where that is in S3, and not yet in raw: two listings for all feeds.

        Elsewhere exports arrive unseen, and the hourly schedule asks DataSync to look.
        """
        landing = self._landing
        if landing is None:
            return {}
        with _explained("looking for exports"):
            arrived = list(landing.objects())
            raw = {found.path: found for found in self._lake.objects(RAW_CSV)}
        return {feed: _arrivals_of(FEEDS[feed], arrived, raw) for feed in feeds}

    def ended(self, feed: str, *, told: str | None) -> EndedTransfer | None:
        """Costs one request, and one or two more for an execution that was not told of."""
        with _explained(feed):
            arn = self._tasks.newest(feed)
            if arn is None or arn == told:
                return None
            if self._tasks.is_ours(arn):
                return EndedTransfer(name=arn, is_news=False)
            execution = self._tasks.describe(arn)
        return EndedTransfer(name=arn, is_news=execution.status == "ERROR" or execution.files > 0)

    def transfer(self, feed: str, *, on_progress: Progress, ended: str | None = None) -> TransferOutcome:
        with _explained(feed):
            execution = self._tasks.describe(ended) if ended else self._tasks.run(feed, on_progress)
            if execution.complaint:
                raise TransferFailed(
                    f"{feed}: DataSync ended with {execution.status}: {execution.complaint} ({execution.arn})"
                )
            return self._take_in(FEEDS[feed], execution)

    def _take_in(self, feed: CsvFeed, execution: Execution) -> TransferOutcome:
        """Make visible what lies in raw without a receipt, whichever execution brought it."""
        objects = feed_receipts.look(self._lake, feed)
        landing = list(self._landing.objects()) if self._landing else []
        arrived = {found.name: found for found in sorted(landing, key=_modified) if is_export(found.name, feed)}
        wrong = {
            found.name: f"has {found.size:,} bytes in raw and {arrived[found.name].size:,} in the landing place"
            for found in objects.new
            if _is_cut(found, arrived.get(found.name))
        }
        taken = [feed_receipts.take(self._lake, objects, found) for found in objects.new if found.name not in wrong]
        done = [one for one in taken if one is not None]
        if wrong:
            told = "; ".join(f"{name} {what}" for name, what in wrong.items())
            raise TransferFailed(
                f"{feed.name}: {told}. Not taken in ({len(done)} others were): remove the object from raw/csv and run "
                f"again, so that DataSync brings it anew ({execution.arn})"
            )
        remarks = [execution.shortfall, *(one.remark for one in done)]
        return TransferOutcome(
            transferred=tuple(one.name for one in done),
            bytes=sum(one.size for one in done),
            waiting=tuple(name for name, there in arrived.items() if _is_newer(there, objects.current.get(name))),
            ignored={**_ignored_names(landing, feed), **objects.ignored},
            details=execution.details,
            remarks=tuple(remark for remark in remarks if remark),
        )

    @cached_property
    def _lake(self) -> S3Place:
        return S3Place.of(str(self.settings.lake))

    @cached_property
    def _landing(self) -> S3Place | None:
        return S3Place.of(self.settings.aws.landing) if self.settings.aws.landing else None

    @cached_property
    def _tasks(self) -> DatasyncTasks:
        named = self.settings.aws.transfer_tasks
        return DatasyncTasks(
            names={feed: named.get(feed, f"autocorp-{feed}") for feed in FEEDS},
            poll_seconds=self.poll_seconds,
            deadline_seconds=self.deadline_seconds,
        )


def _arrivals_of(feed: CsvFeed, arrived: Iterable[S3Object], raw: Mapping[str, S3Object]) -> list[str]:
    """One text for each version of a file that raw lacks, and for each name that is wrong."""
    found = []
    for there in arrived:
        if is_export(there.name, feed):
            here = raw.get(f"{feed_prefix(feed.name)}/{there.name}")
            receipt = raw.get(f"{TRANSFER_RECEIPTS}/{feed.name}/{there.name}.json")
            if receipt is None or _is_newer(there, here):
                found.append(f"{there.name}:{there.size}:{there.etag}")
    return found + [f"{name}: {reason}" for name, reason in _ignored_names(arrived, feed).items()]


def _is_newer(there: S3Object, here: S3Object | None) -> bool:
    """Whether the landing place holds other content than raw; times are S3's own, on both sides.

    DataSync need not keep an object's ETag, so another one alone says nothing.
    """
    if here is None:
        return True
    return here.etag != there.etag and (here.size != there.size or there.modified > here.modified)


def _is_cut(found: S3Object, there: S3Object | None) -> bool:
    """Whether raw has another size than the landing place, of a file that did not change since it was copied."""
    return there is not None and there.size != found.size and there.modified <= found.modified


def _ignored_names(landing: Iterable[S3Object], feed: CsvFeed) -> dict[str, str]:
    """Remedy by name, of what lies in the landing place and only looks like an export of the feed."""
    reasons = {found.name: why_ignored(found.name, feed) for found in landing}
    return {name: reason for name, reason in reasons.items() if reason}


def _modified(found: S3Object) -> datetime:
    return found.modified


@contextmanager
def _explained(what: str) -> Generator[None]:
    """Turns what botocore raises into what an operator can act on."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise TransferFailed(f"{what}: {explain(error)}") from error

"""The raw CSV feeds: one asset a feed, filled by verified copies."""

import time
from collections.abc import Iterator

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key
from autocorp_assets.checks.raw import check_raw_feed, raw_feed_check_specs
from autocorp_assets.contracts.model import CsvFeed, TableContract
from autocorp_assets.contracts.raw_format import feed_prefix
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.raw.specs import raw_feed_spec
from autocorp_assets.resources.ports.transfer import Transfer


class FeedConfig(dg.Config):
    """Of one run."""

    ended: str | None = None
    """A transfer that others have started and that has ended: its result is taken in, and no other is started."""


def raw_feed(feed: CsvFeed, contract: TableContract) -> dg.AssetsDefinition:
    """The asset of one feed."""
    key = raw_feed_key(feed.name)

    @dg.multi_asset(
        name=f"transfer_{feed.name}",
        specs=[raw_feed_spec(feed, contract)],
        check_specs=raw_feed_check_specs(feed),
        can_subset=True,
        description=f"Copy what has arrived for `{feed.name}`, verify it, and make it visible when whole.",
    )
    def transfer_feed(
        context: dg.AssetExecutionContext,
        config: FeedConfig,
        transfer: dg.ResourceParam[Transfer],
        lake: dg.ResourceParam[LakeStorage],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        started = time.monotonic()
        outcome = transfer.transfer(feed.name, on_progress=context.log.info, ended=config.ended)
        seconds = time.monotonic() - started
        for remark in outcome.remarks:
            context.log.warning(remark)
        for name, remedy in outcome.ignored.items():
            context.log.warning(f"{name} was not taken: {remedy}")
        deliveries = lake.deliveries(feed.name)
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "transferred": list(outcome.transferred),
                "transferred_files": len(outcome.transferred),
                "transferred_bytes": outcome.bytes,
                "seconds": round(seconds, 3),
                "waiting": list(outcome.waiting),
                "ignored": dict(outcome.ignored),
                "files": len(deliveries),
                **outcome.details,
                "bytes": sum(delivery.size for delivery in deliveries),
                "path": dg.MetadataValue.path(f"{lake.root}/{feed_prefix(feed.name)}"),
            },
        )
        selected = frozenset(context.selected_asset_check_keys)
        yield from check_raw_feed(lake, feed, contract, ignored=outcome.ignored, selected=selected)

    return transfer_feed

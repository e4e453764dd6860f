"""Whether a platform has taken in everything that its sources have."""

from __future__ import annotations

from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.settings import Settings


def is_caught_up(settings: Settings) -> bool:
    """Raw has passed the source's position, no export waits, and no table has a file pending."""
    return _is_replicated(settings) and not _has_arrivals(settings) and not _has_pending(settings)


def _is_replicated(settings: Settings) -> bool:
    import psycopg

    from autocorp_assets.local.replicator.source import committed_lsn
    from autocorp_assets.local.replicator.status import position
    from autocorp_assets.local.source.connection import embedded

    try:
        with psycopg.connect(embedded(settings).dsn, connect_timeout=5, autocommit=True) as connection:
            return (position(settings.replication_folder) or 0) >= committed_lsn(connection)
    except psycopg.OperationalError:
        return False


def _has_arrivals(settings: Settings) -> bool:
    from autocorp_assets.local.transfer import has_arrivals

    return any(has_arrivals(feed, settings.landing_folder, settings.lake_folder) for feed in FEEDS)


def _has_pending(settings: Settings) -> bool:
    from autocorp_assets.lake.storage import LakeStorage

    return any(not plan.is_empty for plan in LakeStorage(settings.lake_folder).pending_plans(TABLES).values())

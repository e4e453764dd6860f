"""The log that the source keeps for DMS's replication slot."""

from __future__ import annotations

from autocorp_assets.resources.ports import ReadOnlySource, RetainedLog, SourceUnavailable

STATEMENT_SECONDS = 10.0
MEGABYTE = 1024**2
# By column names that every version since 10 has; the others through JSON, which has none of them as NULL.
SLOT = """
    SELECT pg_current_wal_lsn() - s.restart_lsn, to_jsonb(s) ->> 'wal_status', to_jsonb(s) ->> 'invalidation_reason',
           (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
    FROM pg_replication_slots s WHERE slot_name = %s
"""


def retained_log(source: ReadOnlySource, slot: str) -> RetainedLog | None:
    """What it keeps for the slot; None when it cannot be asked, or has no such slot."""
    try:
        with source.connect(statement_seconds=STATEMENT_SECONDS) as connection:
            row = connection.execute(SLOT, [slot]).fetchone()
    except SourceUnavailable:
        return None
    if row is None:
        return None
    kept, status, invalidation, limit = row
    return RetainedLog(
        slot=slot,
        bytes=int(kept or 0),
        limit_bytes=None if limit is None or limit < 0 else int(limit) * MEGABYTE,
        is_lost=status == "lost" or invalidation is not None,
        after_loss="load all tables anew: materialise the raw tables with `reload: true`",
        how_to_start="Start the DMS task: materialise the raw tables",
    )

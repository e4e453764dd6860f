"""The log that the source keeps for DMS's replication slot."""

from __future__ import annotations

from autocorp_assets.resources.ports.source import ReadOnlySource, RetainedLog, SourceUnavailable

STATEMENT_SECONDS = 10.0
MEGABYTE = 1024**2
# DMS makes the slot by itself, under a name that it does not tell; pglogical and test_decoding are the plugins that it
# uses. What not every version of PostgreSQL has as a column is asked for through JSON, which lacks it without an error.
SLOT = """
    SELECT s.slot_name, pg_current_wal_lsn() - s.restart_lsn, to_jsonb(s) ->> 'wal_status',
           to_jsonb(s) ->> 'invalidation_reason',
           (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
    FROM pg_replication_slots s
    WHERE s.slot_name = %(slot)s
       OR (s.slot_type = 'logical' AND s.database = current_database() AND s.plugin IN ('pglogical', 'test_decoding'))
    ORDER BY s.slot_name = %(slot)s DESC, s.restart_lsn NULLS FIRST
    LIMIT 1
"""


def retained_log(source: ReadOnlySource, slot: str) -> RetainedLog | None:
    """What it keeps for the slot of that name, else for that of DMS's which is furthest behind.

    None when it cannot be asked, or has no such slot.
    """
    try:
        with source.connect(statement_seconds=STATEMENT_SECONDS) as connection:
            row = connection.execute(SLOT, {"slot": slot}).fetchone()
    except SourceUnavailable:
        return None
    if row is None:
        return None
    name, kept, status, invalidation, limit = row
    return RetainedLog(
        slot=name,
        bytes=int(kept or 0),
        limit_bytes=None if limit is None or limit < 0 else int(limit) * MEGABYTE,
        is_lost=status == "lost" or invalidation is not None,
        after_loss="load all tables anew: materialise the raw tables with `reload: true`",
        how_to_start="Start the DMS task: materialise the raw tables",
    )

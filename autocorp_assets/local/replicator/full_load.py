"""Loads: tables at an exported snapshot, which tells exactly which changes are newer.

A full load is of every table, at the snapshot from which the slot's changes go on; a reload is of some,
at that of a slot of its own. Nothing of a load is visible, or remembered, before all of it is: a crash
starts it again.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import pyarrow as pa
from psycopg import pq, sql
from psycopg.abc import Buffer
from psycopg.errors import error_from_result
from pyarrow import csv

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import table_prefix
from autocorp_assets.local.replicator import sequence, source
from autocorp_assets.local.replicator.checkpoint import Checkpoint, Rename, ReplicationError
from autocorp_assets.local.replicator.raw_zone import RawZone, manifest
from autocorp_assets.local.replicator.rows import load_batch
from autocorp_assets.local.replicator.table import SOURCE_SCHEMA, SourceTable, from_catalog

LOAD_FILE_ROWS = 512 * 1024
_CHUNK_BYTES = 8 * 1024 * 1024
_WAIT_SECONDS = 0.2

Progress = Callable[[str, int], None]
"""Told of a table and its rows so far, after each chunk; what it raises ends the load."""


@dataclass(frozen=True, kw_only=True)
class StagedLoad:
    """Tables as they were at one position of the source's log, staged and not yet committed."""

    position: int
    """The load holds what was committed before it, and nothing else."""
    started: datetime
    moment: datetime
    """The source's clock, shortly before the position."""
    rows: Mapping[str, int]
    renames: Mapping[str, tuple[Rename, ...]]
    """LOAD files by table; none of an empty one."""

    def committed_after(self, checkpoint: Checkpoint, zone: RawZone) -> Checkpoint:
        """The checkpoint that commits the load as a generation of its own.

        Args:
            checkpoint: the last one, to which exactly the changes before `position` belong.
            zone: where the files are staged; the manifest joins them.
        """
        clock = sequence.ChangeClock(time=checkpoint.sequence_time, counter=checkpoint.counter)
        generation = max(checkpoint.generation, zone.last_generation()) + 1
        names = {table: [rename.final.rsplit("/", 1)[-1] for rename in files] for table, files in self.renames.items()}
        announcement = zone.stage_manifest(
            manifest(
                generation=generation,
                start_sequence=clock.next(),
                started_at=_utc_text(self.started),
                completed_at=_utc_text(datetime.now(UTC)),
                files={table: (self.rows[table], files) for table, files in names.items()},
            )
        )
        numbers = {table: int(files[-1][4:12], 16) for table, files in names.items() if files}
        return replace(
            checkpoint,
            generation=generation,
            sequence_time=clock.time,
            counter=clock.counter,
            # Readers look from the load's start on for changes that are newer than it.
            file_time=max(checkpoint.file_time, sequence.file_time(self.started)),
            load_files={**checkpoint.load_files, **numbers},
            renames=(*(rename for files in self.renames.values() for rename in files), announcement),
        )


def load(
    *, dsn: str, zone: RawZone, claim: Checkpoint, on_progress: Progress, on_wait: Callable[[], None]
) -> Checkpoint:
    """Create the slot, and stage every table at its consistent point: a new load generation to be committed.

    Args:
        dsn: the source, which must not have the slot.
        zone: where to.
        claim: the last checkpoint, which names the slot.
        on_progress: told as rows arrive.
        on_wait: called while the source waits for transactions that are open; what it raises ends the load.

    Raises:
        psycopg.Error: the source failed; the slot may be there without a use.
    """
    staged = stage(
        dsn=dsn,
        zone=zone,
        tables=tuple(TABLES),
        slot=claim.slot,
        load_files=claim.load_files,
        on_progress=on_progress,
        on_wait=on_wait,
    )
    time = max(claim.sequence_time, sequence.sequence_time(staged.moment))
    at_position = replace(claim, lsn=staged.position, previous_lsn=claim.lsn, sequence_time=time)
    loaded = staged.committed_after(at_position, zone)
    return replace(loaded, whole_generation=loaded.generation)


def stage(
    *,
    dsn: str,
    zone: RawZone,
    tables: Sequence[str],
    slot: str | None,
    load_files: Mapping[str, int],
    on_progress: Progress,
    on_wait: Callable[[], None],
) -> StagedLoad:
    """Read tables at the consistent point of a new slot.

    Only a slot tells which commits its snapshot holds: a commit may be in the log, and streamed, before
    an ordinary snapshot shows it.

    Args:
        dsn: the source.
        zone: where to.
        tables: which.
        slot: name of the slot, which stays; None is one that ends with the reading.
        load_files: number of the last LOAD file, by table.
        on_progress: told as rows arrive.
        on_wait: called while the source waits for transactions that are open; what it raises ends the load.

    Raises:
        psycopg.Error: the source failed; a named slot may be there without a use.
        ReplicationError: the source lacks a table, or its rows cannot be read.
    """
    started = datetime.now(UTC)
    with contextlib.closing(source.connect(dsn, replication=True)) as exporter:
        moment = _source_time(dsn)
        position, snapshot = _create_slot(exporter, slot, on_wait)
        # The exporter's connection stays idle: its next command would end the snapshot.
        with source.connect(dsn) as reader, reader.transaction():
            loaded = {
                table.name: _load_table(reader, table, zone, _last_load_file(zone, load_files, table), on_progress)
                for table in _enter(reader, snapshot, tables)
            }
    return StagedLoad(
        position=position,
        started=started,
        moment=moment,
        rows={name: rows for name, (rows, _) in loaded.items()},
        renames={name: tuple(renames) for name, (_, renames) in loaded.items()},
    )


def _create_slot(exporter: psycopg.Connection, name: str | None, on_wait: Callable[[], None]) -> tuple[int, str]:
    """The slot's consistent point, and the snapshot that shows exactly what was committed before it.

    The source waits for the end of every transaction that is open; `on_wait` may give that up.
    """
    kind = sql.SQL("TEMPORARY LOGICAL" if name is None else "LOGICAL")
    identifier = sql.Identifier(name or f"autocorp_reload_{secrets.token_hex(8)}")
    command = sql.SQL("CREATE_REPLICATION_SLOT {} {} pgoutput (SNAPSHOT 'export')").format(identifier, kind)
    libpq = exporter.pgconn
    libpq.send_query(command.as_bytes(exporter))
    try:
        while libpq.flush() or libpq.is_busy():
            if select.select([libpq.socket], [], [], _WAIT_SECONDS)[0]:
                libpq.consume_input()
            else:
                on_wait()
    except BaseException:
        libpq.get_cancel().cancel()  # else the server goes on, and holds the slot
        raise
    result = libpq.get_result()
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError("the source has gone") if result is None else error_from_result(result)
    libpq.get_result()  # the end of the command
    _, consistent_point, snapshot, _ = ((result.get_value(0, column) or b"").decode() for column in range(4))
    high, low = consistent_point.split("/")
    return (int(high, 16) << 32) + int(low, 16), snapshot


def _enter(reader: psycopg.Connection, snapshot: str, tables: Sequence[str]) -> list[SourceTable]:
    """See the snapshot, and keep the tables' shapes still while they are read."""
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
    reader.execute("SET LOCAL lock_timeout = '30s'")
    for name in tables:
        reader.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(SOURCE_SCHEMA, name)))
    return [from_catalog(reader, name) for name in tables]


def _load_table(
    reader: psycopg.Connection, table: SourceTable, zone: RawZone, number: int, on_progress: Progress
) -> tuple[int, list[Rename]]:
    """Rows of the table, and its LOAD files, numbered after `number`."""
    rows, file = 0, None
    renames: list[Rename] = []
    on_progress(table.name, 0)
    for chunk in _chunks(reader, table):
        if file is None:
            staged, file = zone.stage(table.load_schema)
            number += 1
            renames.append(Rename(staged, f"{table_prefix(table.name)}/LOAD{number:08X}.parquet"))
        file.append(load_batch(table, chunk, transfer_time=sequence.commit_text(datetime.now(UTC))))
        rows += len(chunk[0])
        on_progress(table.name, rows)
        if file.rows >= LOAD_FILE_ROWS:
            file.close()
            file = None
    if file is not None:
        file.close()
    return rows, renames


def _chunks(reader: psycopg.Connection, table: SourceTable) -> Iterator[list[pa.Array]]:
    """The table's rows, some at a time, as one array of text a column."""
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    command = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv)")
    query = command.format(columns, sql.Identifier(SOURCE_SCHEMA, table.name))
    with reader.cursor() as cursor, cursor.copy(query) as copy:
        lines: list[Buffer] = []
        size = 0
        for line in copy:  # one row each: that is how the server sends COPY
            lines.append(line)
            size += len(line)
            if size >= _CHUNK_BYTES:
                yield _parse(table, lines)
                lines, size = [], 0
        if lines:
            yield _parse(table, lines)


def _parse(table: SourceTable, lines: list[Buffer]) -> list[pa.Array]:
    """CSV as COPY writes it, where NULL is empty and an empty text is quoted."""
    content = b"".join(lines)
    names = [column.name for column in table.columns]
    parsed = csv.read_csv(
        io.BytesIO(content),
        # One block: a value may be as long as PostgreSQL allows.
        read_options=csv.ReadOptions(column_names=names, block_size=len(content) + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    if parsed.num_rows != len(lines):
        msg = f"COPY of public.{table.name} gave {len(lines)} rows, which were read as {parsed.num_rows}"
        raise ReplicationError(msg)
    return [column.combine_chunks() for column in parsed.columns]


def _last_load_file(zone: RawZone, load_files: Mapping[str, int], table: SourceTable) -> int:
    return max(load_files.get(table.name, 0), zone.last_load_file(table.name))


def _source_time(dsn: str) -> datetime:
    """The source's clock: changes after the snapshot are not told as older than the load."""
    with source.connect(dsn) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    return datetime.now(UTC) if row is None else row[0].astimezone(UTC)


def _utc_text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

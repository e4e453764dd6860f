"""Everything that exports have delivered against the lake, record by record, in bounded memory.

The deliveries that the table has taken in are read again in their order, and give the records that must be there: all
but those of which every row is in quarantine. That they are read by other code than the job's is the point; where the
two count other rows in a file, that is told first.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autocorp_assets.contracts.model import CHANGE_SEQ, RAW_FILE, SOURCE_SYSTEM, KeyForm, SourceSystem, TableContract
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES, feed_prefix
from autocorp_assets.lake.audit import read_accounts, standing_accounts
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.snapshots import Snapshot, read_head, read_snapshot
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.reconciliation.delivered_keys import DeliveredKeys
from autocorp_assets.reconciliation.findings import SAMPLE_OF_A_VERDICT, ExportReconciliation, Finding, Verdict
from autocorp_assets.resources.ports.progress import Progress
from spark_jobs.change_seq import ORDINAL_DIGITS
from spark_jobs.checkpoint import AppliedDelivery

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "256MB"
"""For each of the two engines, of the lake and of the comparison; what is more goes to disk."""
LOOKS = 3
"""A run that goes on meanwhile may change what is compared: then it is compared once more."""
ORDINAL_AT = len("yyyymmdd.") + 1
"""Where in a row's change sequence its delivery's ordinal begins."""


@dataclass(frozen=True, kw_only=True)
class _Content:
    """A delivery that the table has taken in."""

    file: str
    """As rows of the lake name it."""
    path: str | None
    """Where that content lies; None when it is gone from raw."""
    applied: AppliedDelivery


def compare_exports(lake: LakeStorage, contract: TableContract, *, on_progress: Progress) -> ExportReconciliation:
    """Compare what the table's feed has delivered with what the table holds of exports.

    Args:
        lake: the lake.
        contract: of a table with a feed.
        on_progress: told of each file.

    Raises:
        ValueError: the table has no feed.
        TableNotReadable: see `lake.snapshots.read_snapshot`.
        OSError: a delivery cannot be read.
    """
    started = time.monotonic()
    for _ in range(LOOKS):
        snapshot = read_snapshot(lake.root, contract)
        result = _compare(lake, contract, snapshot, on_progress)
        head = read_head(lake.root, contract)
        if not result.differences or (head and head.commit) == result.commit:
            break
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _compare(
    lake: LakeStorage, contract: TableContract, snapshot: Snapshot | None, on_progress: Progress
) -> ExportReconciliation:
    feed = contract.csv_feed
    if feed is None:
        message = f"table {contract.name} has no feed of exports"
        raise ValueError(message)
    known = snapshot.checkpoint.deliveries if snapshot and snapshot.checkpoint else {}
    in_raw = {delivery.name: delivery.etag for delivery in lake.deliveries(feed.name)}
    contents = _contents(lake, feed.name, known, in_raw)
    result = ExportReconciliation(
        table=contract.name,
        feed=feed.name,
        commit=snapshot.commit if snapshot else None,
        files_refused=sum(bool(applied.refused) for applied in known.values()),
        files_waiting=sum(name not in known or known[name].etag != etag for name, etag in in_raw.items()),
        files_gone=sum(content.path is None for content in contents),
    )
    with _scratch() as connection:
        expected = DeliveredKeys(connection=connection, contract=contract, feed=feed)
        expected.make()
        _fold(lake, expected, contents, result, on_progress)
        if snapshot:
            _load_stored(connection, lake, contract, snapshot)
            _judge(connection, contents, result, has_lines=feed.key_form is KeyForm.LINE)
    return result


@contextmanager
def _scratch() -> Generator[duckdb.DuckDBPyConnection]:
    """A database on disk, for as long as it is needed."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="autocorp-reconciliation-") as folder,
        duckdb.connect(Path(folder) / "keys.duckdb") as connection,
    ):
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        yield connection


def _contents(
    lake: LakeStorage, feed: str, known: Mapping[str, AppliedDelivery], in_raw: Mapping[str, str]
) -> list[_Content]:
    """What the table has taken in, oldest first; the content that it read is aside where a corrected file waits."""
    aside = {file.name: file.path for file in lake.raw_files(f"{SUPERSEDED_DELIVERIES}/{feed}")}
    return [
        _Content(
            file=f"{feed_prefix(feed)}/{name}",
            path=(
                f"{feed_prefix(feed)}/{name}"
                if in_raw.get(name) == applied.etag
                else aside.get(f"{applied.etag}-{name}")
            ),
            applied=applied,
        )
        for name, applied in sorted(known.items(), key=lambda item: (item[1].day, item[1].ordinal))
        if not applied.refused
    ]


def _fold(
    lake: LakeStorage,
    expected: DeliveredKeys,
    contents: list[_Content],
    result: ExportReconciliation,
    on_progress: Progress,
) -> None:
    contract = expected.contract
    kept_out = Quarantine(lake, contract).positions()
    accounts = standing_accounts(read_accounts(lake, contract, mentioning=feed_prefix(expected.feed.name)))
    for content in contents:
        if content.path is None:
            continue
        on_progress(f"{contract.name}: reading {content.file}")
        folded = expected.fold(
            lake,
            content.path,
            file=content.file,
            kept_out=kept_out.get(content.file, ()),
            limit=SAMPLE_OF_A_VERDICT,
        )
        result.files += 1
        result.rows_read += folded.rows
        result.rows_quarantined += folded.quarantined
        account = accounts.get(content.file)
        if account and account.read != folded.rows:
            detail = f"{content.file} has {folded.rows:,} rows here, and {account.read:,} by the account of its run"
            result.add(Finding(key=None, verdict=Verdict.UNSETTLED, detail=detail))
        for position in folded.lost:
            detail = f"{content.file}, row {position:,}, which names no record and is not in quarantine"
            result.add(Finding(key=None, verdict=Verdict.MISSING, detail=detail))


def _load_stored(
    connection: duckdb.DuckDBPyConnection, lake: LakeStorage, contract: TableContract, snapshot: Snapshot
) -> None:
    from autocorp_assets.query.engine import LAKE_SCHEMA, LakeQuery

    connection.execute("CREATE TABLE stored (record_key VARCHAR, file VARCHAR, ordinal VARCHAR)")
    query = LakeQuery(lake.root, memory_limit=MEMORY_LIMIT)
    with query.connect_to({contract.name: snapshot}) as lake_connection:
        rows = lake_connection.sql(
            f"""
            SELECT {contract.record_key}, {RAW_FILE}, substr({CHANGE_SEQ}, {ORDINAL_AT}, {ORDINAL_DIGITS})
            FROM {LAKE_SCHEMA}.{contract.name} WHERE {SOURCE_SYSTEM} = '{SourceSystem.CSV}'
            """  # noqa: S608 names are the contracts'
        )
        connection.register("rows", rows.to_arrow_reader(50_000))
        connection.execute("INSERT INTO stored FROM rows")
        connection.unregister("rows")


def _judge(
    connection: duckdb.DuckDBPyConnection, contents: list[_Content], result: ExportReconciliation, *, has_lines: bool
) -> None:
    """Adds what the tables `expected` and `stored` say of each other."""
    import pyarrow as pa

    known = [
        {"file": one.file, "ordinal": f"{one.applied.ordinal:0{ORDINAL_DIGITS}d}", "is_gone": one.path is None}
        for one in contents
    ]
    schema = pa.schema({"file": pa.string(), "ordinal": pa.string(), "is_gone": pa.bool_()})
    connection.register("contents", pa.Table.from_pylist(known, schema=schema))
    parent = "regexp_replace(record_key, ':[0-9]+$', '')" if has_lines else "record_key"
    for statement in (
        # What came from a content that is not to be read any more says nothing of others.
        f"""
        CREATE TABLE unread AS
        FROM stored LEFT JOIN contents USING (file)
        SELECT record_key, {parent} AS parent, file, coalesce(is_gone, true) AS is_gone
        WHERE coalesce(is_gone, true) OR contents.ordinal <> stored.ordinal
        """,
        """
        CREATE VIEW findings AS
        SELECT record_key, 'missing' AS verdict, file || ', row ' || position AS detail
        FROM expected ANTI JOIN stored USING (record_key) WHERE parent NOT IN (SELECT parent FROM unread)
        UNION ALL
        SELECT record_key, CASE WHEN unread.record_key IS NULL THEN 'extra' WHEN is_gone THEN 'unsettled'
                                ELSE 'replaced' END,
               CASE WHEN is_gone THEN stored.file || ' is gone from raw' ELSE stored.file END
        FROM (FROM stored ANTI JOIN expected USING (record_key)) AS stored LEFT JOIN unread USING (record_key)
        UNION ALL
        SELECT record_key, 'doubled', count(*) || ' times' FROM stored GROUP BY record_key HAVING count(*) > 1
        """,
    ):
        connection.execute(statement)
    result.keys = _count(connection, "expected")
    result.lake_rows = _count(connection, "stored")
    result.counts.update(
        {
            Verdict(verdict): count
            for verdict, count in connection.execute("FROM findings SELECT verdict, count(*) GROUP BY ALL").fetchall()
        }
    )
    sample = connection.execute(
        f"""
        FROM findings SELECT record_key, verdict, detail
        QUALIFY row_number() OVER (PARTITION BY verdict ORDER BY record_key) <= {SAMPLE_OF_A_VERDICT}
        """
    ).fetchall()
    found = [Finding(key=key, verdict=Verdict(verdict), detail=detail) for key, verdict, detail in sample]
    order = list(Verdict)
    result.sample = sorted([*result.sample, *found], key=lambda one: (order.index(one.verdict), str(one.key)))


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return len(connection.table(table))

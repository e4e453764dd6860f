"""One version of a table, in either format: now, at a past moment, after a crash, after work by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from autocorp_assets.contracts import TABLES
from autocorp_assets.lake.snapshots import Snapshot, TableNotReadable, commits, read_columns, read_head, read_snapshot
from autocorp_assets_tests.lake.lake_writer import LakeWriter
from spark_jobs.checkpoint import HUDI_METADATA_KEY, Checkpoint, delta_user_metadata

HUDI = TABLES["sales_order"]
DELTA = TABLES["auto_parts"]
JANUARY = datetime(2024, 1, 15, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 15, tzinfo=UTC)
AFTER = timedelta(milliseconds=1)


@pytest.fixture
def delta_lake(tmp_path: Path) -> Path:
    # Delta's log writes the blank as a URL does; delta-rs cannot write below a name with brackets.
    return tmp_path / "my lake"


def values(snapshot: Snapshot | None, column: str) -> list:
    assert snapshot is not None
    return sorted(pl.read_parquet(list(snapshot.files), columns=[column], glob=False)[column].to_list())


def hudi_timeline(writer: LakeWriter) -> list[Path]:
    """Completed commits, oldest first."""
    return sorted((writer.root / HUDI.lake_path / ".hoodie").glob("*.commit"))


@pytest.mark.parametrize("contract", [HUDI, DELTA])
def test_a_table_that_does_not_exist_is_none(tmp_path: Path, contract):
    assert read_snapshot(tmp_path, contract) is None
    assert read_snapshot(tmp_path, contract, datetime.now(UTC)) is None
    assert read_head(tmp_path, contract) is None
    assert read_columns(tmp_path, contract) is None
    assert commits(tmp_path, contract, 10) == []


@pytest.mark.spark
def test_a_hudi_commit_that_is_not_written_to_its_end_is_none(writer: LakeWriter):
    one = {"order_id": 1, "order_date": JANUARY, "status": "Open"}
    first = writer.commit("sales_order", one, checkpoint=Checkpoint(generation=1))
    writer.commit("sales_order", {**one, "status": "Completed"}, checkpoint=Checkpoint(generation=2))
    newest = hudi_timeline(writer)[-1]
    for size in (700, 0):
        newest.write_bytes(newest.read_bytes()[:size])
        head = read_head(writer.root, HUDI)
        assert head is not None
        assert (head.commit, head.checkpoint) == (first, Checkpoint(generation=1))

    with pytest.raises(TableNotReadable, match=r"rolls it back \(autocorp sync\)"):
        read_snapshot(writer.root, HUDI)
    assert [info.commit for info in commits(writer.root, HUDI, 10)] == [first]


@pytest.mark.spark
def test_a_hudi_table_now_and_then(writer: LakeWriter):
    one = {"order_id": 1, "order_date": JANUARY, "status": "Open"}
    two = {"order_id": 2, "order_date": FEBRUARY, "status": "Open"}
    first = writer.commit("sales_order", one, two, checkpoint=Checkpoint(generation=1))
    second = writer.commit("sales_order", {**one, "status": "Completed"}, deleted=(two,))

    history = commits(writer.root, HUDI, 10)
    assert [(info.commit, info.operation) for info in history] == [(second, "UPSERT"), (first, "BULK_INSERT")]
    assert commits(writer.root, HUDI, 1) == history[:1]

    now = read_snapshot(writer.root, HUDI)
    assert now is not None
    assert (now.commit, now.committed_at, now.checkpoint) == (second, history[0].committed_at, Checkpoint())
    assert values(now, "status") == ["Completed"]
    assert [Path(file).stat().st_size for file in now.files] == list(now.file_sizes)
    assert now.columns == {column.name: column.type for column in HUDI.lake_columns}
    assert read_columns(writer.root, HUDI) == read_columns(writer.root, HUDI, history[1].committed_at) == now.columns
    assert read_columns(writer.root, HUDI, history[1].committed_at - AFTER) is None

    then = read_snapshot(writer.root, HUDI, history[1].committed_at)
    assert then is not None
    assert (then.commit, then.checkpoint) == (first, Checkpoint(generation=1))
    assert values(then, "order_id") == [1, 2]
    assert values(then, "status") == ["Open", "Open"]
    assert values(read_snapshot(writer.root, HUDI, history[0].committed_at - AFTER), "status") == ["Open", "Open"]
    assert read_snapshot(writer.root, HUDI, history[1].committed_at - AFTER) is None

    _a_commit_by_hand_hides_no_checkpoint(writer)
    _what_the_cleaner_took_is_missed(writer, then, history[1].committed_at)
    _commits_that_did_not_complete_are_none(writer, first)


def _a_commit_by_hand_hides_no_checkpoint(writer: LakeWriter) -> None:
    newest = hudi_timeline(writer)[-1]
    kept = newest.read_text()
    metadata = json.loads(kept)
    del metadata["extraMetadata"][HUDI_METADATA_KEY]
    newest.write_text(json.dumps(metadata))
    head = read_head(writer.root, HUDI)
    assert head is not None
    assert (head.commit, head.checkpoint) == (newest.stem, Checkpoint(generation=1))
    newest.write_text(kept)


def _what_the_cleaner_took_is_missed(writer: LakeWriter, then: Snapshot, moment: datetime) -> None:
    for file in then.files:
        taken = Path(file).rename(writer.root / "taken.parquet")
        with pytest.raises(TableNotReadable, match="is no longer kept in full"):
            read_snapshot(writer.root, HUDI, moment)
        taken.rename(file)
    assert values(read_snapshot(writer.root, HUDI, moment), "order_id") == [1, 2]


def _commits_that_did_not_complete_are_none(writer: LakeWriter, first: str) -> None:
    """What a crash before the end of a commit leaves: its files, its intention, and no completed instant."""
    hudi_timeline(writer)[-1].unlink()
    snapshot = read_snapshot(writer.root, HUDI)
    assert snapshot is not None
    assert snapshot.commit == first
    assert values(snapshot, "status") == ["Open", "Open"]
    hudi_timeline(writer)[-1].unlink()
    assert read_snapshot(writer.root, HUDI) is None
    assert read_head(writer.root, HUDI) is None
    archive = writer.root / HUDI.lake_path / ".hoodie" / "archived" / ".commits_.archive.1_1-0-1"
    archive.parent.mkdir()
    archive.write_bytes(b"commits of long ago")
    with pytest.raises(TableNotReadable, match="history at 2024-01-15 00:00:00 UTC is no longer kept"):
        read_snapshot(writer.root, HUDI, JANUARY)
    with pytest.raises(TableNotReadable, match="is no longer kept"):
        read_columns(writer.root, HUDI, JANUARY)


def test_a_delta_table_now_and_then(delta_lake: Path):
    uri = str(delta_lake / DELTA.lake_path)
    rows = pa.table(
        {
            "sku": ["A", "B"],
            "inventory_date": pa.array([JANUARY.date()] * 2),
            "price": pa.array([Decimal("1.50")] * 2, pa.decimal128(10, 2)),
            "changed_at": pa.array([JANUARY] * 2, pa.timestamp("us", "UTC")),
        }
    )
    write_deltalake(uri, rows, commit_properties=_carrying(Checkpoint(generation=1)))
    write_deltalake(uri, rows.slice(0, 1), mode="overwrite", commit_properties=_carrying(Checkpoint(generation=2)))

    history = commits(delta_lake, DELTA, 10)
    assert [(info.commit, info.operation) for info in history] == [("1", "WRITE"), ("0", "WRITE")]
    now = read_snapshot(delta_lake, DELTA)
    assert now is not None
    assert (now.commit, now.committed_at, now.checkpoint) == ("1", history[0].committed_at, Checkpoint(generation=2))
    assert values(now, "sku") == ["A"]
    assert [Path(file).stat().st_size for file in now.files] == list(now.file_sizes)
    assert now.columns == {
        "sku": "string",
        "inventory_date": "date",
        "price": "decimal(10,2)",
        "changed_at": "timestamp",
    }

    then = read_snapshot(delta_lake, DELTA, history[0].committed_at - AFTER)
    assert then is not None
    assert (then.commit, then.checkpoint, values(then, "sku")) == ("0", Checkpoint(generation=1), ["A", "B"])
    assert then.committed_at == history[1].committed_at
    assert read_snapshot(delta_lake, DELTA, history[1].committed_at - AFTER) is None

    Path(then.files[0]).unlink()
    with pytest.raises(TableNotReadable, match="is no longer kept in full"):
        read_snapshot(delta_lake, DELTA, history[1].committed_at)


def test_the_columns_of_a_delta_table_at_a_time_need_no_data(delta_lake: Path):
    uri = str(delta_lake / DELTA.lake_path)
    write_deltalake(uri, pa.table({"sku": ["A"]}))
    write_deltalake(uri, pa.table({"sku": ["B"], "colour": [1]}), mode="append", schema_mode="merge")
    newest, oldest = commits(delta_lake, DELTA, 10)
    for file in Path(uri).glob("*.parquet"):
        file.unlink()

    assert read_columns(delta_lake, DELTA) == {"sku": "string", "colour": "bigint"}
    assert read_columns(delta_lake, DELTA, newest.committed_at - AFTER) == {"sku": "string"}
    assert read_columns(delta_lake, DELTA, oldest.committed_at - AFTER) is None


def test_maintenance_by_hand_hides_no_checkpoint(delta_lake: Path):
    uri = str(delta_lake / DELTA.lake_path)
    checkpoint = Checkpoint(generation=3)
    for sku in ("A", "B"):
        write_deltalake(uri, pa.table({"sku": [sku]}), mode="append", commit_properties=_carrying(checkpoint))
    DeltaTable(uri).optimize.compact()
    head = read_head(delta_lake, DELTA)
    assert head is not None
    assert (head.commit, head.checkpoint) == ("2", checkpoint)
    assert values(read_snapshot(delta_lake, DELTA), "sku") == ["A", "B"]


def test_deletion_vectors_are_refused(delta_lake: Path):
    uri = str(delta_lake / DELTA.lake_path)
    write_deltalake(uri, pa.table({"sku": ["A"]}), configuration={"delta.enableDeletionVectors": "true"})
    with pytest.raises(TableNotReadable, match="auto_parts: the Delta table uses deletionVectors"):
        read_snapshot(delta_lake, DELTA)
    with pytest.raises(TableNotReadable, match="deletionVectors"):
        read_head(delta_lake, DELTA)


def _carrying(checkpoint: Checkpoint):
    return CommitProperties(custom_metadata={"userMetadata": delta_user_metadata(checkpoint)})

"""Raw as DMS writes it: its folders and names, an empty sequence in LOAD files, reloads that write over them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autocorp_assets.contracts.raw_format import EXTENSION, SEQUENCE
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change

pytestmark = pytest.mark.spark

TABLE = "service_parts"


def row(number: int, quantity: int) -> dict[str, object]:
    return {"service_part_id": number, "sku": "sku", "quantity": quantity}


def load_file(lake: Lake, name: str, rows: list[dict[str, object]]) -> None:
    path = lake.raw.load_file(TABLE, name, rows)
    written = pq.read_table(path)
    pq.write_table(written.append_column(SEQUENCE, pa.array([""] * written.num_rows, pa.string())), path)


def change(lake: Lake, path: str, changes: list[Change]) -> None:
    written = lake.raw.put(TABLE, path, changes)
    pq.write_table(pq.read_table(written).drop_columns([EXTENSION]), written)


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    """Two LOAD files, and changes of after them, one of which the load holds already."""
    load_file(lake, "LOAD00000001.parquet", [row(1, 10), row(2, 20)])
    load_file(lake, "LOAD00000002.parquet", [row(3, 30)])
    lake.raw.announce(TABLE, ["LOAD00000001.parquet", "LOAD00000002.parquet"], rows=3, generation=1)
    change(
        lake,
        "2026/01/01/20260101-000001000.parquet",
        [Change("U", 1, row(1, 11)), Change("U", 2, row(3, 30)), Change("I", 3, row(4, 40))],
    )
    return lake


def test_load_changes_a_failover_and_a_reload_come_to_the_source(loaded: Lake):
    report = loaded.curate(TABLE)

    assert loaded.rows(TABLE, "quantity") == {1: 11, 2: 20, 3: 30, 4: 40}
    assert sum(file.quarantined for file in report.files) == 0
    sequences = loaded.rows(TABLE, "change_seq")
    assert len({len(sequence) for sequence in sequences.values()}) == 1, "the order is by text of one width"

    change(loaded, "2026/01/01/20260101-000002000.parquet", [Change("U", 4, row(1, 12)), Change("D", 5, row(2, 0))])
    loaded.curate(TABLE)
    # After a failover earlier changes come again, under a newer name.
    change(loaded, "2026/01/01/20260101-000003000.parquet", [Change("U", 1, row(1, 11)), Change("I", 3, row(4, 40))])
    loaded.curate(TABLE)

    assert loaded.rows(TABLE, "quantity") == {1: 12, 3: 30, 4: 40}

    # A reload writes over the first file, and leaves the second of the longer load before.
    load_file(loaded, "LOAD00000001.parquet", [row(1, 99), row(4, 40)])
    loaded.raw.announce(TABLE, ["LOAD00000001.parquet"], rows=2, generation=2, before=10)
    loaded.curate(TABLE)

    assert loaded.rows(TABLE, "quantity") == {1: 99, 4: 40}
    assert loaded.plan(TABLE).is_empty


def test_a_reload_before_the_first_load_was_curated_takes_its_place(loaded: Lake):
    load_file(loaded, "LOAD00000001.parquet", [row(1, 99), row(4, 40)])
    loaded.raw.announce(TABLE, ["LOAD00000001.parquet"], rows=2, generation=2, before=10)

    loaded.curate(TABLE)

    assert loaded.rows(TABLE, "quantity") == {1: 99, 4: 40}

"""Listings of the raw zone: what counts, in every layout, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autocorp_assets.contracts.raw_format import LOAD_MANIFESTS, feed_prefix, table_prefix
from autocorp_assets.lake.storage import LakeStorage

CHANGE = "20241121-103005123-0000000001-00.parquet"


@pytest.fixture
def lake(tmp_path: Path) -> LakeStorage:
    return LakeStorage(tmp_path)


def put(lake: LakeStorage, path: str, content: str = "x") -> None:
    file = Path(lake.root) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def put_manifest(lake: LakeStorage, generation: int, **files: list[str]) -> None:
    tables = {table: {"rows": 1, "files": names} for table, names in files.items()}
    manifest = {
        "generation": generation,
        "start_sequence": f"{generation:035d}",
        "started_at": "2024-11-21T10:00:00Z",
        "completed_at": "2024-11-21T10:01:00Z",
        "tables": tables,
    }
    put(lake, f"{LOAD_MANIFESTS}/{generation:06d}.json", json.dumps(manifest))


def put_delivery(lake: LakeStorage, name: str, content: str, *, size: int | None = None) -> None:
    put(lake, f"raw/csv/customers/{name}", content)
    receipt = {"size": len(content) if size is None else size, "sha256": f"sha of {name}"}
    put(lake, f"raw/csv/_receipts/customers/{name}.json", json.dumps(receipt))


@pytest.mark.parametrize("folder", ["", "2024/11/21/", "year=2024/month=11/day=21/", "elsewhere/"])
def test_a_change_file_counts_in_every_layout_of_folders(lake: LakeStorage, folder: str):
    put(lake, f"raw/database/service/{folder}{CHANGE}")
    assert [file.path for file in lake.change_files("service")] == [f"{folder}{CHANGE}"]
    assert [file.path for file in lake.change_files("service", "20241121")] == [f"{folder}{CHANGE}"]


@pytest.mark.parametrize(
    "path",
    [
        "LOAD00000001.parquet",
        f"_{CHANGE}",
        f".{CHANGE}.part",
        f"_staging/{CHANGE}",
        f"2024/11/21/.tmp/{CHANGE}",
        "2024/11/21/notes.txt",
    ],
)
def test_load_files_and_staging_names_are_no_change_files(lake: LakeStorage, path: str):
    put(lake, f"raw/database/service/{path}")
    assert lake.change_files("service") == []
    assert lake.change_files("service", "20241120") == []


@pytest.mark.parametrize("form", ["{y}/{m}/{d}", "year={y}/month={m}/day={d}"])
def test_folders_before_the_day_asked_for_are_left_out(lake: LakeStorage, form: str):
    days = ("20231231", "20241031", "20241120", "20241121", "20241122", "20241201", "20250101")
    for day in days:
        put(lake, f"raw/database/service/{form.format(y=day[:4], m=day[4:6], d=day[6:])}/{day}-000000000.parquet")
    assert [file.name[:8] for file in lake.change_files("service", "20241121")] == list(days[3:])
    assert len(lake.change_files("service")) == len(days)


def test_what_does_not_exist_is_empty(lake: LakeStorage):
    assert lake.change_files("service") == []
    assert lake.change_files("service", "20241121") == []
    assert lake.loads("service") == []
    assert lake.deliveries("customers") == []
    assert lake.raw_files(table_prefix("service")) == []


def test_a_url_reads_what_the_path_reads(lake: LakeStorage):
    put(lake, f"raw/database/service/2024/11/21/{CHANGE}")
    assert LakeStorage(Path(lake.root).as_uri()).change_files("service") == lake.change_files("service")


def test_raw_files_tell_size_and_time(lake: LakeStorage):
    put(lake, "raw/csv/customers/customers-20241121.csv", "12345")
    (file,) = lake.raw_files(feed_prefix("customers"))
    assert (file.path, file.name, file.size) == (
        "raw/csv/customers/customers-20241121.csv",
        "customers-20241121.csv",
        5,
    )
    assert abs(datetime.now(UTC) - file.modified) < timedelta(minutes=1)


def test_manifests_are_those_that_name_the_table_in_order(lake: LakeStorage):
    put_manifest(lake, 2, service=["LOAD00000003.parquet"])
    put_manifest(lake, 1, service=["LOAD00000001.parquet"], auto_parts=[])
    put(lake, f"{LOAD_MANIFESTS}/.000003.json.part", "{")
    assert [(m.generation, m.files) for m in lake.loads("service")] == [
        (1, ("LOAD00000001.parquet",)),
        (2, ("LOAD00000003.parquet",)),
    ]
    (empty,) = lake.loads("auto_parts")
    assert empty.files == ()
    assert empty.started_at == datetime(2024, 11, 21, 10, tzinfo=UTC)


def test_a_manifest_that_is_not_whole_is_named_with_both_ways_out(lake: LakeStorage):
    put(lake, f"{LOAD_MANIFESTS}/000001.json", '{"generation": 1')
    with pytest.raises(ValueError, match=r"_load/000001\.json is not a whole JSON object.*autocorp reload service"):
        lake.loads("service")


def test_a_manifest_that_is_not_whole_stops_only_tables_that_no_later_load_has_taken_in(lake: LakeStorage):
    put_manifest(lake, 1, service=["LOAD00000001.parquet"], auto_parts=["LOAD00000001.parquet"])
    put(lake, f"{LOAD_MANIFESTS}/000002.json", '{"generation": 2')
    put_manifest(lake, 3, service=["LOAD00000002.parquet"])
    problems: dict[str, str] = {}

    plans = lake.pending_plans(["auto_parts", "service"], on_unreadable=problems.__setitem__)

    assert [file.name for file in plans["service"].files] == ["LOAD00000001.parquet", "LOAD00000002.parquet"]
    assert list(problems) == ["auto_parts"]
    assert "000002.json" in problems["auto_parts"]


def test_a_delivery_shows_once_its_receipt_states_its_size(lake: LakeStorage):
    put_delivery(lake, "customers-20241121.csv", "whole")
    put_delivery(lake, "customers-20241122.csv", "still being replaced", size=3)
    put(lake, "raw/csv/customers/customers-20241123.csv", "without receipt")
    put_delivery(lake, "people-20241121.csv", "of no feed")
    (delivery,) = lake.deliveries("customers")
    assert (delivery.name, delivery.day, delivery.size, delivery.etag) == (
        "customers-20241121.csv",
        "20241121",
        5,
        "sha of customers-20241121.csv",
    )
    assert delivery.path == "raw/csv/customers/customers-20241121.csv"


def test_the_plan_of_a_new_lake_takes_in_loads_changes_and_deliveries(lake: LakeStorage):
    put_manifest(lake, 1, customers=["LOAD00000001.parquet"])
    put(lake, f"raw/database/customers/year=2024/month=11/day=21/{CHANGE}")
    put_delivery(lake, "customers-20241121.csv", "whole")
    plans = lake.pending_plans(["customers", "service"])
    assert [file.name for file in plans["customers"].files] == [
        "LOAD00000001.parquet",
        CHANGE,
        "customers-20241121.csv",
    ]
    assert plans["customers"].base_commit is None
    assert plans["service"].is_empty


def test_a_code_location_loads_listings_without_the_readers():
    """Dagster imports this module in every process that it starts."""
    heavy = {"pyarrow", "hudi", "deltalake", "duckdb", "pyspark", "polars"}
    program = "import sys, autocorp_assets.lake.storage; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert heavy & set(loaded.split()) == set()

"""Where a row came from, told from raw alone and from a lake that a real run has curated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES
from autocorp_assets.settings import Settings
from autocorp_assets_tests.spark_jobs.lake import Lake
from autocorp_assets_tests.spark_jobs.raw_zone import Change, RawZone

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PEOPLE = "first_name,last_name,email,phone,address,city,state,zip\n"


@pytest.fixture
def raw(tmp_path, monkeypatch) -> RawZone:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return RawZone(Settings().lake_folder)


def trace(*arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Versions by record."""
    result = CliRunner().invoke(app, ["trace", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return {record["record_key"]: record["versions"] for record in json.loads(result.stdout)["records"]}


def fates(versions: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(version["operation"], version["became"].split(":")[0]) for version in versions]


def test_every_version_in_raw_is_found_with_its_file_place_and_time(raw):
    raw.load("auto_parts", [{"sku": "OIL", "name": "Oil"}, {"sku": "PAD", "name": "Pad", "description": "long"}])
    later = Change("U", 7, {"sku": "PAD", "name": "Brake pad"}, unchanged=("description",))
    raw.change_file("auto_parts", [Change("U", 6, {"sku": "OIL"}), later], second=20)
    raw.change_file("auto_parts", [Change("D", 9, {"sku": "PAD"})], second=30)

    versions = trace("auto_parts", "PAD")["PAD"]

    assert [(v["operation"], v["file"].rsplit("/", 1)[-1], v["position"]) for v in versions] == [
        ("load", "LOAD00000001.parquet", 1),
        ("update", "20241121-100020000-0000000020-00.parquet", 1),
        ("delete", "20241121-100030000-0000000030-00.parquet", 0),
    ]
    assert versions[0]["at"] == "2024-11-21 10:00:00+00:00"
    assert (versions[1]["changed"], versions[1]["unchanged"]) == (["name"], ["description"])
    assert {version["became"] for version in versions} == {"pending: the next run takes it in"}
    shown = CliRunner().invoke(app, ["trace", "auto_parts", "PAD"])
    assert "auto_parts PAD: not in the lake" in shown.stdout
    assert 'name "Brake pad", description unchanged (its large value was not sent)' in shown.stdout


def test_a_key_that_never_occurred_is_told(raw):
    raw.load("service_parts", [{"service_part_id": 1}])
    raw.csv("customers", "20241121", PEOPLE)
    for table, key in (("service_parts", "7"), ("service_parts", "no number"), ("customers", "ada@example.org")):
        result = CliRunner().invoke(app, ["trace", table, key])
        assert (result.exit_code, result.stdout) == (1, ""), key
        assert f"{key} never occurred in {table}" in result.stderr


def test_an_order_number_names_the_orders_of_both_systems(raw):
    raw.load("sales_order", [{"order_id": 17}])
    header = "order_id,customer_id,order_date,invoice_number,subtotal\n"
    raw.csv("sales_orders", "20241121", f'{header}" 17 ",1,2024-01-02,"INV,\n1","1,234.50"\n\n$17.0,2,,,\n"1,7",3,,,\n')

    records = trace("sales_order", "17")

    assert [(v["position"], v["values"]["subtotal"]) for v in records["csv:17"]] == [(1, "1,234.50"), (2, None)]
    assert len(records["db:17"]) == 1
    assert list(trace("sales_order", "db:17")) == ["db:17"]
    assert list(trace("sales_order", "csv:17")) == ["csv:17"]


def test_lines_of_an_order_are_numbered_as_the_lake_does(raw):
    raw.csv("sales_order_parts", "20241121", "order_id,sku,quantity\n17,A,1\n18,B,1\n17,C,2\n")

    records = trace("sales_order_parts", "csv:17")

    assert {key: versions[0]["values"]["sku"] for key, versions in records.items()} == {
        "csv:17:1": "A",
        "csv:17:2": "C",
    }
    assert list(trace("sales_order_parts", "csv:17:2")) == ["csv:17:2"]


def test_a_damaged_file_is_named_and_the_rest_is_searched(raw):
    raw.load("auto_parts", [{"sku": "PAD"}])
    file = raw.change_file("auto_parts", [Change("U", 6, {"sku": "PAD"})], second=20)
    file.write_bytes(file.read_bytes()[:-10])

    result = CliRunner().invoke(app, ["trace", "auto_parts", "PAD"])

    assert result.exit_code == 0
    assert f"not searched: {file.relative_to(raw.lake)}: not a whole Parquet file" in result.stderr


@pytest.mark.spark
def test_a_row_of_a_curated_lake_tells_what_became_of_each_version(raw, spark: SparkSession):
    lake = Lake(Path(raw.lake), spark)
    ada = {"customer_id": 7, "first_name": "Ada", "last_name": "Byron", "email": "ada@example.org", "state": "TX"}
    raw.load("customers", [ada, {**ada, "customer_id": 8}])
    raw.change_file("customers", [Change("U", 5, {**ada, "state": "FL"}), Change("D", 6, {"customer_id": 8})], second=9)
    una = "U,N,una@example.org,1,,,TX,\n"
    first = raw.csv("customers", "20241121", f"{PEOPLE}{una}A,B,ada@example.org,1,,,TX,\nE,L,eve@example.org,1,,,TX,\n")
    raw.csv("customers", "20241122", f"{PEOPLE}A,,ada@example.org,1,,,TX,\n")
    lake.curate("customers")

    raw.change_file("customers", [Change("U", 8, ada)], second=12)
    (ours,) = trace("customers", "7").values()
    assert fates(ours) == [
        ("load", "superseded by a later version"),
        ("update", "in the lake"),
        ("update", "pending"),
    ]
    assert (ours[1]["changed"], ours[1]["values"]["email"], ours[1]["values"]["state"]) == (["state"], "•••", "FL")
    (gone,) = trace("customers", "db:8", "--personal").values()
    assert fates(gone) == [("load", "superseded by a later version"), ("delete", "applied")]
    assert gone[0]["values"]["email"] == "ada@example.org"
    assert exported("ada") == ["in the lake", "in quarantine"]
    assert kept_out() == 1

    # The file that was kept out is mended, and so is the one before it, whose old content is kept aside.
    aside = raw.lake / SUPERSEDED_DELIVERIES / "customers" / f"abc-{first.name}"
    aside.parent.mkdir(parents=True)
    first.rename(aside)
    raw.csv("customers", "20241121", f"{PEOPLE}{una}A,B, Ada@example.org,1,,,TX,\nE,L,eve@example.org,2,,,TX,\n")
    raw.csv("customers", "20241122", f"{PEOPLE}A,B,ada@example.org,3,,,TX,\n")
    lake.curate("customers")

    assert exported("ada") == ["superseded", "superseded by a later version", "in the lake"]
    assert exported("eve") == ["superseded", "in the lake"]
    assert exported("una") == ["in the lake", "unchanged"]
    assert kept_out() == 0, "a row leaves quarantine when its file is judged again"
    audit = json.loads(CliRunner().invoke(app, ["audit", "--table", "customers", "--json"]).stdout)
    assert {(file["state"], file["quarantined"]) for file in audit["files"]} == {("accounted for", 0)}
    shown = CliRunner().invoke(app, ["trace", "customers", "eve@example.org"])
    assert "in the lake, from raw/csv/customers/customers-20241121.csv, commit 20" in shown.stdout
    assert "eve@example.org" not in shown.stdout


def exported(name: str) -> list[str]:
    """What became of each version of a person in the exports, whatever case and blanks the key is given in."""
    (versions,) = trace("customers", f" {name.title()}@Example.org").values()
    return [fate for _, fate in fates(versions)]


def kept_out() -> int:
    result = CliRunner().invoke(app, ["quarantine", "list", "--json"])
    return json.loads(result.stdout)["tables"]["customers"]["rows"]

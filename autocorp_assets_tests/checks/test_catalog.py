"""Contract, stored table and query catalogue are compared, and each difference says what to do."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from autocorp_assets.checks.catalog import catalog_checks, compare
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import Column
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.resources.local_catalog import LocalCatalog
from autocorp_assets.resources.ports.catalog import CatalogError, CatalogTable
from autocorp_assets_tests.lake.lake_writer import LakeWriter

SERVICE = TABLES["service"]
STORED = {column.name: column.type for column in SERVICE.lake_columns}
CATALOGUE = CatalogTable(columns=STORED, remedy="mend it")


def seen(**changes: str) -> CatalogTable:
    return replace(CATALOGUE, columns={**STORED, **changes})


def test_the_same_everywhere_is_nothing_to_tell():
    findings = compare(SERVICE, stored=STORED, catalogue=CATALOGUE)

    assert (findings.errors, findings.warnings) == ((), ())


def test_a_column_that_only_the_contract_lacks_is_a_warning():
    findings = compare(SERVICE, stored={**STORED, "months": "int"}, catalogue=seen(months="int"))

    assert findings.errors == ()
    assert findings.warnings == (
        "column months (int) is in the table and not in the contract: add it there, or drop it in the source",
    )


def test_a_column_that_the_table_lacks_or_holds_as_another_type_is_an_error_with_its_remedy():
    stored = {**STORED, "labor_minutes": "bigint"}
    del stored["category"]

    findings = compare(SERVICE, stored=stored, catalogue=CATALOGUE)

    missing, retyped = findings.errors
    assert missing.startswith("column category (string) is missing in the table: run `curated/service`")
    assert retyped.startswith("column labor_minutes is bigint in the table and int in the contract: run")


def test_a_column_that_the_catalogue_hides_or_makes_up_is_an_error():
    findings = compare(SERVICE, stored={**STORED, "months": "int"}, catalogue=seen(labor_cost="double", op="string"))

    hidden, retyped, invented = sorted(findings.errors, key=lambda error: ("months" not in error, error))
    assert "months is missing in the query catalogue, not int: mend it" in hidden
    assert "labor_cost is double in the query catalogue, not decimal(19,2)" in retyped
    assert invented == "column op of the query catalogue is neither in table nor contract: mend it"


def test_a_table_that_the_catalogue_lacks_or_has_otherwise_is_an_error():
    (lacking,) = compare(SERVICE, stored=STORED, catalogue=None).errors
    (otherwise,) = compare(SERVICE, stored=STORED, catalogue=replace(CATALOGUE, complaints=("it is elsewhere",))).errors

    assert lacking == "the table is not in the query catalogue: run `curated/service` once more, which enters it"
    assert otherwise == "it is elsewhere"


def test_a_hudi_table_that_the_catalogue_lacks_is_entered_by_its_next_commit_not_by_a_run_that_finds_nothing():
    customers = TABLES["customers"]
    stored = {column.name: column.type for column in customers.lake_columns}

    (lacking,) = compare(customers, stored=stored, catalogue=None).errors

    assert lacking.startswith("the table is not in the query catalogue: its next commit enters it")


def test_names_in_lower_case_and_times_without_zone_are_the_same():
    stored = {**STORED, "Months": "int", "until": "timestamp_ntz"}

    findings = compare(SERVICE, stored=stored, catalogue=seen(months="int", until="timestamp"))

    assert findings.errors == ()


def test_a_catalogue_that_cannot_be_asked_is_a_warning_that_says_so(tmp_path):
    class Silent:
        def describe(self, tables):
            raise CatalogError("Glue does not answer")

    rows = pa.table({"serviceid": ["a"]})
    write_deltalake(tmp_path / SERVICE.lake_path, rows)

    result = results({"service": SERVICE}, LakeStorage(tmp_path), Silent())["service"]

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.description == "the query catalogue could not be compared: Glue does not answer"


def results(contracts, lake: LakeStorage, catalog: object = None) -> dict[str, dg.AssetCheckEvaluation]:
    resources = {"lake": lake, "catalog": catalog or LocalCatalog(lake=lake.root)}
    definitions = dg.Definitions(asset_checks=[catalog_checks(contracts)], resources=resources)
    job = definitions.resolve_implicit_global_asset_job_def()
    evaluations = job.execute_in_process().get_asset_check_evaluations()
    return {evaluation.asset_key.path[-1]: evaluation for evaluation in evaluations}


@pytest.mark.spark
def test_real_tables_of_both_formats_agree_and_a_column_that_the_contract_drops_is_told(spark, tmp_path):
    writer = LakeWriter(spark, tmp_path)
    writer.commit("service", {"serviceid": "a", "labor_minutes": 1})
    writer.commit("sales_order_parts", {"line_item_id": 1, "order_id": 1, "quantity": 1})
    contracts = {name: TABLES[name] for name in ("service", "sales_order_parts", "customers")}

    found = results(contracts, LakeStorage(tmp_path))

    assert {name: (result.passed, result.description) for name, result in found.items()} == {
        "service": (True, None),
        "sales_order_parts": (True, None),
        "customers": (True, "the table does not exist yet"),
    }
    added = Column(name="warranty", source_type="INT", description="Months.")
    contracts = {"service": replace(SERVICE, columns=(*SERVICE.columns[:-1], added))}
    result = results(contracts, LakeStorage(tmp_path))["service"]
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "column warranty (int) is missing in the table" in (result.description or "")
    assert "column labor_cost (decimal(19,2)) is in the table and not in the contract" in (result.description or "")

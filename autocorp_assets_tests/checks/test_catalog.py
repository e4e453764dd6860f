"""Contract, stored table and query catalogue are compared, and each difference says what to do."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest

from autocorp_assets.checks.catalog import catalog_checks, compare
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import Column
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets_tests.lake.lake_writer import LakeWriter

SERVICE = TABLES["service"]
STORED = {column.name: column.type for column in SERVICE.lake_columns}
CATALOGUE = {name: {"string": "varchar", "int": "integer"}.get(of, of) for name, of in STORED.items()}
"""As DESCRIBE tells it."""


def test_the_same_everywhere_is_nothing_to_tell():
    findings = compare(SERVICE, stored=STORED, catalogue=CATALOGUE)

    assert (findings.errors, findings.warnings) == ((), ())


def test_a_column_that_only_the_contract_lacks_is_a_warning():
    findings = compare(SERVICE, stored={**STORED, "months": "int"}, catalogue={**CATALOGUE, "months": "integer"})

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
    catalogue = {**CATALOGUE, "labor_cost": "double", "op": "varchar"}

    findings = compare(SERVICE, stored={**STORED, "months": "int"}, catalogue=catalogue)

    hidden, retyped, invented = sorted(findings.errors, key=lambda error: ("months" not in error, error))
    assert "months is missing in the query catalogue, not integer" in hidden
    assert "labor_cost is double in the query catalogue, not decimal(19,2)" in retyped
    assert invented == "column op of the query catalogue is neither in table nor contract"


def results(contracts, lake: LakeStorage) -> dict[str, dg.AssetCheckEvaluation]:
    definitions = dg.Definitions(asset_checks=[catalog_checks(contracts)], resources={"lake": lake})
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

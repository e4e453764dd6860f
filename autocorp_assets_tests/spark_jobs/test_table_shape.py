"""Columns that the contract does not name: their names, their types, their places."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.model import Column
from spark_jobs.raw_files import RawFiles
from spark_jobs.table_shape import Misfit, SchemaError, lake_name, misfits, retyped, shaped, source_names

SERVICE = TABLES["service"]  # Delta
LINES = TABLES["sales_order_parts"]  # Hudi


def files(unreadable: dict[str, str] | None = None, **types: str) -> RawFiles:
    return RawFiles(paths=("raw/database/t/f.parquet",), types={"Op": "string", **types}, unreadable=unreadable or {})


def unnamed(contract, stored=None, *groups: RawFiles) -> dict[str, str]:
    shape = shaped(contract, stored or {}, groups)
    assert shape.lake_columns[: len(contract.lake_columns)] == contract.lake_columns
    return {column.name: column.type for column in shape.unnamed_columns}


def stored_as(contract) -> dict[str, str]:
    return {column.name: column.type for column in contract.lake_columns}


def test_columns_of_the_table_come_first_then_those_that_some_file_brings():
    stored = {**stored_as(SERVICE), "old": "int"}

    assert unnamed(SERVICE, stored, files(serviceid="string"), files(b="string", old="int"), files(a="smallint")) == {
        "old": "int",
        "b": "string",
        "a": "int",
    }


def test_a_run_without_files_keeps_what_is_stored():
    assert unnamed(SERVICE, {**stored_as(SERVICE), "old": "int"}) == {"old": "int"}


@pytest.mark.parametrize(
    ("source", "lake"),
    [
        ("warranty_months", "warranty_months"),
        ("Net Price", "net_price"),
        ("grösse", "gr_sse"),
        ("Category", "source_category"),
        ("changed_at", "source_changed_at"),
        ("op", "source_op"),
        ("_deleted", "source__deleted"),
        ("_hoodie_commit_time", "source__hoodie_commit_time"),
        ("2nd", "source_2nd"),
    ],
)
def test_names_are_such_that_athena_reads_them_and_nothing_of_ours_is_hidden(source, lake):
    assert lake_name(source, SERVICE) == lake
    assert source_names(shaped(SERVICE, {}, [files({}, **{source: "string"})]))[source].name == lake


def test_two_columns_that_would_be_one_are_told_with_both_names_and_the_file():
    with pytest.raises(SchemaError, match=r"net price and Net_Price would both be net_price .*f\.parquet"):
        shaped(SERVICE, {}, [files(**{"net price": "int", "Net_Price": "int"})])


def test_types_of_one_batch_are_joined_and_a_delta_table_follows_them():
    assert unnamed(SERVICE, {}, files(x="int"), files(x="bigint")) == {"x": "bigint"}
    assert unnamed(SERVICE, {**stored_as(SERVICE), "x": "decimal(10,2)"}, files(x="decimal(12,2)")) == {
        "x": "decimal(12,2)"
    }


def test_a_hudi_table_follows_where_hudi_can_and_judges_the_values_otherwise():
    stored = {**stored_as(LINES), "x": "int", "y": "decimal(10,2)"}

    assert unnamed(LINES, stored, files(x="bigint", y="decimal(12,2)")) == {"x": "bigint", "y": "decimal(10,2)"}


def test_columns_without_a_way_are_told_with_both_types():
    shape = shaped(LINES, {**stored_as(LINES), "x": "double"}, [])
    group = files({"created_at": "int64 (TIMESTAMP(NANOS,false))"}, quantity="string", x="string", sku="string")

    assert misfits(replace(shape), group) == [
        Misfit(column="created_at", raw_type="int64 (TIMESTAMP(NANOS,false))", wanted=""),
        Misfit(column="quantity", raw_type="string", wanted="int"),
        Misfit(column="x", raw_type="string", wanted="double"),
    ]


def test_a_contract_that_names_a_column_otherwise_changes_the_stored_type_or_says_that_it_cannot():
    named = Column(name="x", source_type="MONEY", description="Price.")
    stored = {"x": "decimal(38,4)"}

    assert retyped(replace(SERVICE, columns=(*SERVICE.columns, named)), stored_as(SERVICE) | stored) == {
        "x": "decimal(19,2)"
    }
    with pytest.raises(SchemaError, match=r"x as decimal\(38,4\).*decimal\(19,2\).*autocorp rebuild sales_order_parts"):
        retyped(replace(LINES, columns=(*LINES.columns, named)), stored_as(LINES) | stored)


def test_the_version_of_a_contract_is_that_of_what_is_written_in_it():
    assert shaped(SERVICE, {}, [files(x="int")]).version == SERVICE.version

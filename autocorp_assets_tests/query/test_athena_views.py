"""Views as Athena gets them: in order, without comments before them, and known by what they are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot

from autocorp_assets.contracts import TABLES
from autocorp_assets.query import athena_views as module
from autocorp_assets.query.athena_views import AthenaView, athena_views
from autocorp_assets.query.view_files import view_files


def by_name(folder: Path | None = None) -> dict[str, AthenaView]:
    return {view.name: view for view in (athena_views(folder) if folder else athena_views())}


def test_there_is_one_for_each_contract_and_each_file():
    assert set(by_name()) == {*TABLES, *(file.name for file in view_files())}


def test_a_tables_view_has_exactly_the_contracts_columns():
    view = by_name()["customers"]

    query = sqlglot.parse_one(view.statement, read="athena").expression
    assert query.named_selects == [column.name for column in TABLES["customers"].columns]
    assert (view.tables, view.description) == ({"customers"}, TABLES["customers"].description)


def test_statements_begin_with_what_athena_tells_them_by_and_end_without_semicolon(tmp_path: Path):
    (tmp_path / "one.sql").write_text(
        "-- What it is.\n\n-- More.\n"
        "CREATE OR REPLACE VIEW autocorp.one AS\nSELECT sku FROM autocorp_lake.auto_parts;\n"
    )

    one = by_name(tmp_path)["one"]

    assert one.statement == "CREATE OR REPLACE VIEW autocorp.one AS\nSELECT sku FROM autocorp_lake.auto_parts"
    assert all(view.statement.startswith("CREATE OR REPLACE VIEW autocorp.") for view in athena_views())


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """a reads b, which reads c."""
    for name, below in (("a", "autocorp.b"), ("b", "autocorp.c"), ("c", "autocorp_lake.auto_parts")):
        (tmp_path / f"{name}.sql").write_text(f"CREATE OR REPLACE VIEW autocorp.{name} AS SELECT sku FROM {below}")  # noqa: S608
    return tmp_path


def test_a_view_comes_after_those_that_it_reads_and_knows_the_tables_below(chain: Path):
    views = athena_views(chain)

    assert [view.name for view in views[-3:]] == ["c", "b", "a"]
    assert views[-1].tables == {"auto_parts"}


def test_a_change_of_a_view_changes_it_and_those_above_it_only(chain: Path, tmp_path_factory):
    before = by_name(chain)
    after_folder = tmp_path_factory.mktemp("after")
    for file in chain.iterdir():
        text = file.read_text()
        (after_folder / file.name).write_text(text.replace("sku", "sku, 1 AS one") if file.stem == "b" else text)

    after = by_name(after_folder)

    assert {name for name, view in after.items() if view.digest != before[name].digest} == {"a", "b"}


def test_a_column_of_another_type_changes_all_views_of_its_table(monkeypatch: pytest.MonkeyPatch):
    before, parts = by_name(), TABLES["auto_parts"]
    retyped = [replace(column, source_type="TEXT") if column.name == "price" else column for column in parts.columns]
    monkeypatch.setattr(module, "TABLES", {**TABLES, "auto_parts": replace(parts, columns=tuple(retyped))})

    after = by_name()

    changed = {name for name, view in after.items() if view.digest != before[name].digest}
    assert changed == {"auto_parts", "v_service_with_parts"}


def test_a_wrong_file_is_told_and_leaves_the_others_alone(tmp_path: Path):
    (tmp_path / "one.sql").write_text("CREATE OR REPLACE VIEW autocorp.one AS SELECT 1 FROM autocorp_lake.nothing")
    (tmp_path / "two.sql").write_text("CREATE OR REPLACE VIEW autocorp.two AS SELECT sku FROM autocorp_lake.auto_parts")

    views = by_name(tmp_path)

    assert "there is no table or view nothing" in (views["one"].error or "")
    assert views["one"].statement == ""
    assert views["two"].error is None

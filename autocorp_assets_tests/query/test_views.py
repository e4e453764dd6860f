"""A view whose SQL is wrong is nobody else's trouble. On an empty lake, with views of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocorp_assets.query.engine import LakeQuery
from autocorp_assets.query.errors import QueryError

VIEWS = {
    "v_good": "SELECT sku FROM autocorp_lake.auto_parts",
    "v_wrong": "SELECT nosuch FROM autocorp_lake.auto_parts",
    "v_above": "SELECT w.nosuch FROM autocorp.v_wrong AS w",
    "v_torn": "SELECT (",
}


@pytest.fixture
def lake(tmp_path: Path) -> LakeQuery:
    folder = tmp_path / "views"
    folder.mkdir()
    for name, sql in VIEWS.items():
        (folder / f"{name}.sql").write_text(f"CREATE OR REPLACE VIEW autocorp.{name} AS {sql}")
    return LakeQuery(tmp_path / "lake", views=folder)


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM v_good", "SELECT * FROM auto_parts", "SELECT * FROM autocorp_lake.service"]
)
def test_other_views_and_tables_answer_as_ever(lake: LakeQuery, sql: str):
    assert lake.run(sql).table.num_rows == 0


@pytest.mark.parametrize("view", ["v_wrong", "v_above"])
def test_who_asks_it_or_a_view_above_it_hears_what_is_wrong_with_which(lake: LakeQuery, view: str):
    with pytest.raises(QueryError, match=r"view v_wrong \(queries/views/v_wrong.sql\) is broken: .*nosuch"):
        lake.run(f"SELECT * FROM {view}")  # noqa: S608


def test_a_file_that_is_no_sql_is_told_by_its_name(lake: LakeQuery):
    with pytest.raises(QueryError, match=r"view v_torn \(queries/views/v_torn.sql\) is broken: v_torn.sql: "):
        lake.run("SELECT * FROM v_torn")


def test_views_that_read_each_other_in_a_circle_are_refused(tmp_path: Path):
    for name, other in (("v_hen", "v_egg"), ("v_egg", "v_hen")):
        sql = f"CREATE OR REPLACE VIEW autocorp.{name} AS SELECT * FROM autocorp.{other}"  # noqa: S608
        (tmp_path / f"{name}.sql").write_text(sql)

    with pytest.raises(ValueError, match="v_egg"):
        LakeQuery(tmp_path, views=tmp_path).run("SELECT 1")

"""Views in a folder of the test's own, over a small lake that needs no Spark."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from autocorp_assets.resources.local_query import LocalQuery
from autocorp_assets.resources.local_views import LocalViews
from autocorp_assets.resources.ports.views import Views as ViewsPort
from autocorp_assets.views.assets import view_assets
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from spark_jobs.checkpoint import Checkpoint

PRICES = """-- What each part costs,
-- twice over.
CREATE OR REPLACE VIEW autocorp.v_prices AS
SELECT sku, name AS part_name, price * 2 AS twice FROM autocorp_lake.auto_parts
"""
DEAR = """-- Parts that cost more than 50.
CREATE OR REPLACE VIEW autocorp.v_dear AS SELECT p.sku, p.twice FROM autocorp.v_prices AS p WHERE p.twice > 100
"""


class Views:
    """A folder of views, and the op that asks them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "views"
        self.folder.mkdir()

    def write(self, **sql: str) -> None:
        for name, text in sql.items():
            (self.folder / f"{name}.sql").write_text(text)

    def have_parts(self, *skus: str) -> None:
        rows = [{"sku": sku, "price": Decimal(60), "change_seq": "1"} for sku in skus]
        LedgerWriter(self.home / "lake", "auto_parts").commit(Checkpoint(revision=1), rows)

    def ask(self, views: ViewsPort | None = None) -> dg.ExecuteInProcessResult:
        assets = view_assets(condition=dg.AutomationCondition.eager(), folder=self.folder)
        query = LocalQuery(lake=self.home / "lake", views=self.folder)
        return dg.materialize(
            [assets], resources={"query": query, "views": views or LocalViews()}, raise_on_error=False
        )


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(tmp_path)

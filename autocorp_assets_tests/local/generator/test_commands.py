"""`autocorp simulate` and `autocorp exports`, as an operator types them."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.simulate import app
from autocorp_assets.local.generator.landing import MANIFESTS, FileManifest
from autocorp_assets.local.generator.seed import seed_database


@pytest.fixture
def landing(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_LANDING", str(tmp_path / "landing"))
    return tmp_path / "landing"


def run(*arguments: str):
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_exports_writes_four_files_and_tells_what_is_in_them(landing):
    code, output = run("exports", "--customers", "1200", "--orders", "1100", "--day", "20250131")
    told = FileManifest.read(landing, "sales_orders-20250131.csv")
    assert code == 0
    assert sorted(path.name for path in landing.iterdir()) == [
        MANIFESTS,
        "customers-20250131.csv",
        "sales_order_parts-20250131.csv",
        "sales_order_services-20250131.csv",
        "sales_orders-20250131.csv",
    ]
    line = next(line.split() for line in output.splitlines() if line.split()[0] == "sales_orders")
    assert line == [
        "sales_orders",
        *(f"{n:,}" for n in (told.rows, told.applied, sum(told.repaired.values()))),
        str(sum(told.quarantined.values())),
        str(told.duplicates + told.superseded),
    ]


def test_exports_can_be_clean_and_leave_the_customers_out(landing):
    assert run("exports", "--customers", "0", "--orders", "50", "--clean", "--day", "20250131")[0] == 0
    assert not (landing / "customers-20250131.csv").exists()
    assert FileManifest.read(landing, "sales_orders-20250131.csv").dirt == {}


def test_exports_of_nothing_is_wrong_usage(landing):
    assert run("exports", "--customers", "0", "--orders", "0")[0] == 2
    assert not landing.exists()


def test_simulate_changes_the_source_of_the_settings(database, monkeypatch):
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    code, output = run("simulate", "--orders", "3")
    with psycopg.connect(database) as connection:
        ((new,),) = connection.execute("SELECT count(*) FROM customers WHERE customer_id > 1149").fetchall()
    assert code == 0
    assert new > 0
    assert [line.split()[0] for line in output.splitlines()[-7:]] == [
        "auto_parts",
        "customers",
        "service",
        "service_parts",
        "sales_order",
        "sales_order_parts",
        "sales_order_services",
    ]

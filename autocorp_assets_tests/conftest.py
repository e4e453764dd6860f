"""What tests of all parts share: settings of an empty data folder, one PostgreSQL and one Spark session."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import conninfo, sql

from autocorp_assets.local.source.postgres import EmbeddedPostgres
from autocorp_assets.resources.aws import clients
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.server import LAKE_BUCKET, FakeAws, run_server
from autocorp_assets_tests.sharing import SlowGroups

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from xdist.remote import Producer


COMPILED_LATE = " ".join(
    f"-XX:Tier4{name}={calls}"
    for name, calls in {
        "InvocationThreshold": 20_000,
        "MinInvocationThreshold": 2_400,
        "CompileThreshold": 60_000,
        "BackEdgeThreshold": 160_000,
    }.items()
)
"""Four times what a method takes to be compiled in full, on which a session of minutes spends half of its CPU."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SlowGroups:
    """With `--numprocesses`, as `make test` has it."""
    return SlowGroups(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        metavar="FOLDER",
        help="where the tests in e2e/browser put pictures of the pages; `make screenshots` makes those of README.md",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow groups first, so that neither is left for the end."""
    order = ("spark", "e2e")
    items.sort(
        key=lambda item: next((at for at, name in enumerate(order) if item.get_closest_marker(name)), len(order))
    )


@pytest.fixture(autouse=True)
def no_dagster_home_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headless commands leave theirs in the environment, where the aws deployment would take it for a shared one."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder of the test's own; jars come from the user's cache."""
    return Settings(home=tmp_path)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[FakeAws]:
    """AWS for the whole process; use `aws`, which is empty at first."""
    with run_server() as server:
        yield server


@pytest.fixture
def aws(aws_server: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An empty AWS, to which everything that this test starts talks; with one bucket, `LAKE_BUCKET`."""
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    aws_server.forget_everything()
    aws_server.make_bucket(LAKE_BUCKET)
    aws_server.faults.clear()
    return aws_server


@pytest.fixture
def aws_settings(aws: FakeAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings of the deployment in that AWS, with the names that the infrastructure gives."""
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", f"s3://{LAKE_BUCKET}/lake")
    return Settings(deployment="aws", home=tmp_path)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session that local jobs have, with real Hudi and Delta. For tests marked `spark`.

    Shared, since starting takes seconds: use paths of your own, and `spark.newSession()` before changing
    its configuration.
    """
    from autocorp_assets.local.spark_runtime import (
        INTERPRETED,
        JAVA_OPTIONS_KEY,
        prepare,
        spark_conf,
        spark_environment,
    )

    home = tmp_path_factory.mktemp("spark")
    settings = Settings(home=home)
    prepare(settings)
    conf = {**spark_conf(settings), **INTERPRETED}
    conf[JAVA_OPTIONS_KEY] += f" {COMPILED_LATE}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_environment(conf, home).items():
            patch.setenv(name, value)

        from pyspark.sql import SparkSession

        session = SparkSession.builder.appName("autocorp tests").getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """An empty, running server; `postgres.dsn` is its superuser's. It ends with the test process."""
    # Crashes of the machine are not tested, so nothing has to reach its disk.
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    server.start(guarded=True)
    yield server
    server.stop()


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Connection string of a fresh, empty database; gone afterwards with its connections and slots."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield conninfo.make_conninfo(postgres.dsn, dbname=name)
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
        admin.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", [name]
        )
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

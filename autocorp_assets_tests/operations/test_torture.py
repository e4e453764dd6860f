"""What the torture is made of: whom it kills, what it writes, and that it finds what is wrong."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
import pytest

from autocorp_assets.contracts import TABLES
from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.operations.own_folder import NotFreshError
from autocorp_assets.operations.torture.adversary import DEEDS, deleted_and_back
from autocorp_assets.operations.torture.run import MARKER, Torture, TortureReport
from autocorp_assets.operations.torture.verdict import TableVerdict
from autocorp_assets.operations.torture.victims import Victim, kind_of

PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize(
    ("words", "name", "kind"),
    [
        ([PYTHON, "-m", "autocorp_assets.local.replicator", "--lake", "/l"], "python3", Victim.REPLICATOR),
        ([PYTHON, "-m", "autocorp_assets.local.spark_runner", "spark_jobs/curate.py"], "python3", Victim.SPARK_JOB),
        (["/jdk/bin/java", "-cp", "x"], "java", Victim.SPARK_JVM),
        ([PYTHON, "-m", "dagster._daemon", "run"], "python3", Victim.DAEMON),
        ([PYTHON, "-m", "dagster_webserver", "--port", "1"], "python3", Victim.WEBSERVER),
        ([PYTHON, "-m", "dagster", "code-server", "start"], "python3", Victim.CODE_SERVER),
        ([PYTHON, "-m", "dagster", "api", "grpc", "--lazy"], "python3", Victim.CODE_SERVER),
        ([PYTHON, "-c", "from multiprocessing.spawn …", "--multiprocessing-fork"], "python3", Victim.RUN_WORKER),
        (["/x/bin/postgres", "-D", "/d"], "postgres", Victim.POSTMASTER),
        (["postgres: walwriter "], "postgres", Victim.BACKEND),
        ([PYTHON, "-c", "from autocorp_assets.cli.main import app; app()", "dev"], "python3", Victim.PLATFORM),
        # A guard dies with whom it guards; killed alone it would only be a way of killing that one politely.
        ([PYTHON, "-P", "/p/local/supervision.py", "--", PYTHON, "-m", "dagster._daemon"], "python3", None),
        ([PYTHON, "-m", "dagster", "dev"], "python3", None),
        ([], "kernel", None),
    ],
)
def test_each_process_of_the_platform_is_known_by_its_command_line(words, name, kind):
    assert kind_of(words, name) is kind


def test_every_deed_of_the_adversary_is_possible_in_any_order(database):
    seed_database(database)
    rng = random.Random(1)
    with psycopg.connect(database, autocommit=True) as connection:
        for deed in [*DEEDS, *rng.choices(list(DEEDS), k=40)]:
            with connection.transaction(), connection.cursor() as cursor:
                deed(cursor, rng)
        hot = connection.execute("SELECT count(*) FROM sales_order WHERE order_id >= 10000000").fetchone()
        large = connection.execute("SELECT max(pg_column_size(description)) FROM auto_parts").fetchone()

    assert hot is not None
    assert hot[0] > 0
    assert large is not None
    assert large[0] > 2100, "an update that leaves the description alone would carry it"
    assert deleted_and_back in DEEDS


def test_a_folder_that_no_torture_made_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(NotFreshError, match="--folder"):
        Torture(folder=tmp_path, minutes=1, seed=1, say=print).run()

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert MARKER not in {path.name for path in tmp_path.iterdir()}


def whole(**differences: int) -> list[TableVerdict]:
    return [
        TableVerdict(
            table=name, source_rows=1, lake_rows=1, csv_rows=0, commits=1, differences=differences.get(name, 0)
        )
        for name in TABLES
    ]


@pytest.mark.parametrize(
    ("report", "ok"),
    [
        (TortureReport(seed=1, folder="f", tables=whole()), True),
        (TortureReport(seed=1, folder="f", tables=whole(customers=1)), False),
        (TortureReport(seed=1, folder="f", tables=whole()[1:]), False),
        (TortureReport(seed=1, folder="f", tables=whole(), problems=["a delivery differs"]), False),
    ],
)
def test_only_a_whole_comparison_without_a_difference_is_good(report, ok):
    assert report.ok is ok
    assert report.to_dict()["ok"] is ok

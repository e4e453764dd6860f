"""What Spark needs on this machine is fetched once, verified, and put into one configuration."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import tenacity

from autocorp_assets.local import spark_jars
from autocorp_assets.local.spark_jars import Jar, JarError, default_repository, fetch_jars
from autocorp_assets.local.spark_runtime import (
    JAVA_OPTIONS_KEY,
    LIGHT_COMPILATION,
    compiled_lightly,
    spark_conf,
    spark_environment,
)
from autocorp_assets.settings import Settings
from spark_jobs.spark_conf import LAKE_SPARK_CONF

CONTENT = b"a jar" * 100_000
JAR = Jar(group="com.example.lake", artifact="table", version="1.0", sha256=hashlib.sha256(CONTENT).hexdigest())


class Repository:
    """A Maven repository on the loopback that counts what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        asked = self.requests

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
                """The tests' output is not the place."""

        self.file = folder / JAR.repository_path
        self.file.parent.mkdir(parents=True)
        self.file.write_bytes(CONTENT)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(spark_jars._download.retry, "wait", tenacity.wait_none())
    repository = Repository(tmp_path / "repository")
    thread = threading.Thread(target=repository.server.serve_forever)
    thread.start()
    yield repository
    repository.server.shutdown()
    thread.join()
    repository.server.server_close()


def test_a_missing_jar_is_fetched_once(repository: Repository, tmp_path: Path) -> None:
    for _ in range(2):
        (path,) = fetch_jars(tmp_path / "jars", repository=repository.url, jars=(JAR,))
        assert path.read_bytes() == CONTENT
    assert repository.requests == ["/com/example/lake/table/1.0/table-1.0.jar"]


def test_what_an_interrupted_fetch_left_is_replaced(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "table-1.0.jar.part").write_bytes(CONTENT[:1000])
    (path,) = fetch_jars(tmp_path, repository=repository.url, jars=(JAR,))
    assert path.read_bytes() == CONTENT
    assert not list(tmp_path.glob("*.part"))


def test_other_content_than_expected_never_gets_the_jars_name(repository: Repository, tmp_path: Path) -> None:
    repository.file.write_bytes(b"<html>Please log in</html>")
    with pytest.raises(JarError, match=r"not the expected table-1\.0\.jar.*AUTOCORP_MAVEN_REPOSITORY"):
        fetch_jars(tmp_path / "jars", repository=repository.url, jars=(JAR,))
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [".lock"]


def test_a_jar_that_is_not_there_is_an_error_that_says_what_to_do(repository: Repository, tmp_path: Path) -> None:
    repository.file.unlink()
    with pytest.raises(JarError, match=r"Could not fetch table-1\.0\.jar from http://.*: 404.*SSL_CERT_FILE"):
        fetch_jars(tmp_path / "jars", repository=repository.url, jars=(JAR,))
    assert len(repository.requests) == 1  # asking again would not help


def test_a_repository_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    monkeypatch.setattr(spark_jars._download.retry, "wait", tenacity.wait_none())
    monkeypatch.setattr(spark_jars._download.retry, "before", lambda _: attempts.append(1))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(JarError, match="HTTPS_PROXY"):
        fetch_jars(tmp_path, repository="http://127.0.0.1:9", jars=(JAR,))
    assert len(attempts) == spark_jars.ATTEMPTS


def test_two_processes_at_once_fetch_once(repository: Repository, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = {"repository": repository.url, "jars": (JAR,)}
    processes = [context.Process(target=fetch_jars, args=(tmp_path / "jars",), kwargs=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(repository.requests) == 1


def test_the_default_repository_is_the_one_that_spark_itself_would_use() -> None:
    url = requests.utils.urlparse(default_repository())
    assert url.scheme == "https"
    assert url.path == "/maven2/"


def test_configuration_is_what_the_lake_needs_and_what_the_machine_gives(settings: Settings) -> None:
    conf = spark_conf(settings)
    assert conf.items() >= LAKE_SPARK_CONF.items()
    assert conf["spark.master"].startswith("local[")
    assert all(isinstance(value, str) for value in conf.values())


def test_short_jobs_are_compiled_lightly_and_long_ones_in_full(settings: Settings) -> None:
    conf = spark_conf(settings)
    assert LIGHT_COMPILATION not in conf[JAVA_OPTIONS_KEY]
    assert LIGHT_COMPILATION in compiled_lightly(conf)[JAVA_OPTIONS_KEY]


def test_properties_survive_javas_escaping(tmp_path: Path) -> None:
    spark_environment({"spark.a": r"C:\n", "spark.b": "two\nlines"}, tmp_path)
    written = (tmp_path / "spark.properties").read_text()
    assert r"spark.a=C:\\n" in written
    assert r"spark.b=two\nlines" in written


@pytest.mark.spark
def test_a_session_reads_what_it_wrote_in_both_formats(spark, tmp_path: Path) -> None:
    rows = spark.createDataFrame([(1, "db"), (2, "db")], "id INT, part STRING")
    rows.write.format("delta").save(f"{tmp_path}/delta")
    rows.write.format("hudi").options(
        **{
            "hoodie.table.name": "t",
            "hoodie.datasource.write.recordkey.field": "id",
            "hoodie.datasource.write.precombine.field": "id",
            "hoodie.write.table.version": "6",
            "hoodie.write.auto.upgrade": "false",
            "hoodie.metadata.enable": "false",
        }
    ).save(f"{tmp_path}/hudi")
    for format_name in ("delta", "hudi"):
        stored = spark.read.format(format_name).load(f"{tmp_path}/{format_name}")
        assert sorted(row.id for row in stored.select("id").collect()) == [1, 2]


@pytest.mark.spark
def test_the_session_has_the_configuration_of_a_job(spark, settings: Settings) -> None:
    conf = dict(spark.sparkContext.getConf().getAll())
    for key in ("spark.driver.host", "spark.driver.memory", "spark.sql.session.timeZone", "spark.authenticate"):
        assert conf[key] == spark_conf(settings)[key]
    properties = spark.sparkContext._jvm.System
    assert properties.getProperty("user.timezone") == "UTC"
    assert properties.getProperty("java.version").startswith("17.")

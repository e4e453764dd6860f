"""What the local deployment needs of a machine, each missing thing with what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.local.spark_jars import JARS
from autocorp_assets.operations.doctor import local
from autocorp_assets.operations.doctor.finding import Finding, Status, failure_of
from autocorp_assets.operations.doctor.running import Check, run_checks
from autocorp_assets.operations.instance import prepare_home
from autocorp_assets.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings()


def bad(look: Callable[[Settings], Iterable[Finding]], settings: Settings) -> list[Finding]:
    return [finding for finding in look(settings) if finding.status is not Status.OK]


def test_a_machine_on_which_nothing_has_run_yet_passes_and_nothing_is_made(settings, monkeypatch):
    monkeypatch.setattr("autocorp_assets.operations.platform.require_free", lambda _: None)

    result = CliRunner().invoke(app, ["doctor", "--json"])

    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["ok"], report["deployment"]) == (True, "local")
    assert {finding["status"] for finding in report["findings"]} <= {"ok", "warning"}
    assert set(report["findings"][0]) == {"subject", "status", "found", "remedy"}
    assert not settings.home_folder.exists()


def test_the_table_names_what_is_wrong_and_its_remedy(settings, monkeypatch):
    monkeypatch.setenv("AUTOCORP_LANDING", "/nowhere/exports")

    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 1
    assert "/nowhere/exports does not exist" in result.stdout
    assert "→ mkdir -p /nowhere/exports, or correct AUTOCORP_LANDING" in result.stdout
    assert "1 failure" in result.stdout


@pytest.mark.parametrize(("free", "status"), [(100_000_000, Status.FAILURE), (3 * local.GIB, Status.WARNING)])
def test_a_disk_that_is_nearly_full(settings, monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    (found,) = bad(local.data_folder, settings)

    assert (found.subject, found.status) == ("disk", status)
    assert "AUTOCORP_HOME" in found.remedy


def test_a_data_folder_that_cannot_be_written(settings, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert [found.subject for found in bad(local.data_folder, settings)] == ["data folder"]


def test_jars_that_are_missing_are_fetched_by_the_first_run(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_CACHE", str(tmp_path))

    (found,) = bad(local.java_and_jars, Settings())

    assert (found.subject, found.status) == ("jars", Status.WARNING)
    assert JARS[0].file_name in found.found


def test_a_port_that_somebody_has(settings, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(local, "DEFAULT_PORT", taken.getsockname()[1])

        (found,) = bad(local.port, settings)
        assert found.status is Status.WARNING
        assert "autocorp dev --port" in found.remedy

        settings.home_folder.mkdir(parents=True)
        (settings.home_folder / ".platform.lock").write_text(str(os.getpid()))
        assert bad(local.port, settings) == []


def test_a_source_of_one_s_own_is_looked_at_before_it_is_used(settings, database, monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)

    found = bad(local.source, Settings())

    assert found
    assert all("has no table" in one.found for one in found)


def test_an_instance_that_cannot_be_read(settings):
    assert bad(local.dagster_instance, settings) == []
    home = prepare_home(settings)
    assert bad(local.dagster_instance, settings) == []
    (home / "dagster.yaml").write_text("run_storage: {module: nowhere, class: Nothing, config: {}}")

    (found,) = bad(local.dagster_instance, settings)

    assert "cannot be read" in found.found
    assert f"move {home} away" in found.remedy


def test_a_clock_that_has_gone_back(settings):
    settings.lake_folder.mkdir(parents=True)
    later = time.time() + 3600
    os.utime(settings.lake_folder, (later, later))

    (found,) = bad(local.clock, settings)

    assert found.status is Status.FAILURE
    assert "NTP" in found.remedy


def test_a_replicator_that_has_died(settings):
    settings.replication_folder.mkdir(parents=True)
    (settings.replication_folder / "status.json").write_text(json.dumps({"phase": "streaming", "pid": 1}))

    (found,) = bad(local.replicator, settings)

    assert found.status is Status.WARNING
    assert "autocorp dev" in found.remedy


def test_a_check_that_breaks_or_hangs_is_a_failure_and_the_others_go_on():
    def broken(*_: object) -> list[Finding]:
        raise KeyError("shape")

    def hangs() -> list[Finding]:
        time.sleep(5)
        return []

    good = Finding(subject="good", status=Status.OK, found="yes")
    checks = [
        Check(subject="broken", look=broken),
        Check(subject="hangs", look=hangs),
        Check(subject="good", look=lambda: [good]),
    ]
    began = time.monotonic()

    found = run_checks(checks, on_progress=lambda _: None, seconds=0.3)

    assert time.monotonic() - began < 2
    assert [(one.subject, one.status) for one in found] == [
        ("broken", Status.FAILURE),
        ("hangs", Status.FAILURE),
        ("good", Status.OK),
    ]
    assert found[0].found == "KeyError: 'shape'"
    assert found[1].found == "no answer within 0.3 s"


def test_a_message_of_ours_is_parted_into_what_is_wrong_and_what_to_do():
    found = failure_of("source", "there is no source yet: `autocorp sync` makes one")

    assert (found.found, found.remedy) == ("there is no source yet", "`autocorp sync` makes one")

"""The raw tables' materialisations tell what replication has counted, and a refused table holds back no other."""

from __future__ import annotations

import dagster as dg
import pytest

from autocorp_assets.asset_keys import raw_table_key
from autocorp_assets.contracts import TABLES
from autocorp_assets.contracts.raw_format import LOAD_MANIFESTS
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.raw.database import raw_database
from autocorp_assets.resources.ports.replication import CaughtUp, TableCounters


class Counting:
    """Replication that has arrived, and counted."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.refused = refused

    def catch_up(self, *, deadline_seconds, on_progress, may_start=True) -> CaughtUp:
        counters = TableCounters(
            state="Table completed", full_load_rows=5, inserts=4, updates=3, deletes=2, ddls=1, errors=0
        )
        return CaughtUp(
            position="2026-01-01T00:00:00+00:00",
            seconds=1.0,
            lag_seconds=7.0,
            tables=dict.fromkeys(TABLES, counters),
            refused=self.refused,
        )


def materialize(tmp_path, refused: dict[str, str]) -> dg.ExecuteInProcessResult:
    resources = {"replication": Counting(refused), "lake": LakeStorage(tmp_path)}
    return dg.materialize([raw_database(TABLES)], resources=resources, raise_on_error=False)


def test_counters_and_lag_are_metadata(tmp_path):
    result = materialize(tmp_path, {})

    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == raw_table_key("customers")]
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    expected = {"full_load_rows": 5, "inserts": 4, "updates": 3, "deletes": 2, "ddls": 1, "errors": 0, "lag_seconds": 7}
    assert {name: metadata[name] for name in expected} == expected
    assert metadata["state"] == "Table completed"


@pytest.mark.parametrize("refused", [{"customers": "DMS could not load it"}])
def test_a_refused_table_fails_the_run_after_the_others_were_reported(tmp_path, refused):
    result = materialize(tmp_path, refused)

    assert not result.success
    reported = {event.asset_key for event in result.get_asset_materialization_events()}
    assert reported == {raw_table_key(name) for name in TABLES if name != "customers"}


def test_a_manifest_that_cannot_be_read_keeps_no_table_from_being_reported(tmp_path):
    """Which tables it may concern is for their curation to say."""
    damaged = tmp_path / LOAD_MANIFESTS / "000001.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"generation": 1')

    result = materialize(tmp_path, {})

    assert result.success
    assert len(result.get_asset_materialization_events()) == len(TABLES)

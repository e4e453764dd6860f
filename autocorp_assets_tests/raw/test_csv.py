"""The asset of a raw feed: what the operator is told of what landed."""

from __future__ import annotations

import dagster as dg

from autocorp_assets.asset_keys import raw_feed_key
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.lake.storage import LakeStorage
from autocorp_assets.raw.csv import raw_feed
from autocorp_assets.resources.local_transfer import LocalTransfer
from autocorp_assets_tests.checks.conftest import shown_rows

FEED = FEEDS["customers"]
HEADER = ",".join(FEED.columns)


def test_what_is_not_taken_is_named_and_the_feed_goes_on(settings):
    settings.landing_folder.mkdir(parents=True)
    (settings.landing_folder / "customers-20241121.csv").write_text(f"{HEADER}\nZoe,Brien,zoe@example.com,1,,,IL,1\n")
    (settings.landing_folder / "customers-20241120.csv.gz").write_bytes(b"\x1f\x8b")
    (settings.landing_folder / "customers-20241119.csv").mkdir()

    result = dg.materialize(
        [raw_feed(FEED, TABLES["customers"])],
        resources={
            "transfer": LocalTransfer(settings=settings, settled_seconds=0),
            "lake": LakeStorage(settings.lake_folder),
        },
    )

    told = {
        "customers-20241119.csv": "not a file: put the export itself into the landing folder",
        "customers-20241120.csv.gz": "packed: unpack it to customers-YYYYMMDD.csv",
    }
    assert result.success
    [event] = result.asset_materializations_for_node("transfer_customers")
    assert event.metadata["transferred"].value == ["customers-20241121.csv"]
    assert event.metadata["ignored"].value == told
    evaluations = {found.check_name: found for found in result.get_asset_check_evaluations()}
    assert evaluations["files_accepted"].asset_key == raw_feed_key(FEED.name)
    assert not evaluations["files_accepted"].passed
    assert evaluations["files_accepted"].severity is dg.AssetCheckSeverity.WARN
    remedies = shown_rows(evaluations["files_accepted"].metadata["remedies"])
    assert {row["file"]: row["what to do"] for row in remedies} == told
    assert evaluations["schema"].passed

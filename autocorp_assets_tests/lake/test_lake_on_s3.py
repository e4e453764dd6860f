"""A lake in S3 reads as the same lake in a folder does, and a look at it costs few requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto.s3.models import s3_backends

from autocorp_assets.checks.raw_frames import feed_findings, newest_changes, newest_delivery, table_findings
from autocorp_assets.cli.status import table_statuses
from autocorp_assets.contracts import FEEDS, TABLES
from autocorp_assets.contracts.raw_format import SUPERSEDED_DELIVERIES, TRANSFER_RECEIPTS, feed_prefix, table_prefix
from autocorp_assets.lake.accounting import audit_file, find_files, table_accounting
from autocorp_assets.lake.audit import read_accounts
from autocorp_assets.lake.quarantine import Quarantine
from autocorp_assets.lake.row_versions import raw_history, sought_key
from autocorp_assets.lake.snapshots import commits, read_head, read_snapshot
from autocorp_assets.lake.storage import LakeStorage, RawFile
from autocorp_assets.operations.trace import Trace, trace
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.faults import UNAVAILABLE, Fault
from autocorp_assets_tests.fakes.s3_folder import upload
from autocorp_assets_tests.fakes.server import ACCOUNT, LAKE_BUCKET, FakeAws
from autocorp_assets_tests.lake.lake_writer import LakeWriter
from autocorp_assets_tests.lake.ledger_writer import LedgerWriter
from autocorp_assets_tests.spark_jobs.raw_zone import Change, RawZone
from spark_jobs.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.aws

URL = f"s3://{LAKE_BUCKET}/lake"
PARTS = TABLES["auto_parts"]
CUSTOMERS = TABLES["customers"]
PEOPLE = "first_name,last_name,email,phone,address,city,state,zip\n"
ADA = "Ada,Lovelace,ada@example.org,1,,,IL,1\n"
OLD_ETAG = "9e107d9d372bb6826bd81d3542a419d6-3"
"""Of content that was uploaded in parts: with a hyphen."""


@pytest.fixture
def disk(aws: FakeAws, tmp_path: Path) -> LakeStorage:
    """A lake with some of everything: loads, changes on three days, a table with a commit, audit, quarantine, CSV."""
    root = tmp_path / "lake"
    raw, ledger = RawZone(root), LedgerWriter(root)
    raw.load("auto_parts", [{"sku": "OIL", "name": "Oil"}, {"sku": "PAD", "name": "Pad"}])
    applied = raw.change_file("auto_parts", [Change("U", 7, {"sku": "PAD", "name": "Brake pad"})], second=20)
    raw.put("auto_parts", "2024/11/22/20241122-000000000.parquet", [Change("D", 9, {"sku": "OIL"})])
    raw.put("auto_parts", "2024/12/01/20241201-000000000.parquet", [Change("I", 11, {"sku": "NEW"})])
    load = f"{table_prefix('auto_parts')}/LOAD00000001.parquet"
    ledger.audit(
        "db-1", {"file": load, "applied": 2}, {"file": str(applied.relative_to(root)), "applied": 1}, revision=1
    )
    kept_out = {"file": load, "position": 1, "record_key": "PAD", "reasons": ["price: required"], "row": "{}"}
    ledger.quarantine("db-1", kept_out, revision=1)
    ledger.quarantine("db-9", {**kept_out, "position": 0}, revision=9)
    ledger.commit(
        Checkpoint(
            revision=1,
            generation=1,
            high_water=applied.relative_to(root / table_prefix("auto_parts")).as_posix(),
            high_sequence=f"{7:035d}",
            recent={applied.name: 1},
            listed_at="2100-01-01T00:00:00+00:00",
        ),
        [{"sku": "OIL", "name": "Oil", "change_seq": "1"}, {"sku": "PAD", "name": "Brake pad", "change_seq": "2"}],
    )
    raw.csv("customers", "20241121", PEOPLE + ADA)
    raw.csv("customers", "20241122", PEOPLE + ADA.replace("IL", "NY"))
    (root / feed_prefix("customers") / "customers-20241123.csv").write_text("without receipt")
    aside = root / SUPERSEDED_DELIVERIES / "customers" / f"{OLD_ETAG}-customers-20241121.csv"
    aside.parent.mkdir(parents=True)
    aside.write_text(PEOPLE + ADA.replace("IL", "TX"))
    return LakeStorage(root)


@pytest.fixture
def s3(disk: LakeStorage) -> LakeStorage:
    """The same, with markers of folders as the console and DataSync make them."""
    upload(Path(disk.root), LAKE_BUCKET, "lake")
    for path in (feed_prefix("customers"), table_prefix("auto_parts"), f"{table_prefix('auto_parts')}/2024/11"):
        client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/{path}/", Body=b"")
    return LakeStorage(URL)


def timeless(files: list[RawFile]) -> list[RawFile]:
    return [replace(file, modified=datetime(2024, 1, 1, tzinfo=UTC)) for file in files]


LISTINGS: dict[str, Callable[[LakeStorage], object]] = {
    "files": lambda lake: timeless(lake.raw_files("raw/database")),
    "changes": lambda lake: [file.path for file in lake.change_files("auto_parts")],
    "changes of a day": lambda lake: [file.path for file in lake.change_files("auto_parts", "20241122")],
    "changes of a later month": lambda lake: [file.path for file in lake.change_files("auto_parts", "20241130")],
    "changes of a folder": lambda lake: timeless(lake.change_files_in(f"{table_prefix('auto_parts')}/2024/11/22")),
    "nothing": lambda lake: (lake.change_files("service"), lake.change_files("service", "20241121")),
    "loads": lambda lake: lake.loads("auto_parts"),
    "manifests": lambda lake: lake.load_manifests(),
    "deliveries": lambda lake: lake.deliveries("customers"),
    "first bytes": lambda lake: lake.first_bytes(f"{feed_prefix('customers')}/customers-20241123.csv", 7),
}
READERS: dict[str, Callable[[LakeStorage], object]] = {
    "plans": lambda lake: {
        name: [(file.path, file.kind, file.replay) for file in plan.files]
        for name, plan in lake.pending_plans(["auto_parts", "customers", "service"]).items()
    },
    "head": lambda lake: read_head(lake.root, PARTS),
    "commits": lambda lake: commits(lake.root, PARTS, 5),
    "audit": lambda lake: read_accounts(lake, PARTS),
    "accounting": lambda lake: table_accounting(lake, PARTS).states,
    "one file": lambda lake: audit_file(lake, f"{table_prefix('auto_parts')}/LOAD00000001.parquet"),
    "file by name": lambda lake: find_files(lake, "20241122-000000000.parquet"),
    "quarantine": lambda lake: (Quarantine(lake, PARTS).rows(), Quarantine(lake, PARTS).groups()),
    "history of a key": lambda lake: raw_history(lake, PARTS, sought_key(PARTS, "PAD")),
    "raw schema": lambda lake: (table_findings(lake, PARTS), feed_findings(lake, FEEDS["customers"], CUSTOMERS)),
    "raw rows": lambda lake: newest_changes(lake, PARTS).to_dicts(),
    "raw rows of a feed": lambda lake: newest_delivery(lake, FEEDS["customers"], CUSTOMERS).to_dicts(),
}


@pytest.mark.parametrize("read", [*LISTINGS, *READERS])
def test_both_lakes_say_the_same(disk: LakeStorage, s3: LakeStorage, read: str):
    reader = {**LISTINGS, **READERS}[read]

    found = reader(s3)

    assert found == reader(disk)
    assert found


def test_a_delivery_that_was_kept_aside_is_known_by_the_rest_of_its_name(s3: LakeStorage):
    history = raw_history(s3, CUSTOMERS, sought_key(CUSTOMERS, "ada@example.org"))

    states = [(version.values["state"], version.is_kept_aside) for version in history.versions]
    assert states == [("TX", True), ("IL", False), ("NY", False)]


def test_a_file_is_found_by_its_url(s3: LakeStorage):
    path = f"{table_prefix('auto_parts')}/2024/11/22/20241122-000000000.parquet"

    assert find_files(s3, f"{URL}/{path}") == [path]


@pytest.mark.parametrize("name", ["with blank.csv", "a+b.csv", "100%25.csv", "é.csv", "a&b=c.csv"])
def test_names_are_taken_as_they_are(aws: FakeAws, name: str):
    client("s3").put_object(Bucket=LAKE_BUCKET, Key=f"lake/raw/csv/customers/{name}", Body=b"12345")

    (file,) = LakeStorage(URL).raw_files("raw/csv/customers")

    assert (file.name, file.size) == (name, 5)
    assert LakeStorage(URL).first_bytes(file.path, 3) == b"123"


def test_more_objects_than_one_answer_lists(aws: FakeAws):
    for number in range(1001):
        key = f"lake/raw/database/service/2024/11/21/20241121-{number:09d}.parquet"
        s3_backends[ACCOUNT]["aws"].put_object(LAKE_BUCKET, key, b"x")
    aws.faults.requests.clear()

    assert len(LakeStorage(URL).change_files("service")) == 1001
    assert aws.faults.requests["s3:GET"] == 2


def test_many_receipts_are_read_at_once(aws: FakeAws):
    names = [f"customers-2024{month:02d}{day:02d}.csv" for month in (1, 2) for day in range(1, 29)]
    backend = s3_backends[ACCOUNT]["aws"]
    for name in names:
        backend.put_object(LAKE_BUCKET, f"lake/{feed_prefix('customers')}/{name}", b"x")
        receipt = json.dumps({"size": 1, "sha256": f"etag of {name}"}).encode()
        backend.put_object(LAKE_BUCKET, f"lake/{TRANSFER_RECEIPTS}/customers/{name}.json", receipt)

    deliveries = LakeStorage(URL).deliveries("customers")

    assert [(one.name, one.etag) for one in deliveries] == [(name, f"etag of {name}") for name in names]


def test_one_throttling_one_server_error_and_a_slow_answer_pass_unnoticed(aws: FakeAws, s3: LakeStorage):
    aws.faults.add("s3", Fault(status=503, code="SlowDown"), UNAVAILABLE, Fault(seconds=0.3))

    assert len(s3.change_files("auto_parts")) == 3
    assert len(s3.deliveries("customers")) == 2


def test_expired_credentials_are_told(aws: FakeAws, s3: LakeStorage):
    aws.faults.add("s3", *[Fault(status=400, code="ExpiredToken")] * 6)

    with pytest.raises(OSError, match=r"ExpiredToken|expired"):
        s3.change_files("auto_parts")


def test_status_says_the_same(disk: LakeStorage, s3: LakeStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", URL)

    here = table_statuses(Settings(home=tmp_path))
    there = table_statuses(Settings(home=tmp_path, deployment="aws"))

    assert [replace(one, lag_seconds=0) for one in there] == [replace(one, lag_seconds=0) for one in here]
    assert {one.table: one.rows for one in there}["auto_parts"] == 2
    lag = next(one for one in there if one.table == "auto_parts").lag_seconds
    assert lag is not None
    assert 0 < lag < 600


def test_trace_says_the_same(disk: LakeStorage, s3: LakeStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", URL)
    here, there = Settings(home=tmp_path), Settings(home=tmp_path, deployment="aws")

    for table, key in (("customers", "ada@example.org"), ("service", "none")):
        assert told(trace(there, table, key)) == told(trace(here, table, key))


def told(found: Trace) -> list[tuple]:
    """Without when content was kept aside, which is when the test put it there."""
    return [
        (record.record_key, [(one.version.file, one.version.values, one.became) for one in record.versions])
        for record in found.records
    ]


@pytest.mark.spark
def test_versions_of_hudi_tables_are_read_from_s3(aws: FakeAws, spark: SparkSession, tmp_path: Path):
    writer = LakeWriter(spark, tmp_path)
    writer.commit("customers", {"customer_id": 1}, {"customer_id": 2}, checkpoint=Checkpoint(revision=1))
    writer.commit("customers", {"customer_id": 3}, checkpoint=Checkpoint(revision=2, generation=1))
    upload(tmp_path, LAKE_BUCKET, "lake")

    here, there = (read_snapshot(root, CUSTOMERS) for root in (tmp_path, URL))

    assert here is not None
    assert there is not None
    # hudi-rs gives files in no order.
    assert set(there.files) == {file.replace(str(tmp_path), URL) for file in here.files}
    assert (there.commit, there.checkpoint, there.columns) == (here.commit, here.checkpoint, here.columns)
    assert read_head(URL, CUSTOMERS) == read_head(tmp_path, CUSTOMERS)
    assert commits(URL, CUSTOMERS, 5) == commits(tmp_path, CUSTOMERS, 5)
    then = read_snapshot(URL, CUSTOMERS, here.committed_at)
    assert then is not None
    assert (then.commit, set(then.files)) == (there.commit, set(there.files))

"""A good account passes, and each single thing that is missing is found, with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from autocorp_assets.cli.main import app
from autocorp_assets.contracts import FEEDS
from autocorp_assets.operations.doctor import (
    aws_account,
    aws_catalog,
    aws_curation,
    aws_lake,
    aws_permissions,
    aws_replication,
    aws_source,
    aws_transfer,
    aws_watch,
)
from autocorp_assets.operations.doctor.examination import examine
from autocorp_assets.operations.doctor.finding import Finding, Status
from autocorp_assets.resources.aws import permissions
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.dms_settings import large_columns
from autocorp_assets.resources.aws.glue_code import bucket_and_key, script_url, zip_url
from autocorp_assets.settings import Settings
from autocorp_assets_tests.fakes.account import (
    TOPIC_ARN,
    BuiltAccount,
    allow_caller,
    build_account,
    good_policy,
    source_secret,
    tls_only,
)
from autocorp_assets_tests.fakes.datasync import make_task
from autocorp_assets_tests.fakes.faults import EXPIRED, THROTTLED, UNAVAILABLE, Fault
from autocorp_assets_tests.fakes.server import ACCOUNT, LAKE_BUCKET, FakeAws

pytestmark = pytest.mark.aws

Look = Callable[[Settings], Iterable[Finding]]


@pytest.fixture
def settings(aws: FakeAws, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Settings:
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", f"s3://{LAKE_BUCKET}/lake")
    monkeypatch.setenv("AUTOCORP_AWS_ALERTS_TOPIC", TOPIC_ARN)
    monkeypatch.setenv("AUTOCORP_DEPLOYMENT", "aws")
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("AUTOCORP_DEBUG", raising=False)
    return Settings()


@pytest.fixture
def source(database: str) -> str:
    """The operational database, with REPLICA IDENTITY FULL where texts are."""
    schema = (resources.files("autocorp_assets.local.source") / "schema.sql").read_text("utf-8")
    execute(database, schema)
    for table in large_columns():
        execute(database, f"ALTER TABLE {table} REPLICA IDENTITY FULL")
    return database


@pytest.fixture
def account(settings: Settings) -> BuiltAccount:
    return build_account(settings)


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def secret_of(dsn: str) -> dict[str, Any]:
    where = conninfo_to_dict(dsn)
    passfile = where.get("passfile")
    password = Path(str(passfile)).read_text().split(":")[-1].strip() if passfile else where["password"]
    return source_secret(
        str(where["host"]),
        port=int(str(where["port"])),
        username=where["user"],
        password=password,
        dbname=where["dbname"],
    )


def bad(look: Look, settings: Settings) -> list[Finding]:
    return [finding for finding in look(settings) if finding.status is not Status.OK]


def only(look: Look, settings: Settings) -> Finding:
    found = bad(look, settings)
    assert len(found) == 1, found
    return found[0]


def test_a_good_account_passes_in_few_requests_and_is_left_as_it_was(aws: FakeAws, settings, source):
    build_account(settings, source=secret_of(source))
    objects = [entry["Key"] for entry in client("s3").list_objects_v2(Bucket=LAKE_BUCKET)["Contents"]]
    aws.faults.clear()
    told: list[str] = []

    report = examine(settings, on_progress=told.append)

    assert [finding for finding in report.findings if finding.status is not Status.OK] == []
    assert report.is_ok
    assert len(told) > 15
    assert sum(aws.faults.requests.values()) < 80
    assert [entry["Key"] for entry in client("s3").list_objects_v2(Bucket=LAKE_BUCKET)["Contents"]] == objects


def test_an_empty_account_fails_with_a_remedy_for_each_thing(settings, monkeypatch):
    client("s3").delete_bucket(Bucket=LAKE_BUCKET)

    result = CliRunner().invoke(app, ["doctor", "--json"])

    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["ok"], report["deployment"]) == (False, "aws")
    failed = {finding["subject"]: finding for finding in report["findings"] if finding["status"] == "failure"}
    assert {
        "lake",
        "source: secret",
        "DMS task",
        "DataSync: customers",
        "Glue job",
        "Glue code",
        "database autocorp_lake",
        "crawler",
        "workgroup",
        "news of arrivals",
        "alerts",
    } <= set(failed)
    assert all(finding["remedy"] for finding in failed.values())
    assert "doctor:" not in result.stderr


def test_without_a_lake_in_the_settings_nothing_else_is_asked(aws: FakeAws, settings, monkeypatch):
    monkeypatch.delenv("AUTOCORP_AWS_LAKE")
    aws.faults.clear()

    report = examine(Settings(), on_progress=lambda _: None)

    assert [finding.subject for finding in report.findings] == ["settings", "everything else"]
    assert "AUTOCORP_AWS_LAKE is not set" in report.findings[0].found
    assert "export AUTOCORP_AWS_LAKE" in report.findings[0].remedy
    assert not aws.faults.requests


def test_credentials_that_are_no_good_are_told_once(aws: FakeAws, settings):
    aws.faults.add("sts", EXPIRED)

    report = examine(settings, on_progress=lambda _: None)

    subjects = {finding.subject: finding for finding in report.findings}
    assert set(subjects) == {"settings", "credentials", "everything else"}
    assert "renew them" in subjects["credentials"].remedy


def test_a_service_that_does_not_answer_is_a_failure_and_holds_up_no_other(aws: FakeAws, settings, account):
    aws.faults.add("glue:GetCrawler", Fault(seconds=3))

    report = examine(settings, on_progress=lambda _: None, seconds=1.5)

    found = {finding.subject: finding for finding in report.findings}
    assert found["crawler"].found == "no answer within 1.5 s"
    assert "endpoint" in found["crawler"].remedy
    assert found["Glue job"].status is Status.OK


def test_one_throttling_and_one_server_error_of_each_service_pass_unnoticed(aws: FakeAws, settings, account):
    for service in ("dms", "datasync", "glue", "athena", "sqs", "sns", "s3", "iam", "sts", "logs", "secretsmanager"):
        aws.faults.add(service, THROTTLED, UNAVAILABLE)

    report = examine(settings, on_progress=lambda _: None)

    problems = [finding.subject for finding in report.findings if finding.status is not Status.OK]
    assert problems == ["source", "source: long texts"]
    assert not any(aws.faults.pending.values())


def test_what_only_doctor_asks_for_is_a_warning_when_it_is_refused(aws: FakeAws, settings, account):
    aws.faults.add("logs:DescribeLogGroups", Fault(status=400, code="AccessDeniedException"))
    aws.faults.add("glue:GetCrawler", Fault(status=400, code="AccessDeniedException"))

    found = {finding.subject: finding for finding in examine(settings, on_progress=lambda _: None).findings}

    assert found["logs of Glue"].status is Status.WARNING
    assert "DescribeLogGroups" in found["logs of Glue"].remedy
    assert found["crawler"].status is Status.FAILURE
    assert "GetCrawler" in found["crawler"].remedy


def test_the_lake_s_bucket(settings, account, monkeypatch):
    s3 = client("s3")
    assert bad(aws_lake.bucket, settings) == bad(aws_lake.protection, settings) == bad(aws_lake.marker, settings) == []

    s3.put_bucket_versioning(Bucket=LAKE_BUCKET, VersioningConfiguration={"Status": "Suspended"})
    found = only(aws_lake.protection, settings)
    assert (found.subject, found.status) == ("lake: versions", Status.WARNING)
    assert "put-bucket-versioning" in found.remedy
    s3.put_bucket_versioning(Bucket=LAKE_BUCKET, VersioningConfiguration={"Status": "Enabled"})

    s3.delete_bucket_encryption(Bucket=LAKE_BUCKET)
    assert only(aws_lake.protection, settings).subject == "lake: encryption"
    s3.put_bucket_encryption(
        Bucket=LAKE_BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )

    s3.delete_bucket_policy(Bucket=LAKE_BUCKET)
    assert only(aws_lake.protection, settings).subject == "lake: TLS"
    statement = json.loads(tls_only(LAKE_BUCKET))["Statement"][0]
    statement["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/one"}
    assert not aws_lake.requires_tls({"Statement": statement})

    elsewhere = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3", region_name="eu-west-1").create_bucket(Bucket="far-away", CreateBucketConfiguration=elsewhere)
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", "s3://far-away")
    assert "eu-west-1, and the deployment in eu-central-1" in only(aws_lake.bucket, Settings()).found
    monkeypatch.setenv("AUTOCORP_AWS_LAKE", "s3://nowhere")
    found = only(aws_lake.bucket, Settings())
    assert "no bucket nowhere" in found.found
    assert "s3 mb s3://nowhere" in found.remedy


@pytest.mark.parametrize("action", ["PutObject", "GetObject", "DeleteObject"])
def test_what_may_not_be_done_in_the_lake_is_named(settings, account, action):
    resource = [f"arn:aws:s3:::{LAKE_BUCKET}", f"arn:aws:s3:::{LAKE_BUCKET}/*"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": f"s3:{action}", "Resource": resource}
    client("s3").put_bucket_policy(
        Bucket=LAKE_BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )

    found = only(aws_lake.marker, settings)

    assert found.status is Status.FAILURE
    assert f"s3:{action}" in found.remedy


def test_a_lake_that_may_not_be_listed(aws: FakeAws, settings, account):
    aws.faults.add("s3:GET", Fault(), Fault(status=403, code="AccessDenied"))

    assert "s3:ListBucket" in only(aws_lake.marker, settings).remedy


def test_the_landing_place(settings, account, monkeypatch):
    assert bad(aws_lake.landing, settings) == []
    monkeypatch.setenv("AUTOCORP_AWS_LANDING", f"s3://{LAKE_BUCKET}/landing")
    assert bad(aws_lake.landing, Settings()) == []
    monkeypatch.setenv("AUTOCORP_AWS_LANDING", "s3://nowhere/landing")
    assert "AUTOCORP_AWS_LANDING" in only(aws_lake.landing, Settings()).remedy


def test_a_source_whose_slots_are_taken_is_good_while_one_of_them_is_dms_s(settings, source):
    build_account(settings, source=secret_of(source))
    with psycopg.connect(source, autocommit=True) as admin:
        (limit,) = admin.execute("SELECT current_setting('max_replication_slots')::int").fetchone() or (0,)
        (used,) = admin.execute("SELECT count(*) FROM pg_replication_slots").fetchone() or (0,)
        for number in range(limit - used):
            admin.execute("SELECT pg_create_physical_replication_slot(%s)", [f"other_{number}"])
        try:
            assert "replication slots are taken" in only(aws_source.connection, settings).found
            admin.execute("SELECT pg_drop_replication_slot('other_0')")
            admin.execute("SELECT pg_create_logical_replication_slot('of_dms', 'test_decoding')")
            assert bad(aws_source.connection, settings) == []
        finally:
            admin.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def test_the_source(settings, source):
    good = secret_of(source)
    build_account(settings, source=good)

    def put(**content: Any) -> None:
        client("secretsmanager").put_secret_value(
            SecretId=settings.aws.source_secret, SecretString=json.dumps({**good, **content})
        )

    assert bad(aws_source.connection, settings) == bad(aws_source.long_texts, settings) == []

    table, columns = next(iter(large_columns().items()))
    execute(source, f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT")
    found = only(aws_source.connection, settings)
    assert (found.subject, found.status) == ("source: replica identity", Status.FAILURE)
    assert f"ALTER TABLE public.{table} REPLICA IDENTITY FULL" in found.remedy
    execute(source, f"ALTER TABLE {table} REPLICA IDENTITY FULL")

    execute(source, "DROP TABLE service_parts CASCADE")
    assert "has no table" in only(aws_source.connection, settings).found

    put(dbname="nowhere")
    assert "has no database nowhere" in only(aws_source.connection, settings).found
    put(password="wr0ng")
    found = only(aws_source.connection, settings)
    assert "does not let" in found.found
    assert "wr0ng" not in str(found)
    put(host="0.0.0.0")  # noqa: S104 nothing listens on it
    found = only(aws_source.connection, settings)
    assert "does not offer TLS" in found.found
    put(port="")
    assert only(aws_source.connection, settings).subject == "source: secret"
    assert "it lacks port" in only(aws_source.connection, settings).found
    assert columns


def test_a_text_that_is_longer_than_the_task_takes(settings, source):
    build_account(settings, source=secret_of(source))
    execute(source, "INSERT INTO auto_parts (sku, name, description) VALUES ('S', 's', repeat('x', 2048000))")

    found = only(aws_source.long_texts, settings)

    assert found.status is Status.WARNING
    assert found.found == "auto_parts.description has 2,000 KB; the task takes 1,024 KB"
    assert "LobMaxSize to 4,096" in found.remedy


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"TargetMetadata": {"LobMaxSize": 32}}, ("settings", Status.FAILURE, "LobMaxSize is 32")),
        (
            {"FullLoadSettings": {"TargetTablePrepMode": "DROP_AND_CREATE"}},
            ("settings", Status.FAILURE, 'TargetTablePrepMode is "DROP_AND_CREATE", and should be "DO_NOTHING"'),
        ),
        ({"ChangeProcessingTuning": {"BatchSplitSize": 7}}, ("settings", Status.WARNING, "BatchSplitSize is 7")),
        ({"rules": []}, ("tables", Status.FAILURE, "table mapping")),
        ({"MigrationType": "cdc"}, ("type", Status.FAILURE, "full-load-and-cdc")),
    ],
)
def test_the_dms_task_s_settings(settings, account, change, expected):
    subject, status, said = expected
    moto = account.task.moto
    if "rules" in change:
        moto.table_mappings = json.dumps(change)
    elif "MigrationType" in change:
        moto.migration_type = change["MigrationType"]
    else:
        good = json.loads(moto.replication_task_settings)
        moto.replication_task_settings = json.dumps(
            {**good, **{group: {**good[group], **values} for group, values in change.items()}}
        )

    found = bad(aws_replication.task, settings)

    assert found
    assert {finding.status for finding in found} == {status}
    assert {finding.subject for finding in found} == {f"DMS task: {subject}"}
    assert any(said in finding.found for finding in found)
    assert all("modify-replication-task" in finding.remedy for finding in found)


def test_the_dms_task_and_its_endpoints(settings, account, monkeypatch):
    assert bad(aws_replication.task, settings) == bad(aws_replication.endpoints, settings) == []

    account.task.status, account.task.failure = "failed", "the slot is gone"
    found = only(aws_replication.task, settings)
    assert "failed: the slot is gone" in found.found

    monkeypatch.setenv("AUTOCORP_AWS_LAKE", f"s3://{LAKE_BUCKET}/other")
    found = only(aws_replication.endpoints, Settings())
    assert (found.subject, found.status) == ("DMS endpoint: target", Status.FAILURE)
    assert 'BucketFolder is "lake/raw", and should be "other/raw"' in found.found
    monkeypatch.setenv("AUTOCORP_AWS_REPLICATION_TASK", "other")
    found = only(aws_replication.task, Settings())
    assert "there is no task other" in found.found
    assert "AUTOCORP_AWS_REPLICATION_TASK" in found.remedy


def test_the_datasync_tasks(settings, account, monkeypatch):
    assert bad(aws_transfer.tasks, settings) == []
    feed = next(iter(FEEDS))

    def use(task: str) -> Settings:
        monkeypatch.setenv("AUTOCORP_AWS_TRANSFER_TASKS", json.dumps({feed: task}))
        return Settings()

    bold = make_task(
        feed, source="s3://autocorp-exports/x", lake=settings.aws.lake, name="bold", Options={"VerifyMode": "NONE"}
    )
    found = only(aws_transfer.tasks, use("bold"))
    assert "VerifyMode NONE" in found.found
    assert bold in found.remedy
    make_task(feed, source="s3://autocorp-exports/x", lake=f"s3://{LAKE_BUCKET}/other", name="astray")
    found = only(aws_transfer.tasks, use("astray"))
    assert f"s3://{LAKE_BUCKET}/other/raw/csv/{feed}" in found.found
    found = only(aws_transfer.tasks, use("none"))
    assert "there is no task none" in found.found
    assert "AUTOCORP_AWS_TRANSFER_TASKS" in found.remedy


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"GlueVersion": "5.0"}, "Glue job: version"),
        ({"Command": {"Name": "glueetl", "ScriptLocation": "s3://elsewhere/curate.py"}}, "Glue job: script"),
        ({"ExecutionProperty": {"MaxConcurrentRuns": 3}}, "Glue job: runs"),
        ({"WorkerType": "G.8X"}, "Glue job: workers"),
    ],
)
def test_the_glue_job_s_settings(settings, account, change, subject):
    assert bad(aws_curation.job, settings) == []
    glue, name = client("glue"), settings.aws.glue_job
    glue.delete_job(JobName=name)
    glue.create_job(
        **{
            "Name": name,
            "Role": "autocorp-glue",
            "Command": {"Name": "glueetl", "ScriptLocation": script_url(settings)},
            "ExecutionProperty": {"MaxConcurrentRuns": 1},
            "GlueVersion": "5.1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            **change,
        }
    )

    found = only(aws_curation.job, settings)

    assert found.subject == subject
    assert "update-job" in found.remedy


def test_the_glue_code(settings, account):
    assert bad(aws_curation.code, settings) == []
    bucket, key = bucket_and_key(zip_url(settings))
    client("s3").delete_object(Bucket=bucket, Key=key)

    assert "autocorp deploy" in only(aws_curation.code, settings).remedy


def test_the_catalog(settings, account):
    glue = client("glue")
    assert bad(aws_catalog.databases, settings) == bad(aws_catalog.crawler, settings) == []

    glue.delete_database(Name="autocorp_lake")
    found = only(aws_catalog.databases, settings)
    assert (found.subject, found.remedy) == (
        "database autocorp_lake",
        "aws glue create-database --database-input Name=autocorp_lake",
    )
    name = settings.aws.raw_crawler
    for path in (f"{settings.aws.lake}/curated", settings.aws.lake, f"s3://{LAKE_BUCKET}/lake/raw-old"):
        glue.delete_crawler(Name=name)
        glue.create_crawler(Name=name, Role="r", DatabaseName="d", Targets={"S3Targets": [{"Path": path}]})
        found = only(aws_catalog.crawler, settings)
        assert f"crawls {path}" in found.found
        assert f"{settings.aws.lake}/raw/ only" in found.remedy
    glue.delete_crawler(Name=name)
    assert "there is no crawler" in only(aws_catalog.crawler, settings).found


@pytest.mark.parametrize(
    ("change", "subject", "status"),
    [
        ({"ResultConfiguration": {}}, "workgroup: results", Status.FAILURE),
        ({"EnforceWorkGroupConfiguration": False}, "workgroup: results", Status.FAILURE),
        ({"BytesScannedCutoffPerQuery": None}, "workgroup: limit", Status.WARNING),
    ],
)
def test_the_workgroup_s_settings(settings, account, change, subject, status):
    athena, name = client("athena"), settings.aws.workgroup
    assert bad(aws_catalog.workgroup, settings) == []
    good = athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    wanted = {key: good[key] for key in ("ResultConfiguration", "BytesScannedCutoffPerQuery")} | change
    configuration = {key: value for key, value in wanted.items() if value is not None}
    athena.create_work_group(Name=name, Configuration=configuration)

    found = only(aws_catalog.workgroup, settings)

    assert (found.subject, found.status) == (subject, status)
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    assert "AUTOCORP_AWS_WORKGROUP" in only(aws_catalog.workgroup, settings).remedy


def test_news_of_arrivals(settings, account):
    s3, sqs = client("s3"), client("sqs")
    assert bad(aws_watch.queue, settings) == bad(aws_watch.notifications, settings) == []
    configuration = s3.get_bucket_notification_configuration(Bucket=LAKE_BUCKET)["QueueConfigurations"]

    def notify(*configurations: dict[str, Any]) -> list[Finding]:
        s3.put_bucket_notification_configuration(
            Bucket=LAKE_BUCKET, NotificationConfiguration={"QueueConfigurations": list(configurations)}
        )
        return bad(aws_watch.notifications, settings)

    assert (
        notify({**configuration[0], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "lake/"}]}}}) == []
    )
    (found,) = notify(configuration[0])
    assert "of raw/csv" in found.found
    assert "with prefix lake/raw/" in found.remedy
    (found,) = notify(*({**one, "Events": ["s3:ObjectRemoved:*"]} for one in configuration))
    assert "of raw/database and raw/csv" in found.found

    sqs.set_queue_attributes(QueueUrl=account.queue_url, Attributes={"VisibilityTimeout": "30"})
    assert "VisibilityTimeout=120" in only(aws_watch.queue, settings).remedy
    sqs.delete_queue(QueueUrl=account.queue_url)
    assert "AUTOCORP_AWS_ARRIVALS_QUEUE" in only(aws_watch.queue, settings).remedy


def test_alerts(settings, account, monkeypatch):
    sns = client("sns")
    assert bad(aws_watch.topic, settings) == []
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    found = only(aws_watch.topic, settings)
    assert (found.status, "sns subscribe" in found.remedy) == (Status.WARNING, True)
    sns.delete_topic(TopicArn=TOPIC_ARN)
    assert only(aws_watch.topic, settings).status is Status.FAILURE
    monkeypatch.delenv("AUTOCORP_AWS_ALERTS_TOPIC")
    found = only(aws_watch.topic, Settings())
    assert (found.status, "AUTOCORP_AWS_ALERTS_TOPIC" in found.remedy) == (Status.WARNING, True)


def test_permissions_that_are_missing_are_named_by_component(aws: FakeAws, settings, account):
    assert bad(aws_permissions.simulated, settings) == []
    policy = good_policy(settings)
    for statement in policy["Statement"]:
        lost = {"dms:ReloadTables", "cloudwatch:PutMetricData", "glue:GetJob", "s3:DeleteObject"}
        statement["Action"] = [action for action in statement["Action"] if action not in lost]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    allow_caller(policy)

    found = {finding.subject: finding for finding in bad(aws_permissions.simulated, settings)}

    assert {name: (finding.status, finding.found.rsplit(" ", 1)[-1]) for name, finding in found.items()} == {
        "permissions: lake": (Status.FAILURE, "s3:DeleteObject"),
        "permissions: replication": (Status.FAILURE, "dms:ReloadTables"),
        "permissions: metrics": (Status.FAILURE, "cloudwatch:PutMetricData"),
        "permissions: doctor": (Status.WARNING, "glue:GetJob"),
    }


def test_a_simulation_that_is_not_permitted_is_a_warning(aws: FakeAws, settings, account):
    aws.faults.add("iam", Fault(status=403, code="AccessDenied"))

    found = only(aws_permissions.simulated, settings)

    assert found.status is Status.WARNING
    assert "iam:SimulatePrincipalPolicy" in found.remedy


def test_the_role_behind_a_session_is_simulated_with_its_path(aws: FakeAws):
    client("iam").create_role(RoleName="dagster", Path="/teams/data/", AssumeRolePolicyDocument="{}")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/%s/session"

    principal = aws_permissions.principal_of

    assert principal(session % "dagster") == f"arn:aws:iam::{ACCOUNT}:role/teams/data/dagster"
    assert principal(session % "unknown") == f"arn:aws:iam::{ACCOUNT}:role/unknown"
    assert principal(f"arn:aws:iam::{ACCOUNT}:user/ada") == f"arn:aws:iam::{ACCOUNT}:user/ada"


def test_every_permission_is_of_a_service_and_on_a_resource_of_it(settings):
    account = permissions.Account(number=ACCOUNT, region="eu-central-1")
    for permission in permissions.permissions(settings.aws, account):
        assert permission.actions
        for action in permission.actions:
            service, _, name = action.partition(":")
            assert name[0].isupper(), action
            for resource in permission.resources:
                assert resource == "*" or resource.split(":")[2] == service, (action, resource)


@pytest.mark.parametrize(("seconds", "status"), [(0, Status.OK), (60, Status.WARNING), (-600, Status.FAILURE)])
def test_the_clock(seconds, status):
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)

    assert aws_account.clock(now, now + timedelta(seconds=seconds)).status is status

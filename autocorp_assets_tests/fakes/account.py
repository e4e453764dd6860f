"""A good account: all that the deployment needs, under the names that the infrastructure gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autocorp_assets.contracts import FEEDS
from autocorp_assets.contracts.raw_format import RAW_CSV, RAW_DATABASE
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.glue_code import publish, script_url
from autocorp_assets.resources.aws.permissions import Account, permissions, policy_document
from autocorp_assets.resources.aws.s3_place import S3Place
from autocorp_assets.settings import Settings
from autocorp_assets.table_metadata import DATABASE_NAME
from autocorp_assets_tests.fakes.athena import athena_queries
from autocorp_assets_tests.fakes.athena_ddl import change_catalog
from autocorp_assets_tests.fakes.datasync import make_task
from autocorp_assets_tests.fakes.dms import DMS, Task
from autocorp_assets_tests.fakes.iam import CALLER
from autocorp_assets_tests.fakes.server import ACCOUNT, REGION

VIEWS_DATABASE = "autocorp"
RAW_DATABASE_NAME = "autocorp_raw"
POLICY = "autocorp-dagster"
TOPIC = "autocorp-alerts"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"
"""For AUTOCORP_AWS_ALERTS_TOPIC, which has no default."""
EXPORTS_BUCKET = "autocorp-exports"
SCAN_LIMIT_BYTES = 10 * 1024**3


@dataclass(frozen=True, kw_only=True)
class BuiltAccount:
    """What is only known once it is made."""

    task: Task
    """DMS's, as the fake has it."""
    queue_url: str


def build_account(settings: Settings, *, source: Mapping[str, Any] | None = None) -> BuiltAccount:
    """Make all of it in the AWS that the environment names; the lake's bucket is there already.

    Args:
        settings: of the aws deployment; its names are used.
        source: content of the source's secret; a host that does not exist unless given.
    """
    aws = settings.aws
    task = DMS.create(aws.replication_task, lake=aws.lake)
    queue_url = _queue(settings)
    client("sns").create_topic(Name=TOPIC)
    client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=_arn("sqs", "autocorp-alerts-readers"))
    _bucket(settings)
    _secret(settings, source)
    client("s3").create_bucket(Bucket=EXPORTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for feed in FEEDS:
        make_task(feed, source=f"s3://{EXPORTS_BUCKET}/{feed}", lake=aws.lake, name=aws.transfer_tasks.get(feed))
    _glue(settings)
    _workgroup(settings)
    _caller(settings)
    return BuiltAccount(task=task, queue_url=queue_url)


def source_secret(host: str = "source.invalid", **values: Any) -> dict[str, Any]:
    """As RDS writes it."""
    return {
        "engine": "postgres",
        "host": host,
        "port": 5432,
        "username": "autocorp",
        "password": "s3cr3t",
        "dbname": "autocorp",
        **values,
    }


def tls_only(bucket: str) -> str:
    """Bucket policy that refuses what is not encrypted on its way."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def good_policy(settings: Settings) -> dict[str, Any]:
    """What the deployment needs, and no more."""
    aws = settings.aws.model_copy(update={"alerts_topic": TOPIC_ARN})
    return policy_document(permissions(aws, Account(number=ACCOUNT, region=REGION)))


def allow_caller(document: Mapping[str, Any]) -> None:
    """What who calls may do, as the policy simulator sees it."""
    client("iam").put_user_policy(UserName=CALLER, PolicyName=POLICY, PolicyDocument=json.dumps(document))


def _queue(settings: Settings) -> str:
    sqs = client("sqs")
    sqs.create_queue(QueueName="autocorp-alerts-readers")
    url = sqs.create_queue(QueueName=settings.aws.arrivals_queue, Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return url


def _bucket(settings: Settings) -> None:
    s3, lake = client("s3"), S3Place.of(settings.aws.lake)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=lake.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(Bucket=lake.bucket, Policy=tls_only(lake.bucket))
    queues = [
        {
            "QueueArn": _arn("sqs", settings.aws.arrivals_queue),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{lake.key(folder)}/"}]}},
        }
        for folder in (RAW_DATABASE, RAW_CSV)
    ]
    s3.put_bucket_notification_configuration(
        Bucket=lake.bucket, NotificationConfiguration={"QueueConfigurations": queues}
    )


def _secret(settings: Settings, source: Mapping[str, Any] | None) -> None:
    client("secretsmanager").create_secret(
        Name=settings.aws.source_secret, SecretString=json.dumps(source or source_secret())
    )


def _glue(settings: Settings) -> None:
    glue, aws = client("glue"), settings.aws
    publish(settings)
    glue.create_job(
        Name=aws.glue_job,
        Role=f"arn:aws:iam::{ACCOUNT}:role/autocorp-glue",
        Command={"Name": "glueetl", "ScriptLocation": script_url(settings), "PythonVersion": "3"},
        DefaultArguments={"--datalake-formats": "hudi,delta"},
        ExecutionProperty={"MaxConcurrentRuns": 1},
        GlueVersion="5.1",
        WorkerType=aws.worker_type,
        NumberOfWorkers=aws.workers_min,
    )
    for name in (DATABASE_NAME, VIEWS_DATABASE, RAW_DATABASE_NAME):
        glue.create_database(DatabaseInput={"Name": name})
    glue.create_crawler(
        Name=aws.raw_crawler,
        Role=f"arn:aws:iam::{ACCOUNT}:role/autocorp-crawler",
        DatabaseName=RAW_DATABASE_NAME,
        Targets={"S3Targets": [{"Path": f"{aws.lake}/{folder}"} for folder in (RAW_DATABASE, RAW_CSV)]},
    )


def _workgroup(settings: Settings) -> None:
    athena_queries.lake = settings.aws.lake
    athena_queries.on_ddl.append(change_catalog)
    client("athena").create_work_group(
        Name=settings.aws.workgroup,
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"{settings.aws.lake}/athena-results/"},
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": SCAN_LIMIT_BYTES,
        },
    )


def _caller(settings: Settings) -> None:
    client("iam").create_user(UserName=CALLER)
    allow_caller(good_policy(settings))


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

"""What Dagster's role may do in the account: the one list, from which its policy and doctor's simulation are made.

Names of actions and kinds of resources are those of AWS's "Service Authorization Reference". Actions that AWS does not
tie to a resource (most Describe and List calls) have the resource `*`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autocorp_assets.resources.aws.s3_place import S3Place

if TYPE_CHECKING:
    from autocorp_assets.settings import AwsSettings

ANY = ("*",)


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Actions on resources, for one part of the platform."""

    component: str
    """Who needs it, in the operator's words."""
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ANY
    """ARN patterns."""
    condition: Mapping[str, str] = field(default_factory=dict)
    """Context keys and the only value that each may have."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where the deployment is."""

    number: str
    region: str
    partition: str = "aws"
    """`aws-cn` in China, `aws-us-gov` for the government."""

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.number}:{resource}"

    def bucket(self, name: str) -> str:
        """A bucket, or with a slash what is in it: their ARNs name no account."""
        return f"arn:{self.partition}:s3:::{name}"


def permissions(settings: AwsSettings, account: Account) -> tuple[Permission, ...]:
    """All that the deployment does, under the names that the settings give."""
    return (
        *_lake(settings, account),
        *_settings(settings, account),
        _on("source", ["secretsmanager:GetSecretValue"], account.arn("secretsmanager", _secret(settings))),
        *_replication(account),
        *_transfer(account),
        *_curation(settings, account),
        *_queries(settings, account),
        _on(
            "news of arrivals",
            ["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
            account.arn("sqs", settings.arrivals_queue),
        ),
        *_watch(settings),
        *_doctor(settings, account),
    )


def policy_document(granted: Sequence[Permission]) -> dict[str, Any]:
    """The IAM policy that allows exactly that."""
    return {"Version": "2012-10-17", "Statement": [_statement(one) for one in granted]}


def _statement(permission: Permission) -> dict[str, Any]:
    said = {"Effect": "Allow", "Action": list(permission.actions), "Resource": list(permission.resources)}
    return {**said, "Condition": {"StringEquals": dict(permission.condition)}} if permission.condition else said


def _on(component: str, actions: Sequence[str], *resources: str) -> Permission:
    return Permission(component=component, actions=tuple(actions), resources=resources or ANY)


def _lake(settings: AwsSettings, account: Account) -> list[Permission]:
    lake = S3Place.of(settings.lake)
    found = [
        _on("lake", ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation"], account.bucket(lake.bucket)),
        _on(
            "lake",
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            account.bucket(f"{lake.bucket}/{lake.key('*')}"),
        ),
    ]
    if settings.landing:
        landing = S3Place.of(settings.landing)
        found += [
            _on("landing", ["s3:ListBucket"], account.bucket(landing.bucket)),
            _on("landing", ["s3:GetObject"], account.bucket(f"{landing.bucket}/{landing.key('*')}")),
        ]
    return found


def _settings(settings: AwsSettings, account: Account) -> list[Permission]:
    if settings.parameters is None:
        return []
    path = f"parameter/{settings.parameters.strip('/')}"
    return [_on("settings", ["ssm:GetParametersByPath"], account.arn("ssm", path))]


def _secret(settings: AwsSettings) -> str:
    # Secrets Manager adds a dash and six characters to the name.
    return f"secret:{settings.source_secret}-??????"


def _replication(account: Account) -> list[Permission]:
    # A task's ARN has an id that AWS makes up, not its identifier.
    task = account.arn("dms", "task:*")
    describe = ["dms:DescribeReplicationTasks", "dms:DescribeReplicationInstances", "cloudwatch:GetMetricData"]
    act = ["dms:DescribeTableStatistics", "dms:StartReplicationTask", "dms:ReloadTables"]
    return [_on("replication", describe), _on("replication", act, task)]


def _transfer(account: Account) -> list[Permission]:
    start = [
        "datasync:DescribeTask",
        "datasync:StartTaskExecution",
        "datasync:ListTagsForResource",
        "datasync:TagResource",
    ]
    return [
        _on("transfer", ["datasync:ListTasks"]),
        _on("transfer", start, account.arn("datasync", "task/*")),
        _on(
            "transfer",
            ["datasync:DescribeTaskExecution", "datasync:ListTagsForResource"],
            account.arn("datasync", "task/*/execution/*"),
        ),
    ]


def _curation(settings: AwsSettings, account: Account) -> list[Permission]:
    run = ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
    return [
        _on("curation", run, account.arn("glue", f"job/{settings.glue_job}")),
        _on("curation", ["logs:GetLogEvents"], account.arn("logs", "log-group:/aws-glue/*")),
    ]


def _queries(settings: AwsSettings, account: Account) -> list[Permission]:
    catalog = [
        "glue:GetDatabase",
        "glue:CreateDatabase",
        "glue:GetDatabases",
        "glue:GetTable",
        "glue:GetTables",
        "glue:GetPartitions",
        "glue:CreateDatabase",
        "glue:CreateTable",
        "glue:UpdateTable",
        "glue:DeleteTable",
    ]
    query = [
        "athena:GetWorkGroup",
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StopQueryExecution",
    ]
    crawl = ["glue:GetCrawler", "glue:StartCrawler"]
    # Of the databases that are the platform's by name; a table has its database in its ARN.
    ours = ["catalog", "database/autocorp*", "table/autocorp*/*"]
    return [
        _on("catalog", catalog, *(account.arn("glue", resource) for resource in ours)),
        _on("catalog", crawl, account.arn("glue", f"crawler/{settings.raw_crawler}")),
        _on("queries", query, account.arn("athena", f"workgroup/{settings.workgroup}")),
    ]


def _watch(settings: AwsSettings) -> list[Permission]:
    namespace = {"cloudwatch:namespace": settings.metrics_namespace}
    metrics = Permission(component="metrics", actions=("cloudwatch:PutMetricData",), condition=namespace)
    return [metrics, *([_on("alerts", ["sns:Publish"], settings.alerts_topic)] if settings.alerts_topic else [])]


def _doctor(settings: AwsSettings, account: Account) -> list[Permission]:
    """Only reads; without one of these doctor says that it could not look."""
    bucket = [
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPolicy",
        "s3:GetBucketNotification",
    ]
    unbound = ["dms:DescribeEndpoints", "iam:GetRole", "iam:SimulatePrincipalPolicy", "logs:DescribeLogGroups"]
    found = [
        _on("doctor", bucket, account.bucket(S3Place.of(settings.lake).bucket)),
        _on("doctor", unbound),
        _on("doctor", ["datasync:DescribeLocationS3"], account.arn("datasync", "location/*")),
        _on("doctor", ["glue:GetJob"], account.arn("glue", f"job/{settings.glue_job}")),
    ]
    if settings.alerts_topic:
        found.append(_on("doctor", ["sns:ListSubscriptionsByTopic"], settings.alerts_topic))
    return found

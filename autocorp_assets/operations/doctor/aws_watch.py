"""What is heard and told: news of arrivals, alerts, logs, Dagster's instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autocorp_assets.contracts.raw_format import RAW_CSV, RAW_DATABASE
from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws.clients import client, error_code
from autocorp_assets.resources.aws.s3_place import S3Place
from autocorp_assets.settings import Settings

VISIBILITY_SECONDS = 120
"""A message that comes again before it is forgotten only costs."""
GLUE_LOGS = "/aws-glue/"
CREATED = ("s3:ObjectCreated:*", "s3:*")
CREATED_ONE_BY_ONE = {"s3:ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload"}
NO_QUEUE = "create it (the infrastructure does), or name another in AUTOCORP_AWS_ARRIVALS_QUEUE"


def queue(settings: Settings) -> Iterator[Finding]:
    """It exists, and keeps a message to itself long enough."""
    sqs, name = client("sqs"), settings.aws.arrivals_queue
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        yield failure("news of arrivals", f"there is no queue {name} in this account and region", NO_QUEUE)
        return
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    seconds = int(said["VisibilityTimeout"])
    if seconds < VISIBILITY_SECONDS:
        remedy = f"aws sqs set-queue-attributes --queue-url {url} --attributes VisibilityTimeout={VISIBILITY_SECONDS}"
        yield warning("news of arrivals", f"queue {name} tells a message again after {seconds} s already", remedy)
    else:
        yield ok("news of arrivals", f"queue {name}")


def notifications(settings: Settings) -> Iterator[Finding]:
    """The bucket tells the queue of new raw objects, directly or by way of something else."""
    sqs, subject = client("sqs"), "news of arrivals: notifications"
    try:
        url = sqs.get_queue_url(QueueName=settings.aws.arrivals_queue)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lake = S3Place.of(settings.aws.lake)
    said = client("s3").get_bucket_notification_configuration(Bucket=lake.bucket)
    if "EventBridgeConfiguration" in said or said.get("TopicConfigurations"):
        yield ok(subject, f"bucket {lake.bucket} tells EventBridge or SNS; that these tell {arn} is not looked at")
        return
    direct = [one for one in said.get("QueueConfigurations", []) if one["QueueArn"] == arn and _is_of_creation(one)]
    missing = [folder for folder in (RAW_DATABASE, RAW_CSV) if not _is_told(direct, lake.key(f"{folder}/"))]
    if missing:
        remedy = (
            f"let the bucket notify {arn} of s3:ObjectCreated:* with prefix {lake.key('raw/')}, and let S3 send to it"
        )
        where = " and ".join(missing)
        found = f"bucket {lake.bucket} does not tell the queue of {where}: only the slow listing finds new objects"
        yield failure(subject, found, remedy)
    else:
        yield ok(subject, f"bucket {lake.bucket} tells {arn}")


def _is_of_creation(configuration: Mapping[str, Any]) -> bool:
    events = set(configuration.get("Events", []))
    return bool(events & set(CREATED)) or events >= CREATED_ONE_BY_ONE


def _is_told(configurations: list[dict[str, Any]], folder: str) -> bool:
    return any(folder.startswith(_prefix(one)) for one in configurations)


def _prefix(configuration: Mapping[str, Any]) -> str:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return next((rule["Value"] for rule in rules if rule["Name"].lower() == "prefix"), "")


def topic(settings: Settings) -> Iterator[Finding]:
    """It exists, and somebody hears it."""
    arn, sns = settings.aws.alerts_topic, client("sns")
    if arn is None:
        remedy = "set AUTOCORP_AWS_ALERTS_TOPIC to the ARN of an SNS topic"
        yield warning("alerts", "there is no topic: what fails is only logged", remedy)
        return
    try:
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    except sns.exceptions.ClientError as error:
        if error_code(error) not in ("NotFound", "NotFoundException"):
            raise
        yield failure("alerts", f"there is no topic {arn}", "create it, or correct AUTOCORP_AWS_ALERTS_TOPIC")
        return
    # A subscription has an ARN once it is confirmed.
    confirmed = [one for one in subscriptions if one["SubscriptionArn"].startswith("arn:")]
    pending = len(subscriptions) - len(confirmed)
    if confirmed:
        yield ok("alerts", f"{arn} has {len(confirmed)} subscriptions")
    else:
        remedy = (
            "confirm it: its mail has a link" if pending else f"aws sns subscribe --topic-arn {arn} --protocol email"
        )
        yield warning("alerts", f"nobody hears {arn}: {pending} subscriptions wait for confirmation", remedy)


def glue_logs(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001 Glue's own names
    """They are where failed runs are explained."""
    groups = client("logs").describe_log_groups(logGroupNamePrefix=GLUE_LOGS, limit=1)["logGroups"]
    yield ok("logs of Glue", groups[0]["logGroupName"] if groups else "none yet: Glue makes them with its first run")


def dagster_instance(settings: Settings) -> Iterator[Finding]:
    """The one that the environment names, else the data folder's own."""
    shared = settings.shared_dagster_home
    if shared is None:
        yield from _own_instance(settings)
        return
    import dagster as dg

    with dg.DagsterInstance.from_config(str(shared)) as instance:
        runs = instance.get_runs_count()
    yield ok("Dagster instance", f"{shared}, {runs:,} runs")


def _own_instance(settings: Settings) -> Iterator[Finding]:
    from autocorp_assets.operations.doctor.local import dagster_instance as own

    yield from own(settings)

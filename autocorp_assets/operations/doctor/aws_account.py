"""Who asks, where, and whether its clock is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.permissions import Account

SKEW_REFUSED_SECONDS = 300
"""AWS refuses requests whose time differs by more (IAM user guide, signature version 4)."""
SKEW_SECONDS = 30


def caller() -> Iterator[Finding]:
    """Whose credentials are used, and how this machine's clock differs from AWS's."""
    answer = client("sts").get_caller_identity()
    yield ok("credentials", f"{answer['Arn']}, region {client('sts').meta.region_name}")
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if said:
        yield clock(datetime.now(UTC), parsedate_to_datetime(said))


def clock(ours: datetime, theirs: datetime) -> Finding:
    skew = abs((ours - theirs).total_seconds())
    remedy = "set this machine's clock by NTP (timedatectl set-ntp true)"
    if skew > SKEW_REFUSED_SECONDS:
        return failure("clock", f"{skew:,.0f} s from AWS's: requests are refused", remedy)
    if skew > SKEW_SECONDS:
        return warning("clock", f"{skew:,.0f} s from AWS's: lags are wrong by as much", remedy)
    return ok("clock", f"within {max(1.0, skew):.0f} s of AWS's")


def account_of(arn: str) -> Account:
    """The account of a caller's ARN, in the region of our clients."""
    _, partition, _, _, number, _ = arn.split(":", 5)
    return Account(number=number, region=client("sts").meta.region_name, partition=partition)


def caller_arn() -> str:
    return client("sts").get_caller_identity()["Arn"]

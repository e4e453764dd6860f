"""Numbers reach CloudWatch in few requests."""

from __future__ import annotations

import pytest

from autocorp_assets.resources.aws.clients import client
from autocorp_assets.resources.aws.cloudwatch_metrics import CloudwatchMetrics, MetricsError
from autocorp_assets.resources.ports.metrics import Measurement
from autocorp_assets_tests.fakes.faults import THROTTLED, UNAVAILABLE, Fault
from autocorp_assets_tests.fakes.server import FakeAws

pytestmark = pytest.mark.aws


@pytest.fixture
def metrics(aws: FakeAws) -> CloudwatchMetrics:
    return CloudwatchMetrics(namespace="AutoCorp", deployment="aws")


def puts(aws: FakeAws) -> int:
    return sum(number for name, number in aws.faults.requests.items() if name.startswith("monitoring:"))


def test_values_have_their_unit_and_dimensions(aws: FakeAws, metrics):
    aws.faults.add("monitoring", THROTTLED, UNAVAILABLE)
    metrics.publish(
        [
            Measurement(name="Freshness", value=12.5, unit="Seconds", table="customers"),
            Measurement(name="Heartbeat", value=1, unit="Count"),
        ]
    )

    found = {one["MetricName"]: one for one in client("cloudwatch").list_metrics(Namespace="AutoCorp")["Metrics"]}
    assert {one["Name"]: one["Value"] for one in found["Freshness"]["Dimensions"]} == {
        "Deployment": "aws",
        "Table": "customers",
    }
    assert found["Heartbeat"]["Dimensions"] == [{"Name": "Deployment", "Value": "aws"}]


def test_a_thousand_values_are_one_request(aws: FakeAws, metrics):
    metrics.publish([Measurement(name=f"m{n}", value=n, unit="Count") for n in range(1000)])
    assert puts(aws) == 1
    metrics.publish([Measurement(name=f"m{n}", value=n, unit="Count") for n in range(1001)])
    assert puts(aws) == 3
    metrics.publish([])
    assert puts(aws) == 3


def test_a_refusal_says_where_and_why(aws: FakeAws, metrics):
    aws.faults.add("monitoring", Fault(status=403, code="AccessDenied"))

    with pytest.raises(MetricsError, match=r"AutoCorp.*AccessDenied.*autocorp doctor"):
        metrics.publish([Measurement(name="Freshness", value=1, unit="Seconds")])

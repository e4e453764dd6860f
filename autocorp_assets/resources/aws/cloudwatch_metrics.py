"""Metrics of ours in CloudWatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autocorp_assets.resources.aws.clients import client, explain
from autocorp_assets.resources.ports.metrics import Measurement

VALUES_A_CALL = 1000
"""CloudWatch's limit (API reference of PutMetricData); its other one, 1 MB, is beyond that many of ours."""


class MetricsError(RuntimeError):
    """CloudWatch did not take the values; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class CloudwatchMetrics:
    """Metrics with dimensions Deployment and, where a value is of one table, Table."""

    namespace: str
    deployment: str

    def publish(self, measurements: Sequence[Measurement]) -> None:
        """One request for each 1000 values.

        Raises:
            MetricsError: CloudWatch did not take them.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for start in range(0, len(measurements), VALUES_A_CALL):
                some = measurements[start : start + VALUES_A_CALL]
                client("cloudwatch").put_metric_data(
                    Namespace=self.namespace, MetricData=[self._datum(measurement) for measurement in some]
                )
        except (ClientError, BotoCoreError) as error:
            message = f"metrics could not be written to {self.namespace}: {explain(error)}"
            raise MetricsError(message) from error

    def _datum(self, measurement: Measurement) -> dict[str, Any]:
        dimensions = {"Deployment": self.deployment, **({"Table": measurement.table} if measurement.table else {})}
        return {
            "MetricName": measurement.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Value": measurement.value,
            "Unit": measurement.unit,
        }

"""Which checks a deployment has, and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from autocorp_assets.operations.doctor.finding import Finding, Status, failure, ok, warning
from autocorp_assets.operations.doctor.running import SECONDS, Check, run_checks
from autocorp_assets.settings_errors import SettingsError

if TYPE_CHECKING:
    from autocorp_assets.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found."""

    deployment: str
    findings: Sequence[Finding]

    @property
    def is_ok(self) -> bool:
        """Warnings do not count."""
        return all(finding.status is not Status.FAILURE for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON of `autocorp doctor --json`."""
        findings = [asdict(finding) for finding in self.findings]
        return {"ok": self.is_ok, "deployment": self.deployment, "findings": findings}


def examine(settings: Settings, *, on_progress: Callable[[str], None], seconds: float = SECONDS) -> Report:
    """Look at all that the deployment needs.

    Args:
        settings: name the deployment.
        on_progress: takes one line for the operator.
        seconds: that each check may take.
    """
    look = partial(run_checks, on_progress=on_progress, seconds=seconds)
    if settings.deployment == "local":
        return Report(deployment="local", findings=look(local_checks(settings)))
    first = look([Check(subject="settings", look=lambda: _settings(settings))])
    if not any(finding.status is Status.FAILURE for finding in first):
        from autocorp_assets.operations.doctor.aws_account import caller

        first += look([Check(subject="credentials", look=caller)])
    checks = () if any(finding.status is Status.FAILURE for finding in first) else aws_checks(settings)
    if not checks:
        # Each of them would say the same again.
        first.append(warning("everything else", "was not looked at", "mend the failure above, then run this again"))
    return Report(deployment="aws", findings=[*first, *look(checks)])


def _settings(settings: Settings) -> Iterable[Finding]:
    try:
        aws = settings.aws
    except SettingsError as error:
        said, _, remedy = str(error).partition("\n")
        yield failure("settings", said, " ".join(remedy.split()))
        return
    place = f"environment and SSM below {aws.parameters}" if aws.parameters else "environment"
    yield ok("settings", f"read from the {place}; lake {aws.lake}")


def local_checks(settings: Settings) -> list[Check]:
    from autocorp_assets.operations.doctor import local

    looks = {
        "data folder": local.data_folder,
        "Java and jars": local.java_and_jars,
        "web server's port": local.port,
        "source": local.source,
        "landing folder": local.landing_folder,
        "lake": local.lake,
        "replicator": local.replicator,
        "Dagster instance": local.dagster_instance,
        "clock": local.clock,
    }
    return [Check(subject=subject, look=partial(look, settings)) for subject, look in looks.items()]


def aws_checks(settings: Settings) -> list[Check]:
    from autocorp_assets.operations.doctor import (
        aws_catalog,
        aws_curation,
        aws_lake,
        aws_permissions,
        aws_replication,
        aws_source,
        aws_transfer,
        aws_watch,
    )

    looks = {
        "lake": aws_lake.bucket,
        "lake: reading and writing": aws_lake.marker,
        "source": aws_source.connection,
        "source: long texts": aws_source.long_texts,
        "DMS task": aws_replication.task,
        "DataSync": aws_transfer.tasks,
        "landing place": aws_lake.landing,
        "Glue job": aws_curation.job,
        "Glue code": aws_curation.code,
        "databases": aws_catalog.databases,
        "crawler": aws_catalog.crawler,
        "workgroup": aws_catalog.workgroup,
        "news of arrivals": aws_watch.queue,
        "alerts": aws_watch.topic,
        "Dagster instance": aws_watch.dagster_instance,
        "permissions": aws_permissions.simulated,
    }
    only_doctor_asks = {
        "lake: protection": aws_lake.protection,
        "DMS endpoints": aws_replication.endpoints,
        "notifications": aws_watch.notifications,
        "logs of Glue": aws_watch.glue_logs,
    }
    checks = [Check(subject=subject, look=partial(look, settings)) for subject, look in looks.items()]
    return checks + [
        Check(subject=subject, look=partial(look, settings), only_doctor_asks=True)
        for subject, look in only_doctor_asks.items()
    ]

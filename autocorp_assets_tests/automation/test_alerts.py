"""People are told of a failed run once: why, where its page is, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

import dagster as dg

from autocorp_assets.automation.alerts import run_failures_sensor


@dataclass
class Sent:
    """Alerts that are kept."""

    alerts: list[tuple[str, str]] = field(default_factory=list)

    def send(self, *, subject: str, text: str) -> None:
        self.alerts.append((subject, text))


@dg.op
def curate() -> None:
    cause = ValueError("customers: column email is text, the contract says number")
    raise dg.Failure(description="1 of 7 tables was not curated: customers: column email is text") from cause


@dg.op
def replicate_database() -> None:
    message = "DMS task autocorp does not answer"
    raise RuntimeError(message)


@dg.job
def curation() -> None:
    curate()


@dg.job
def replication() -> None:
    replicate_database()


def failed(job: dg.JobDefinition, instance: dg.DagsterInstance) -> tuple[dg.RunFailureSensorContext, Sent]:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    sent = Sent()
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources={"alerts": sent},
    ).for_run_failure()
    return context, sent


def test_the_alert_says_why_where_and_what_to_do():
    with dg.instance_for_test() as instance:
        context, sent = failed(curation, instance)

        run_failures_sensor("https://dagster.example.com/")(context)

        run_id = context.dagster_run.run_id
    ((subject, text),) = sent.alerts
    assert subject == f"AutoCorp: curate failed (run {run_id[:8]})"
    assert "curate: 1 of 7 tables was not curated: customers: column email is text" in text
    assert f"https://dagster.example.com/runs/{run_id}" in text
    assert "is taken up again within ten minutes" in text
    assert "Traceback" not in text


def test_of_an_error_that_nobody_expected_the_root_cause_is_told():
    with dg.instance_for_test() as instance:
        context, sent = failed(replication, instance)

        run_failures_sensor("http://127.0.0.1:3000")(context)

    assert "replicate_database: RuntimeError: DMS task autocorp does not answer" in sent.alerts[0][1]

"""People are told of runs that have failed."""

import dagster as dg

from autocorp_assets.resources.ports.alerts import Alerts

WATCH_SECONDS = 30
FAILED_SUBJECT = "AutoCorp: {named} failed (run {run})"
LONGEST_CAUSE = 4_000
"""Characters of one step's failure: its page has the whole."""
WHAT_NEXT = (
    "What is pending is taken up again within ten minutes, since raw keeps every file: nothing has to be done if the "
    "cause is gone by itself. Else mend it as the text above says, and run the failed run again from its page, or "
    "`autocorp sync`."
)


def run_failures_sensor(ui_url: str) -> dg.SensorDefinition:
    """Sends one alert for each failed run.

    Args:
        ui_url: where people open Dagster's UI.
    """

    @dg.run_failure_sensor(
        name="run_failures",
        minimum_interval_seconds=WATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people of each failed run once: why, where its page is, and what to do.",
    )
    def run_failures(context: dg.RunFailureSensorContext, alerts: dg.ResourceParam[Alerts]) -> None:
        run = context.dagster_run
        steps = context.get_step_failure_events()
        causes = [step_cause(event) for event in steps]
        named = ", ".join(dict.fromkeys(event.step_key or "" for event in steps)) or run.job_name
        # Also here: the tick's log is what the UI shows.
        context.log.error(f"run {run.run_id} failed: {context.failure_event.message}")
        alerts.send(
            subject=FAILED_SUBJECT.format(named=named, run=run.run_id[:8]),
            text="\n\n".join(
                [
                    f"{context.failure_event.message or 'The run failed.'}",
                    *causes,
                    f"The run's page: {ui_url.rstrip('/')}/runs/{run.run_id}",
                    WHAT_NEXT,
                ]
            ),
        )

    return run_failures


def step_cause(event: dg.DagsterEvent) -> str:
    """What the failed step itself said, without Dagster's wrapping and stack."""
    told = event.step_failure_data.user_failure_data
    text = told.description if told else None
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = text or (error.message.strip() if error else "failed without a reason")
    shown = text if len(text) <= LONGEST_CAUSE else f"{text[:LONGEST_CAUSE]}…"
    return f"{event.step_key}: {shown}"

"""Looks at many things at once, each for a bounded time, and takes errors for findings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from autocorp_assets.operations.doctor.finding import Finding, failure, failure_of, warning
from autocorp_assets.resources.aws.clients import error_code, explain, is_aws_error

SECONDS = 10.0
"""That a check may take."""
DENIED = ("AccessDenied", "AccessDeniedException", "AccessDeniedFault", "AuthorizationError", "403", "Forbidden")
OUR_PACKAGES = ("autocorp_assets.", "spark_jobs.")
REMEDIES = {
    "NoCredentialsError": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is",
    "PartialCredentialsError": "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "NoRegionError": "export AWS_REGION=<the region of the lake>",
    "ProfileNotFound": "correct AWS_PROFILE, or make the profile (`aws configure sso`)",
}
NETWORK = "check that this machine reaches the service: in a VPC without internet it takes an endpoint for it"

Look = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A look at one subject."""

    subject: str
    look: Look
    only_doctor_asks: bool = False
    """The deployment itself does not need what is asked for the look: a refusal is only a warning."""


def run_checks(
    checks: Sequence[Check], *, on_progress: Callable[[str], None], seconds: float = SECONDS
) -> list[Finding]:
    """Findings in the order of the checks, which run at the same time.

    Args:
        checks: all are run, whatever the others find.
        on_progress: told of each that is done.
        seconds: for each check. One that takes longer is a failure and left behind: its thread ends with the process.
    """
    running = [_Running(check=check, on_progress=on_progress) for check in checks]
    deadline = time.monotonic() + seconds
    for one in running:
        one.thread.start()
    for one in running:
        one.thread.join(max(0.0, deadline - time.monotonic()))
    return [finding for one in running for finding in one.result(seconds)]


@dataclass
class _Running:
    check: Check
    on_progress: Callable[[str], None]
    findings: list[Finding] | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"doctor {self.check.subject}", daemon=True)

    def _run(self) -> None:
        found: list[Finding] = []
        try:
            found += self.check.look()
        except Exception as error:  # noqa: BLE001 whatever it is, the operator is told and the others go on
            found.append(from_error(self.check, error))
        self.findings = found
        self.on_progress(f"{self.check.subject}: {_summary(found)}")

    def result(self, seconds: float) -> list[Finding]:
        if self.findings is not None:
            return self.findings
        return [failure(self.check.subject, f"no answer within {seconds:g} s", NETWORK)]


def from_error(check: Check, error: Exception) -> Finding:
    """What an error that nobody expected says of the subject."""
    if is_aws_error(error):
        # The second half of an explanation is its remedy.
        said, _, remedy = explain(error).partition("; ")
        if error_code(error) in DENIED:
            operation = getattr(error, "operation_name", "the call")
            if check.only_doctor_asks:
                return warning(check.subject, f"could not be looked at: {said}", f"let the role call {operation}")
            return failure(check.subject, said, f"let the role call {operation}")
        return failure(check.subject, said, remedy or REMEDIES.get(type(error).__name__, NETWORK))
    if type(error).__module__.startswith(OUR_PACKAGES):
        return failure_of(check.subject, str(error))
    return failure(check.subject, f"{type(error).__name__}: {error}", "`autocorp --verbose doctor` shows where")


def _summary(found: Sequence[Finding]) -> str:
    bad = [finding for finding in found if finding.remedy]
    return f"{len(bad)} of {len(found)} need a look" if bad else "ok"

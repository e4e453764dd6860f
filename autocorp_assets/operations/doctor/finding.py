"""What a look at one thing came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the deployment needs, and how it stands."""

    subject: str
    status: Status
    found: str
    remedy: str = ""
    """What to do; empty when all is well."""


def ok(subject: str, found: str) -> Finding:
    return Finding(subject=subject, status=Status.OK, found=found)


def warning(subject: str, found: str, remedy: str) -> Finding:
    """The platform runs, and something is lost that it should have."""
    return Finding(subject=subject, status=Status.WARNING, found=found, remedy=remedy)


def failure(subject: str, found: str, remedy: str) -> Finding:
    """Some of the platform does not run, or loses data."""
    return Finding(subject=subject, status=Status.FAILURE, found=found, remedy=remedy)


def failure_of(subject: str, message: str) -> Finding:
    """Of an error of ours, whose message ends with what to do."""
    for mark in ("; ", ". ", ": "):
        found, is_there, remedy = message.rpartition(mark)
        if is_there and remedy:
            return failure(subject, found, remedy)
    return failure(subject, message, "see the documentation of the settings")

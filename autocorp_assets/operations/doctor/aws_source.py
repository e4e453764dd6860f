"""The database behind DMS: its secret, the way to it, and what replication needs of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from autocorp_assets.contracts import TABLES
from autocorp_assets.operations.doctor.aws_replication import find_task
from autocorp_assets.operations.doctor.finding import Finding, failure, failure_of, ok, warning
from autocorp_assets.resources.aws.dms_settings import LOB_KILOBYTES, longest_texts, without_full_identity
from autocorp_assets.resources.aws.dms_slot import retained_log
from autocorp_assets.resources.aws.source import SecretSource
from autocorp_assets.resources.ports.source import GIB, SourceUnavailable
from autocorp_assets.settings import Settings

STATEMENT_SECONDS = 8.0
SUBJECT = "source"


def connection(settings: Settings) -> Iterator[Finding]:
    """The secret leads to a database that can be replicated."""
    from autocorp_assets.local.source.preflight import preflight

    source = _source(settings)
    try:
        address, dsn = source.address(), source.connection_string()
    except SourceUnavailable as error:
        yield failure_of(f"{SUBJECT}: secret", str(error))
        return
    yield ok(f"{SUBJECT}: secret", f"{settings.aws.source_secret} leads to {address}")
    retained = retained_log(source, settings.slot)
    # DMS names its slot itself; where it has one already, it needs no other.
    problems = preflight(dsn, TABLES.values(), slot=retained.slot if retained else None)
    for problem in problems:
        remedy = problem.remedy.replace("AUTOCORP_SOURCE_DSN", f"secret {settings.aws.source_secret}")
        yield failure(SUBJECT, problem.what, remedy)
    if problems:
        return
    yield ok(SUBJECT, f"wal_level logical, {len(TABLES)} tables with their primary keys, the role may replicate")
    if retained is not None and retained.warning:
        yield warning("source: log", f"{retained.bytes / GIB:,.2f} GiB kept for DMS", retained.warning)
    with source.connect(statement_seconds=STATEMENT_SECONDS) as session:
        lacking = without_full_identity(session)
    if lacking:
        remedy = "; ".join(f"ALTER TABLE public.{table} REPLICA IDENTITY FULL" for table in lacking)
        found = f"{', '.join(lacking)}: DMS writes NULL for a large text that an update leaves as it is"
        yield failure("source: replica identity", found, remedy)
    else:
        yield ok("source: replica identity", "FULL for every table with texts")


def long_texts(settings: Settings) -> Iterator[Finding]:
    """No text is longer than the task's LobMaxSize; reads the texts once, as far as it gets in the time."""
    subject = "source: long texts"
    limit = _lob_kilobytes(settings)
    try:
        with _source(settings).connect(statement_seconds=STATEMENT_SECONDS) as session:
            texts = longest_texts(session)
    except SourceUnavailable as error:
        remedy = "once the source can be reached, ask it: SELECT max(octet_length(…)) of its text columns"
        yield warning(subject, f"could not be measured: {error}", remedy)
        return
    long = [text for text in texts if text.kilobytes > limit]
    for text in long:
        found = f"{text.table}.{text.column} has {text.kilobytes:,.0f} KB; the task takes {limit:,} KB"
        remedy = f"set the task's LobMaxSize to {_next_size(text.kilobytes):,} or more: DMS cuts longer ones, or stops"
        yield warning(subject, found, remedy)
    if not long:
        longest = max((text.kilobytes for text in texts), default=0)
        yield ok(subject, f"the longest has {longest:,.1f} KB; the task takes {limit:,} KB")


def _source(settings: Settings) -> SecretSource:
    return SecretSource(secret=settings.aws.source_secret, root_certificate=settings.aws.source_root_certificate)


def _lob_kilobytes(settings: Settings) -> int:
    """What the task takes; what it should take where there is none."""
    task = find_task(settings)
    said = json.loads(task.get("ReplicationTaskSettings") or "{}") if task else {}
    return int(said.get("TargetMetadata", {}).get("LobMaxSize", LOB_KILOBYTES))


def _next_size(kilobytes: float) -> int:
    """A power of two with room for growth."""
    return 2 ** (int(kilobytes).bit_length() + 1)

"""Where SQL finds the tables: databases, the crawler of raw, Athena's workgroup."""

from __future__ import annotations

from collections.abc import Iterator

from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.resources.aws.clients import client
from autocorp_assets.settings import Settings
from autocorp_assets.table_metadata import DATABASE_NAME

VIEWS_DATABASE = "autocorp"
"""Of analysts."""
RAW = "raw/"


def databases(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001 their names are not settings
    glue = client("glue")
    for name in (DATABASE_NAME, VIEWS_DATABASE):
        try:
            glue.get_database(Name=name)
        except glue.exceptions.EntityNotFoundException:
            remedy = f"aws glue create-database --database-input Name={name}"
            yield failure(f"database {name}", "the Glue catalog does not have it", remedy)
        else:
            yield ok(f"database {name}", "in the Glue catalog")


def crawler(settings: Settings) -> Iterator[Finding]:
    """It crawls raw and nothing else: it would make other tables of Hudi's and Delta's files."""
    glue, name = client("glue"), settings.aws.raw_crawler
    try:
        found = glue.get_crawler(Name=name)["Crawler"]
    except glue.exceptions.EntityNotFoundException:
        remedy = "create it (the infrastructure does), or name another in AUTOCORP_AWS_RAW_CRAWLER"
        yield failure("crawler", f"there is no crawler {name} in this account and region", remedy)
        return
    targets = [target["Path"] for target in found.get("Targets", {}).get("S3Targets", [])]
    raw = f"{settings.aws.lake}/{RAW}"
    others = [path for path in targets if not f"{path.rstrip('/')}/".startswith(raw)]
    if others or not targets:
        remedy = f"aws glue update-crawler --name {name}, with targets below {raw} only"
        yield failure("crawler", f"{name} crawls {', '.join(others) or 'nothing'}", remedy)
    else:
        yield ok("crawler", f"{name} crawls {', '.join(targets)}")


def workgroup(settings: Settings) -> Iterator[Finding]:
    """It is on, says where results go, and how much a query may scan."""
    athena, name = client("athena"), settings.aws.workgroup
    try:
        found = athena.get_work_group(WorkGroup=name).get("WorkGroup")
    except athena.exceptions.InvalidRequestException:
        found = None
    if found is None:
        remedy = "create it (the infrastructure does), or name another in AUTOCORP_AWS_WORKGROUP"
        yield failure("workgroup", f"Athena has no workgroup {name} in this account and region", remedy)
        return
    how, said = f"aws athena update-work-group --work-group {name}", found.get("Configuration", {})
    problems: list[Finding] = []
    if found.get("State") != "ENABLED":
        problems.append(failure("workgroup", f"{name} is {found.get('State')}", f"{how} --state ENABLED"))
    is_managed = (said.get("ManagedQueryResultsConfiguration") or {}).get("Enabled")
    place = (said.get("ResultConfiguration") or {}).get("OutputLocation")
    if not (place or is_managed):
        remedy = f"{how}, with ResultConfiguration.OutputLocation"
        problems.append(failure("workgroup: results", f"{name} says no place for results", remedy))
    if not said.get("EnforceWorkGroupConfiguration"):
        remedy = f"{how}, with EnforceWorkGroupConfiguration=true"
        problems.append(failure("workgroup: results", f"{name} lets a query have settings of its own", remedy))
    if not said.get("BytesScannedCutoffPerQuery"):
        remedy = f"{how}, with BytesScannedCutoffPerQuery"
        problems.append(warning("workgroup: limit", f"{name} does not bound what a query may scan and cost", remedy))
    yield from problems or [ok("workgroup", f"{name}: results to {place or 'Athena'}, scans are bounded")]

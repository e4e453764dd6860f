"""docs/checks.md: every rule of the contracts and every check of the code location, in words. `make docs` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autocorp_assets.contracts import TABLE_BY_FEED, TABLES
from autocorp_assets.contracts.model import (
    REQUIRED,
    Column,
    References,
    Repeats,
    SumsLines,
    SumsTo,
    TableContract,
    Unique,
)
from autocorp_assets.settings import PROJECT_FOLDER

if TYPE_CHECKING:
    import dagster as dg

    from autocorp_assets.checks.meaning import CheckMeaning

PAGE = PROJECT_FOLDER / "docs" / "checks.md"
MIRRORED = "applied: the lake mirrors the source; flagged"
KEPT_OUT = "kept out whole, in quarantine"
KEPT = "applied; flagged"
NOT_DELIVERED = "exports do not have the column"
NO_EXPORT = "—"
INTRODUCTION = """\
# Rules and checks

What each table must keep, what becomes of a row that does not, and every check that watches it: when it runs, how a
failure counts, what it means and what to do. Made from the contracts (`autocorp_assets/contracts/`) and the checks'
specs by `make docs`: edit those, not this page.

- **error**: something is wrong in the lake, or missing from it. **warning**: somebody should look; the table is usable.
- A row of the **database** is mirrored whatever it says. Only a value that the lake's type or key cannot hold is kept
  in quarantine; the row's last good version stays, and reconciliation names it.
- A row of an **export** (CSV) that breaks a rule goes to quarantine whole, with its file, position and reasons. It
  comes back when the file is delivered corrected, or by `autocorp quarantine replay` once the rule was mended.
- An asset's page in the Dagster UI has the results (Checks), their counts and a sample of failing rows without personal
  data. `autocorp status` lists what fails, `autocorp report` writes all of it as a page.
"""


@dataclass(frozen=True, kw_only=True)
class DescribedCheck:
    """A check of the code location."""

    key: dg.AssetCheckKey
    meaning: CheckMeaning | None
    """None for a check whose spec does not say it."""
    description: str

    @property
    def asset(self) -> str:
        return self.key.asset_key.to_user_string()

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def table(self) -> str | None:
        """The contract's table that it watches, curated or in raw; None for one of something else."""
        of = self.key.asset_key.path[-1]
        if self.asset.startswith("raw/csv/"):
            return TABLE_BY_FEED[of].name if of in TABLE_BY_FEED else None
        return of if self.asset.startswith(("curated/", "raw/")) and of in TABLES else None

    @property
    def is_of_freshness(self) -> bool:
        from autocorp_assets.checks.meaning import Question

        return self.meaning is not None and self.meaning.answers is Question.FRESH


def described_checks(definitions: dg.Definitions) -> list[DescribedCheck]:
    """Every check of the code location: those of curated tables first, then as they are defined by name."""
    from autocorp_assets.checks.meaning import meaning_of

    graph = definitions.resolve_asset_graph()
    specs = (graph.get_check_spec(key) for key in graph.asset_check_keys)
    found = [
        DescribedCheck(key=spec.key, meaning=meaning_of(spec), description=spec.description or "") for spec in specs
    ]
    return sorted(found, key=lambda check: (not check.asset.startswith("curated/"), check.asset, check.name))


def checks_page(checks: Iterable[DescribedCheck]) -> str:
    """The whole of docs/checks.md."""
    listed = list(checks)
    lines = [INTRODUCTION, "## Tables", *(f"- [{name}](#{name})" for name in TABLES), ""]
    for contract in TABLES.values():
        lines += _table(contract, [check for check in listed if check.table == contract.name])
    if others := [check for check in listed if check.table is None]:
        lines += ["## Checks of other assets", "", *_checks(others), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(contract: TableContract, checks: Iterable[DescribedCheck]) -> Iterator[str]:
    yield from (f"## {contract.name}", "", contract.description, "")
    yield from ("### Rules", "", *_rules(contract), "")
    if notes := list(_export_notes(contract)):
        yield from (*notes, "")
    yield from ("### Checks", "", *_checks(checks))


def _rules(contract: TableContract) -> Iterator[str]:
    from autocorp_assets.table_metadata import constraint_text, table_rule_text

    yield from _row("rule", "how a breach counts", "a database row that breaks it", "an export's row that breaks it")
    yield from _row("---", "---", "---", "---")
    for column in contract.columns:
        texts = [*([REQUIRED] if column.required else []), *map(_with_code, map(constraint_text, column.rules))]
        for text in texts:
            yield from _row(
                f"`{column.name}`: {text}", "error (`rules`)", f"{MIRRORED} by `rules`", _csv_fate(contract, column)
            )
    for rule in contract.rules:
        text = table_rule_text(rule)
        match rule:
            case SumsTo(total=total):
                fate = _csv_fate(contract, contract.column_by_name[total])
                yield from _row(text, "error (`rules`)", f"{MIRRORED} by `rules`", fate)
            case SumsLines():
                flagged = f"{KEPT} by `order_arithmetic`"
                yield from _row(
                    text,
                    "warning (`order_arithmetic`)",
                    flagged,
                    f"{flagged}, once its lines are delivered" if contract.csv_feed else NO_EXPORT,
                )
            case References():
                flagged = f"{KEPT} by `references`"
                yield from _row(
                    text, "warning (`references`)", flagged, _csv_reference(contract, rule, flagged=flagged)
                )
            case Unique():
                counts = "error among the rows of a run (`rules`), warning over the table (`unique_keys`)"
                export = f"{KEPT} by `rules` and `unique_keys`" if contract.csv_feed else NO_EXPORT
                yield from _row(text, counts, f"{MIRRORED} by `rules` and `unique_keys`", export)


def _with_code(constraint: str) -> str:
    """A regular expression is code: Markdown would read signs of its own in it."""
    before, matches, pattern = constraint.partition("matches ")
    return f"{before}{matches}`{pattern}`" if matches else constraint


def _csv_fate(contract: TableContract, column: Column) -> str:
    feed = contract.csv_feed
    if feed is None:
        return NO_EXPORT
    return KEPT_OUT if column.name in feed.table_column.values() else NOT_DELIVERED


def _csv_reference(contract: TableContract, rule: References, *, flagged: str) -> str:
    """An export can only be held to what exports of the other table deliver."""
    if contract.csv_feed is None:
        return NO_EXPORT
    if rule.column not in contract.csv_feed.table_column.values():
        return NOT_DELIVERED
    parent = TABLES[rule.to_table].csv_feed
    is_delivered = parent is not None and rule.to_column in parent.table_column.values()
    return flagged if is_delivered else "applied, and not judged: exports do not say whom it means"


def _export_notes(contract: TableContract) -> Iterator[str]:
    feed = contract.csv_feed
    if feed is None:
        return
    for derived in feed.derivations:
        yield (
            f"- A missing `{derived.target}` in an export is made from `{derived.minuend}` less "
            f"`{derived.subtrahend}`, and counted as a repair."
        )
    key = " and ".join(f"`{name}`" for name in feed.key)
    if feed.repeats is Repeats.QUARANTINED:
        yield f"- Of rows of one export that share {key}, the last counts; the others are kept out, in quarantine."


def _checks(checks: Iterable[DescribedCheck]) -> Iterator[str]:
    for check in checks:
        yield from (f"#### `{check.name}` of `{check.asset}`", "")
        if (told := check.meaning) is None:
            yield from (check.description, "")
        else:
            yield from (f"**{told.title}.** {told.means}", "", f"- Severity: {told.severity}.", f"- When: {told.runs}.")
            yield from (f"- What to do: {told.what_to_do}", "")


def _row(*cells: str) -> Iterator[str]:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    yield f"| {' | '.join(escaped)} |"


def main() -> None:
    """Writes the page."""
    from autocorp_assets.definitions import defs

    PAGE.write_text(checks_page(described_checks(defs)), encoding="utf-8")


if __name__ == "__main__":
    main()

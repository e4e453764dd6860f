"""The report as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from autocorp_assets.report.figures import bars
from autocorp_assets.report.model import Report, State
from autocorp_assets.report.verdict import COMPLETE, CORRECT, FRESH, Verdict, judge
from autocorp_assets.report.words import age, counted, moment

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATE = "page.html.j2"
SYMBOLS = {State.GOOD: "✓", State.UNKNOWN: "?", State.WARNING: "!", State.ERROR: "✗"}
ANSWERS = {State.GOOD: "Yes", State.UNKNOWN: "Not known", State.WARNING: "Not quite", State.ERROR: "No"}
RESULTS = {State.GOOD: "passed", State.UNKNOWN: "not judged", State.WARNING: "warning", State.ERROR: "error"}
AGES = {State.GOOD: "fresh", State.UNKNOWN: "not known", State.WARNING: "late", State.ERROR: "too late"}
QUESTIONS = {FRESH: "Is everything fresh?", COMPLETE: "Is everything complete?", CORRECT: "Is everything correct?"}
_CODE = re.compile(r"`([^`]+)`")


def render(report: Report, verdict: Verdict | None = None) -> str:
    """The page; every text in it is escaped."""
    template = _environment(report.generated_at).get_template(TEMPLATE)
    return template.render(report=report, verdict=verdict or judge(report), questions=QUESTIONS, bars=bars)


def _environment(now: datetime) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("autocorp_assets.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "code": _code,
        "number": lambda value: "—" if value is None else f"{value:,}",
        "moment": moment,
        "age": age,
        "ago": lambda at: f"{age((now - at).total_seconds())} ago",
        "counted": counted,
        "symbol": lambda state: SYMBOLS[state],
        "answer": lambda state: ANSWERS[state],
        "result": lambda state: RESULTS[state],
        "freshness": lambda state: AGES[state],
        "sentence": _sentence,
    }
    return environment


def _code(text: str) -> Markup:
    """`text` in backticks as code; the rest as it is. Both are escaped."""
    from markupsafe import Markup

    pieces = _CODE.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if at % 2 else Markup("{}").format(piece)
        for at, piece in enumerate(pieces)
    )


def _sentence(text: str) -> str:
    """Ends with a full stop. It may begin with a column's name, so that its first letter stays as it is."""
    return f"{text}{'' if not text or text.endswith(('.', '…', '?', '!')) else '.'}"

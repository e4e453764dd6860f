"""Small figures as inline SVG, which is read out as well as seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

HEIGHT = 28
BAR = 7
GAP = 2
LEAST = 2
"""Height of a bar that stands for little: more than nothing must be seen."""


def bars(values: Sequence[int], days: Sequence[date], *, label: str, kind: str = "rows") -> Markup:
    """A bar a day, the highest for the greatest value; a day without any has a dot.

    Args:
        values: one a day, not negative.
        days: oldest first.
        label: what is shown, for who does not see it; the figures are added.
        kind: class of the bars' colour: `rows` or `quarantined`.
    """
    width = len(values) * (BAR + GAP) - GAP
    told = _told(values, days, label)
    shapes = Markup("").join(_bar(value, max(values, default=0), at) for at, value in enumerate(values))
    return Markup(
        '<svg class="bars bars-{kind}" role="img" aria-label="{told}" viewBox="0 0 {width} {height}" '
        'width="{width}" height="{height}"><title>{told}</title>{shapes}</svg>'
    ).format(kind=kind, told=told, width=max(width, 1), height=HEIGHT, shapes=shapes)


def _bar(value: int, greatest: int, at: int) -> Markup:
    tall = max(LEAST, round(HEIGHT * value / greatest)) if value else 1
    template = Markup('<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{tall}"/>')
    kind = "some" if value else "none"
    return template.format(kind=kind, x=at * (BAR + GAP), y=HEIGHT - tall, width=BAR, tall=tall)


def _told(values: Sequence[int], days: Sequence[date], label: str) -> str:
    total = sum(values)
    if not total:
        return f"{label}: none from {days[0]} to {days[-1]}" if days else f"{label}: none"
    most = max(range(len(values)), key=lambda at: values[at])
    return f"{label}: {total:,} from {days[0]} to {days[-1]}, most on {days[most]} ({values[most]:,})"

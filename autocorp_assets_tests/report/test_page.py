"""The page is sound HTML that needs nothing else, hides nothing from anybody, and believes no text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from autocorp_assets.report.figures import bars
from autocorp_assets.report.model import RunFailure, SchemaChange, State
from autocorp_assets.report.page import TEMPLATE, render
from autocorp_assets_tests.report.conftest import DAYS, NOW, check, freshness, kept_out, reconciled, report, table

VOID = {"meta", "br", "rect", "link"}
HOSTILE = """<script>alert(1)</script>"><img src=x onerror='alert(2)'> `<b>code</b>`"""
AA_TEXT, AA_GRAPHIC = 4.5, 3.0


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list[Node]:
        found = [self] if self.tag == tag else []
        return found + [node for child in self.children for node in child.all(tag)]

    def every(self) -> list[Node]:
        return [self, *(node for child in self.children for node in child.every())]

    @property
    def words(self) -> str:
        return " ".join(" ".join([self.text, *(child.words for child in self.children)]).split())


class Tree(HTMLParser):
    """Builds the page's tree, and fails for a tag that is not closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack = [Node("document", {})]
        self.feed(html)
        self.close()
        assert [node.tag for node in self.stack] == ["document"]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].children.append(node)
        if tag not in VOID:
            self.stack.append(node)

    def handle_startendtag(self, tag, attrs):
        self.stack[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop().tag == tag

    def handle_data(self, data):
        self.stack[-1].children.append(Node("#text", {}, text=data))


def everything():
    """A report with something in every part of the page."""
    busy = table(
        table="sales_order",
        freshness=freshness(
            state=State.ERROR,
            age_seconds=4000.0,
            pending_files=3,
            pending_since=NOW,
            why="3 raw files not taken in yet",
        ),
        taken_in=replace(table().taken_in, counted_since=NOW),
        checks=(
            check(state=State.ERROR, told="rule: broken"),
            check(name="catalog", state=State.UNKNOWN, at=None),
            check(name="unique_keys", state=State.UNKNOWN),
        ),
        quarantine=kept_out(("price: at least 0", 3), ("name: required", 2)),
        reconciliation=reconciled(state=State.ERROR, differences=2, told="2 missing"),
        schema_changes=(
            SchemaChange(column="loyalty", what="added", before="", after="int", is_named=False, first_seen=NOW),
        ),
        failure=RunFailure(at=NOW, run_id="0123456789", reason="column price is text"),
    )
    gone = table(
        table="service",
        exists=False,
        rows=None,
        committed_at=None,
        checks=(),
        reconciliation=None,
        freshness=freshness(state=State.UNKNOWN, as_of=None, age_seconds=None, last_change_at=None, last_run_at=None),
    )
    broken = table(table="customers", problem="has log files", rows=None)
    other = (check(asset="views/customer", name="one_row_a_person", title=""),)
    return report(table(), busy, gone, broken, other_checks=other)


@pytest.fixture(scope="module")
def page() -> Node:
    return Tree(render(everything())).stack[0]


def test_it_has_a_language_a_title_one_main_heading_and_levels_without_a_gap(page):
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    assert page.all("title")[0].words.startswith("AutoCorp data lake, 2026-03-05 12:00 UTC: ")
    levels = [int(node.tag[1]) for node in page.every() if re.fullmatch(r"h\d", node.tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("main")) == 1


def test_tables_have_captions_and_scopes(page):
    for found in page.all("table"):
        assert found.all("caption")[0].words
        assert all(head.attributes["scope"] in ("col", "row") for head in found.all("th"))


def test_identities_are_unique_and_references_lead_somewhere(page):
    names = [node.attributes["id"] for node in page.every() if "id" in node.attributes]
    assert len(names) == len(set(names))
    for node in page.every():
        assert node.attributes.get("href", "#main").removeprefix("#") in names
        assert node.attributes.get("aria-labelledby", "main") in names


def test_figures_are_read_out(page):
    figures = page.all("svg")
    assert figures
    for figure in figures:
        assert figure.attributes["role"] == "img"
        assert figure.attributes["aria-label"] == figure.all("title")[0].words


def test_a_state_is_a_word_and_a_sign_and_not_a_colour_alone(page):
    badges = [node for node in page.every() if "state" in node.attributes.get("class", "").split()]
    assert {badge.attributes["class"].split()[1] for badge in badges} == {"good", "unknown", "warning", "error"}
    for badge in badges:
        sign = badge.children[0]
        assert sign.attributes == {"class": "symbol", "aria-hidden": "true"}
        assert sign.words in "✓?!✗"
        assert badge.words.removeprefix(sign.words).strip()


def test_it_needs_no_network_and_no_script(page):
    text = render(everything())
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert not [node for node in page.every() if node.tag in ("script", "link", "img", "iframe", "base")]
    assert not [name for node in page.every() for name in node.attributes if name.startswith("on") or name == "src"]
    (policy,) = [m for m in page.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_text_from_outside_stays_text():
    failing = check(state=State.ERROR, told=HOSTILE, title=HOSTILE, what_to_do=HOSTILE)
    change = SchemaChange(column=HOSTILE, what="added", before="", after=HOSTILE, is_named=False, first_seen=None)
    hostile = table(
        problem=HOSTILE,
        checks=(failing,),
        quarantine=kept_out((HOSTILE, 2)),
        reconciliation=reconciled(told=HOSTILE),
        schema_changes=(change,),
        failure=RunFailure(at=NOW, run_id=HOSTILE, reason=HOSTILE),
    )
    page = Tree(render(report(hostile))).stack[0]

    assert not [node for node in page.every() if node.tag in ("script", "img", "b")]
    assert not [name for node in page.every() for name in node.attributes if name.startswith("on")]
    assert page.words.count("<script>alert(1)</script>") > 5


def test_the_first_screen_answers_and_says_what_to_run(page):
    cards = [item.words for item in page.all("main")[0].children[1].all("li")]
    assert [card.split("?")[0] for card in cards] == [
        f"Is everything {what}" for what in ("fresh", "complete", "correct")
    ]
    assert "✗ No" in cards[0]
    (issues,) = page.all("ol")
    first = issues.all("li")[0].words
    assert first.startswith("✗ error")
    assert "What to do:" in first
    assert "`" not in issues.words


def test_a_table_that_is_not_there_says_how_to_get_it(page):
    section = next(node for node in page.all("section") if node.attributes["aria-labelledby"] == "service")
    assert "The table is not there yet. autocorp sync makes it" in section.words
    assert "Not compared yet: autocorp reconcile service" in section.words


def test_bars_grow_with_their_values_and_nothing_is_seen_as_nothing():
    figure = Tree(str(bars([0, 5, 10], DAYS, label="Rows"))).stack[0]

    assert [(bar.attributes["class"], int(bar.attributes["height"])) for bar in figure.all("rect")] == [
        ("none", 1),
        ("some", 14),
        ("some", 28),
    ]
    told = figure.all("svg")[0].attributes["aria-label"]
    assert told == "Rows: 15 from 2026-03-03 to 2026-03-05, most on 2026-03-05 (10)"


def themes() -> dict[str, dict[str, str]]:
    """Colours by name, of each theme of the style sheet."""
    style = (files("autocorp_assets.report") / TEMPLATE).read_text(encoding="utf-8")
    roots = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return {
        name: dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root))
        for name, root in zip(("light", "dark", "print"), roots, strict=True)
    }


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_contrast_is_that_of_wcag_aa(theme):
    colours = themes()[theme]
    states = ("good", "warning", "error", "unknown")
    texts = [(name, back) for name in ("text", "muted", "link") for back in ("page", "surface")]
    texts += [(state, f"{state}-back") for state in states] + [("text", f"{state}-back") for state in states]
    graphics = [("rows", "page"), ("quarantined", "page")]

    assert [pair for pair in texts if contrast(colours[pair[0]], colours[pair[1]]) < AA_TEXT] == []
    assert [pair for pair in graphics if contrast(colours[pair[0]], colours[pair[1]]) < AA_GRAPHIC] == []

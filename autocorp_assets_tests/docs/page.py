"""A page of docs/, and whether what it tells people to type can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from typer.core import TyperGroup
from typer.main import get_command

from autocorp_assets.cli.main import app
from autocorp_assets.settings import PROJECT_FOLDER


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def shell_lines(self) -> list[str]:
        """What its blocks tell to type."""
        blocks = re.findall(r"```sh\n(.*?)```", self.text, re.DOTALL)
        return [line for block in blocks for line in block.splitlines() if line]

    @cached_property
    def quoted(self) -> list[str]:
        """What it has in backticks, but for blocks."""
        return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", self.text, flags=re.DOTALL))

    @cached_property
    def commands(self) -> list[str]:
        """Commands of ours, in blocks and in the text, without the program's name."""
        program = re.compile(r"(?:\.venv/bin/)?autocorp (.+)")
        found = [match[1] for text in (*self.shell_lines, *self.quoted) if (match := program.fullmatch(text))]
        return list(dict.fromkeys(found))

    @cached_property
    def headings(self) -> list[str]:
        return re.findall(r"^#+ (.+)$", self.text, re.MULTILINE)

    @cached_property
    def anchors(self) -> set[str]:
        """Of its headings, as GitHub makes them."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @cached_property
    def links(self) -> list[str]:
        """To this page and to others of the project."""
        return re.findall(r"\]\((?!http)([^)]+)\)", self.text)

    def broken_links(self) -> list[str]:
        return [link for link in self.links if not self._leads_somewhere(link)]

    def _leads_somewhere(self, link: str) -> bool:
        file, _, anchor = link.partition("#")
        page = page_at((self.path.parent / file).resolve()) if file else self
        return page.path.exists() and (not anchor or anchor in page.anchors)


@cache
def page_at(path: Path) -> Page:
    return Page(path)


def doc(name: str) -> Page:
    return page_at(PROJECT_FOLDER / "docs" / name)


def parse(command: str) -> None:
    """Raise what the command line raises when it is typed; nothing runs.

    Only named, without all that it needs, or cut off by …, a command has to exist with its options.
    """
    words = shlex.split(command)
    found = get_command(app)
    while isinstance(found, TyperGroup):
        while words and words[0].startswith("-"):
            assert words.pop(0) in _options(found), command
        if not words or words[0] == "…":
            return
        assert words[0] in found.commands, f"there is no command {words[0]}: {command}"
        found = found.commands[words.pop(0)]
    if not words:
        return
    if "…" in words:
        assert {word for word in words if word.startswith("-")} <= _options(found), command
        return
    found.make_context(str(found.name), words)


def _options(command: object) -> set[str]:
    parameters: Sequence[object] = getattr(command, "params", ())
    return {name for one in parameters for name in (*getattr(one, "opts", ()), *getattr(one, "secondary_opts", ()))}

"""What the code says to people: its error types, and its messages with … for what is filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain

from autocorp_assets.settings import PROJECT_FOLDER

PACKAGES = ("autocorp_assets", "spark_jobs")


@cache
def modules(*packages: str) -> tuple[ast.Module, ...]:
    """Of the packages, by their folders; of all of the code unless some are given."""
    folders = [PROJECT_FOLDER / package for package in packages or PACKAGES]
    files = chain.from_iterable(sorted(folder.rglob("*.py")) for folder in folders)
    return tuple(ast.parse(file.read_text(encoding="utf-8")) for file in files)


@cache
def errors() -> frozenset[str]:
    """Names of the public error types."""
    classes = [node for module in modules() for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    found: set[str] = {"Exception", "RuntimeError", "ValueError", "LookupError", "OSError"}
    builtin = frozenset(found)
    before = 0
    while len(found) > before:
        before = len(found)
        found |= {one.name for one in classes if any(ast.unparse(base) in found for base in one.bases)}
    return frozenset(name for name in found - builtin if not name.startswith("_"))


@cache
def messages() -> frozenset[str]:
    """Every text of the code, in which … stands for values; blanks are single."""
    texts = chain.from_iterable(_texts(module) for module in modules())
    return frozenset(re.sub(r"\s+", " ", text) for text in texts)


@cache
def alert_subjects() -> frozenset[str]:
    """Of alerts, each a constant of `automation` whose name ends in SUBJECT; with … for values."""
    found = {
        node.value.value
        for module in modules("autocorp_assets/automation")
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id.endswith("SUBJECT")
    }
    return frozenset(re.sub(r"{.*?}", "…", text) for text in found)


def says(text: str) -> bool:
    """Whether some message holds the text; … in it stands for any values and words between them."""
    pattern = re.compile(".+?".join(map(re.escape, text.split("…"))))
    return any(pattern.search(message) for message in messages())


def _texts(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value

from __future__ import annotations

import pytest

from autocorp_assets.local.generator.seed import seed_database
from autocorp_assets.settings import Settings
from autocorp_assets_tests.reconciliation.platform import Platform


@pytest.fixture
def platform(database, tmp_path, monkeypatch) -> Platform:
    """A seeded source, replicated and curated once as far as `auto_parts` goes."""
    seed_database(database)
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", database)
    monkeypatch.setenv("AUTOCORP_SLOT", f"s_{tmp_path.name[-20:].replace('-', '_')}".lower())
    made = Platform(settings=Settings(), dsn=database)
    made.replicate()
    made.curate("auto_parts")
    return made

"""The demo starts from nothing, and never at the cost of somebody's data."""

from __future__ import annotations

import pytest

from autocorp_assets.operations.demo_home import MARKER, NotFreshError, make_fresh
from autocorp_assets.settings import Settings


def test_a_missing_folder_is_made_and_marked(tmp_path):
    settings = Settings(home=tmp_path / "home")

    make_fresh(settings)

    assert [path.name for path in settings.home_folder.iterdir()] == [MARKER]


def test_an_earlier_demo_is_replaced(settings):
    make_fresh(settings)
    (settings.home_folder / "lake").mkdir()

    make_fresh(settings)

    assert not (settings.home_folder / "lake").exists()


def test_a_lake_that_no_demo_made_is_left_alone(settings):
    settings.lake.mkdir()

    with pytest.raises(NotFreshError, match="AUTOCORP_HOME"):
        make_fresh(settings)

    assert settings.lake.exists()


def test_somebodys_database_is_not_written_to(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://nobody@127.0.0.1:1/theirs")

    with pytest.raises(NotFreshError, match="AUTOCORP_SOURCE_DSN"):
        make_fresh(Settings(home=tmp_path))

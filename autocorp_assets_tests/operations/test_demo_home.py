"""The demo starts from nothing, and never at the cost of somebody's data."""

from __future__ import annotations

import pytest

from autocorp_assets.operations.demo_home import MARKER, NotFreshError, fresh_home
from autocorp_assets.operations.home_lock import LOCK_FILE, HomeInUseError
from autocorp_assets.settings import Settings


def contents(settings: Settings) -> set[str]:
    return {path.name for path in settings.home_folder.iterdir()}


def test_a_missing_folder_is_made_and_marked(tmp_path):
    settings = Settings(home=tmp_path / "home")

    with fresh_home(settings):
        assert contents(settings) == {MARKER, LOCK_FILE}


def test_an_earlier_demo_is_replaced(settings):
    with fresh_home(settings):
        settings.lake_folder.mkdir()

    with fresh_home(settings):
        assert contents(settings) == {MARKER, LOCK_FILE}


def test_a_demo_that_was_killed_while_it_emptied_the_folder_is_replaced(settings, monkeypatch):
    with fresh_home(settings):
        settings.lake_folder.mkdir()
    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), fresh_home(settings):
        pass
    monkeypatch.undo()

    with fresh_home(settings):
        assert contents(settings) == {MARKER, LOCK_FILE}


def interrupted(_: object) -> None:
    raise KeyboardInterrupt


def test_a_running_demo_is_not_replaced(settings):
    with fresh_home(settings):
        settings.lake_folder.mkdir()

        with pytest.raises(HomeInUseError, match="AUTOCORP_HOME"), fresh_home(settings):
            pass

        assert settings.lake_folder.exists()


def test_a_lake_that_no_demo_made_is_left_alone(settings):
    settings.lake_folder.mkdir()

    with pytest.raises(NotFreshError, match="AUTOCORP_HOME"), fresh_home(settings):
        pass

    assert contents(settings) == {settings.lake_folder.name}


def test_somebodys_database_is_not_written_to(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://nobody@127.0.0.1:1/theirs")

    with pytest.raises(NotFreshError, match="AUTOCORP_SOURCE_DSN"), fresh_home(Settings(home=tmp_path)):
        pass

    assert not list(tmp_path.iterdir())

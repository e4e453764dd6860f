import pytest

from autocorp_assets.resources.local_replication import LocalReplication, lsn_text
from autocorp_assets.resources.ports import ReplicationError
from autocorp_assets.settings import Settings


@pytest.fixture
def replication(tmp_path, monkeypatch) -> LocalReplication:
    monkeypatch.setenv("AUTOCORP_HOME", str(tmp_path))
    return LocalReplication(settings=Settings())


def test_before_anything_ran_nothing_is_meant_to_run(replication):
    state = replication.state()

    assert not state.running
    assert not state.should_run


def test_a_source_that_does_not_answer_is_an_error_that_names_it(replication, monkeypatch):
    monkeypatch.setenv("AUTOCORP_SOURCE_DSN", "postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(ReplicationError, match=r"127\.0\.0\.1"):
        LocalReplication(settings=Settings()).catch_up(deadline_seconds=5, on_progress=print)


def test_positions_are_written_as_postgresql_does():
    assert lsn_text(0x1_0000_00AB) == "1/AB"

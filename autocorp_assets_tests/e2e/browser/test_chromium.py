"""Without a browser nothing that only a browser shows is passed over in silence."""

import pytest

from autocorp_assets_tests.e2e.browser.chromium import require_chromium


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_browser_says_how_to_get_one_and_fails_where_nobody_reads_skips(monkeypatch, tmp_path, ci, outcome):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="apt-get install -y --no-install-recommends chromium"):
        require_chromium()

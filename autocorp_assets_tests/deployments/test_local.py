import stat

from autocorp_assets.contracts.raw_format import QUARANTINE
from autocorp_assets.deployments.local import keep_quarantine_private
from autocorp_assets.settings import Settings


def test_only_the_platforms_user_reads_quarantine(tmp_path):
    settings = Settings(home=tmp_path)
    (settings.lake_folder / QUARANTINE).mkdir(parents=True)

    keep_quarantine_private(settings)
    keep_quarantine_private(settings)

    assert stat.S_IMODE((settings.lake_folder / QUARANTINE).stat().st_mode) == 0o700

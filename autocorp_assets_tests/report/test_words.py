import pytest

from autocorp_assets.report.words import age, counted, without_values


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "less than a minute"),
        (60, "1 minute"),
        (3700, "61 minutes"),
        (7200, "2 hours"),
        (90_000, "25 hours"),
        (172_800, "2 days"),
    ],
)
def test_ages_have_one_unit(seconds, told):
    assert age(seconds) == told


def test_numbers_agree_with_their_nouns():
    assert (counted(1, "row"), counted(0, "row"), counted(2000, "row")) == ("1 row", "0 rows", "2,000 rows")


def test_messages_of_programs_lose_what_they_quote_and_addresses():
    told = without_values(
        """[CAST_INVALID_INPUT] value 'Ada Lovelace' of "phone" for ada@example.com: the source's row"""
    )

    assert told == "[CAST_INVALID_INPUT] value ••• of ••• for •••: the source's row"


def test_long_messages_are_cut():
    assert len(without_values("x" * 10_000)) < 700

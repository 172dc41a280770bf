"""A recipient may choose what config.toml has."""

from datetime import UTC, datetime

import pytest

from digest.audience.recipients import check_recipient
from digest.errors import RecipientError
from digest.model import Choice, Recipient, RecipientStatus
from tests.factories import make_settings

SETTINGS = make_settings()


def test_what_is_not_chosen_is_everything() -> None:
    """For the operator who gives an address and nothing else."""
    chosen = check_recipient(SETTINGS, address="ann@example.org")
    assert (chosen.languages, chosen.themes, chosen.digests) == (("en", "ru"), None, ("weekly",))


def test_a_choice_keeps_its_order_and_counts_once() -> None:
    """For the recipient: the first language is that of the mail."""
    chosen = check_recipient(
        SETTINGS,
        address="ann@example.org",
        name=" Ann ",
        languages=["ru", "en", "ru"],
        themes=["youth", "other"],
    )
    choice = (chosen.name, chosen.languages, chosen.themes)
    assert choice == ("Ann", ("ru", "en"), ("youth", "other"))


def test_an_international_domain_is_stored_in_ascii() -> None:
    """For the recipient at пример.test: servers that know only ASCII reach them too."""
    chosen = check_recipient(SETTINGS, address="ann@пример.test")
    assert chosen.address == "ann@xn--e1afmkfd.test"


def test_what_is_not_given_stays_as_it_was() -> None:
    """For a known recipient: only what is given changes."""
    before = Recipient(
        id=1,
        address="ann@example.org",
        choice=Choice("ru", ("ru",), ("drugs",)),
        digests=("weekly",),
        status=RecipientStatus.ACTIVE,
        added_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    after = check_recipient(SETTINGS, address="ann@example.org", name="Ann", before=before)
    assert (after.languages, after.themes, after.digests) == (("ru",), ("drugs",), ("weekly",))
    given = check_recipient(
        SETTINGS, address="ann@example.org", languages=["en"], themes=["everything"], before=before
    )
    assert (given.languages, given.themes) == (("en",), None)


def test_a_name_becomes_one_clean_line():
    """For the mail's To field, and for the terminal that lists it."""
    given = check_recipient(SETTINGS, address="ann@example.org", name="Ann\r\nBcc: \u202ex\x1b[2J")
    assert given.name == "Ann Bcc: x"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"address": "ann"}, "'ann' is not an e-mail address", id="no address"),
        pytest.param({"address": "иван@пример.рф"}, "'иван@пример.рф'.*ASCII", id="Cyrillic mailbox"),
        pytest.param({"address": f"{'a' * 65}@x.test"}, "too long before the @", id="65 octets"),
        pytest.param({"address": "ann@example.org\nBcc: x@y.test"}, "address", id="a header in it"),
        pytest.param({"name": "  "}, "blank", id="a blank name"),
        pytest.param({"languages": ["de"]}, "language 'de'.*allowed are en, ru", id="language"),
        pytest.param({"themes": ["sport"]}, "theme 'sport'.*drugs, youth, other", id="theme"),
        pytest.param({"themes": ["drugs", "everything"]}, "everything alone", id="both at once"),
        pytest.param({"digests": ["daily"]}, "digest 'daily'.*allowed are weekly", id="digest"),
    ],
)  # fmt: skip
def test_what_config_does_not_have_is_refused(given: dict[str, object], message: str) -> None:
    """For the operator: what was given and what is allowed."""
    with pytest.raises(RecipientError, match=message):
        check_recipient(SETTINGS, **({"address": "ann@example.org"} | given))  # type: ignore[arg-type]

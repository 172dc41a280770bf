"""Tokens that name a delivery, and the addresses that carry them."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.tokens import (
    PLACEHOLDERS,
    TOKEN_LENGTH,
    DeliveryKey,
    Purpose,
    find_tokens,
    read_token,
    token_address,
    token_for,
    tokens_for,
)

KEY = b"a key of 32 bytes for the tests."
OLD_KEY = b"the key that was in use before.."
editions = st.integers(0, 2**32 - 1)
recipients = st.integers(0, 2**40 - 1)


@given(editions, recipients)
def test_a_token_names_its_delivery(edition_id: int, recipient_id: int) -> None:
    """What we wrote into a return path we can read from a report."""
    token = token_for(KEY, edition_id, recipient_id)
    assert len(token) == TOKEN_LENGTH
    assert token.islower()
    assert token.isalnum()
    assert token.isascii()
    assert read_token([KEY], token, Purpose.SERVER) == DeliveryKey(edition_id, recipient_id)
    assert read_token([KEY], token.upper(), Purpose.SERVER) == DeliveryKey(edition_id, recipient_id)


@settings(max_examples=60)
@given(editions, recipients, st.integers(0, TOKEN_LENGTH - 1), st.sampled_from("abcxyz234567"))
def test_a_changed_token_is_refused(
    edition_id: int, recipient_id: int, place: int, letter: str
) -> None:
    """Nobody can end another's subscription by changing a letter of their own token."""
    token = token_for(KEY, edition_id, recipient_id)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        assert read_token([KEY], changed, Purpose.SERVER) is None


@given(st.text(max_size=40))
def test_any_text_can_be_read(text: str) -> None:
    """Reading an address never fails."""
    assert read_token([KEY], text, Purpose.SERVER) is None


def test_neighbours_look_nothing_alike() -> None:
    """A token does not show how many recipients or editions there are."""
    one, other = token_for(KEY, 7, 1), token_for(KEY, 7, 2)
    same = sum(a == b for a, b in zip(one, other, strict=True))
    assert same < 10


def test_an_old_key_still_reads_old_tokens() -> None:
    """After a change of keys the links in old mail still work."""
    token = token_for(OLD_KEY, 3, 4)
    assert read_token([KEY], token, Purpose.SERVER) is None
    assert read_token([KEY, OLD_KEY], token, Purpose.SERVER) == (3, 4)


@given(editions, recipients)
def test_a_token_is_good_for_one_purpose(edition_id: int, recipient_id: int) -> None:
    """What mail servers log ends nobody's subscription; no two look alike."""
    tokens = tokens_for(KEY, edition_id, recipient_id)
    for purpose, token in enumerate(tokens):
        for other in Purpose:
            named = read_token([KEY], token, other)
            assert named == ((edition_id, recipient_id) if other == purpose else None)
    for one, two in combinations(tokens, 2):
        assert sum(a == b for a, b in zip(one, two, strict=True)) < 12


def test_a_placeholder_is_as_long_as_a_token_and_never_valid() -> None:
    """A message that still has a placeholder names nobody."""
    assert {len(one) for one in PLACEHOLDERS} == {TOKEN_LENGTH}
    assert all(
        read_token([KEY, OLD_KEY], one, purpose) is None
        for one in PLACEHOLDERS
        for purpose in Purpose
    )


@pytest.mark.parametrize(
    ("key", "edition_id", "recipient_id"),
    [
        pytest.param(b"short", 1, 1, id="key of five bytes"),
        pytest.param(KEY, 2**32, 1, id="edition too large"),
        pytest.param(KEY, 1, 2**40, id="recipient too large"),
        pytest.param(KEY, -1, 1, id="negative edition"),
    ],
)
def test_no_token_where_none_can_be_made(key: bytes, edition_id: int, recipient_id: int) -> None:
    """A bug of ours is raised at once, not mailed."""
    with pytest.raises(ValueError, match="token"):
        token_for(key, edition_id, recipient_id)


TOKEN = token_for(KEY, 12, 345)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token_address("bounces", "news.example", TOKEN), id="return path"),
        pytest.param(f"<{token_address('leave', 'news.example', TOKEN)}>", id="leave address"),
        pytest.param(f"BOUNCES+{TOKEN.upper()}@NEWS.EXAMPLE", id="upper case"),
        pytest.param(f"SRS0=Kx3=QZ=news.example=bounces+{TOKEN}@relay.example", id="SRS"),
        pytest.param(f"prvs=1234567890=bounces+{TOKEN}@news.example", id="BATV"),
        pytest.param(f"bounces=2B{TOKEN}=40news.example", id="quoted-printable"),
        pytest.param(f"bounces%2b{TOKEN}%40news.example", id="URL"),
        pytest.param(f"<weekly.48.{TOKEN}@news.example>", id="Message-ID"),
        pytest.param(TOKEN, id="bare"),
    ],
)
def test_a_token_is_found_however_it_is_wrapped(text: str) -> None:
    """Mail systems change addresses on the way; the token is still found."""
    assert find_tokens(text) == [TOKEN]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("anna@reader.example", id="plain address"),
        pytest.param("bounces+" + TOKEN[:-1] + "@news.example", id="too short"),
        pytest.param("bounces+" + TOKEN + "a@news.example", id="too long"),
    ],
)
def test_no_token_is_found_where_there_is_none(text: str) -> None:
    """Other addresses are found in other ways."""
    assert find_tokens(text) == []


def test_every_candidate_of_a_text_is_found() -> None:
    """A word that only looks like a token does not hide the real one."""
    found = find_tokens(f"x {'a' * 32} y <weekly.48.{TOKEN}@news.example>")
    assert found == ["a" * 32, TOKEN]

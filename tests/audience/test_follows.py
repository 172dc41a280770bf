"""What a reader may follow."""

import pytest

from digest.audience.follows import MOST, check_phrase, follow, phrase_words, unfollow
from digest.audience.store import follows_of
from digest.errors import FollowError, NotFoundError
from digest.newsroom import Newsroom
from digest.store.database import Database
from tests.desks import Desk, opened
from tests.mailing import MONDAY, subscribe


@pytest.mark.parametrize(
    ("phrase", "fault"),
    [
        pytest.param("UN", "short", id="two letters"),
        pytest.param(" \u202e\x07 ", "short", id="only signs that cannot be seen"),
        pytest.param("x" * 101, "long", id="101 characters"),
        pytest.param("1" * 1_000_000, "long", id="a megabyte"),
        pytest.param("of the into", "common", id="small words"),
        pytest.param("для до", "common", id="small words in Russian"),
        pytest.param("12-30 2026", "common", id="figures"),
        pytest.param("«—»!?", "common", id="no word"),
    ],
)
def test_a_phrase_that_cannot_be_followed_says_why(phrase: str, fault: str) -> None:
    """The key is that of a sentence that pages show in the reader's language."""
    with pytest.raises(FollowError) as error:
        check_phrase(phrase)
    assert error.value.fault == fault


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        pytest.param("  Caspian\tSea ", "caspian sea", id="blanks"),
        pytest.param("Anti-Corruption", "anti corruption", id="a hyphen parts two words"),
        pytest.param("«Живой» щит", "живой щит", id="quotes are no words"),
        pytest.param("Нефтёнка 2", "нефтенка 2", id="ё is е"),
        pytest.param("women’s rights", "women rights", id="the possessive"),
        pytest.param("O'Brien", "o brien", id="an apostrophe"),
    ],
)
def test_equal_phrases_have_the_same_words(phrase: str, words: str) -> None:
    assert " ".join(phrase_words(check_phrase(phrase))) == words


@pytest.fixture
def newsroom(db: Database, desk: Desk) -> Newsroom:
    with db.write():
        for name in ("anna", "boris"):
            subscribe(db, f"{name}@reader.example", MONDAY)
    return opened(db, desk.settings, clock=MONDAY)


def followed(newsroom: Newsroom, recipient_id: int) -> list[str]:
    return [one.what for one in follows_of(newsroom.db, MONDAY, recipient_id=recipient_id)]


def test_what_is_followed_twice_is_one(newsroom: Newsroom) -> None:
    """Equal phrases are one, for each reader; another's cannot be removed."""
    with newsroom.db.write():
        first = follow(newsroom, 1, "Customs union")
        assert follow(newsroom, 1, " customs-UNION!") == first
        assert follow(newsroom, 1, "custom unions") == first
        other = follow(newsroom, 2, "customs union")
        assert not unfollow(newsroom, 1, other.id)
        assert not unfollow(newsroom, 1, 10**30)
        assert followed(newsroom, 1) == ["Customs union"]
        assert unfollow(newsroom, 1, first.id)
        assert not unfollow(newsroom, 1, first.id)
    assert (followed(newsroom, 1), followed(newsroom, 2)) == ([], ["customs union"])


def test_a_reader_follows_at_most_twenty_things(newsroom: Newsroom) -> None:
    with newsroom.db.write():
        for number in range(MOST):
            follow(newsroom, 1, f"phrase {number}")
        follow(newsroom, 1, "phrase 7")
        with pytest.raises(FollowError, match="20 things"):
            follow(newsroom, 1, "one more")
        with pytest.raises(NotFoundError, match="no story 12"):
            follow(newsroom, 1, story_id=12)

"""The verbs `follow` and `unfollow`: what a reader follows beside themes. editions.alerts looks for it."""

import re
from itertools import chain

from digest.audience.store import Follow, add_follow, article_of_story, follows_of, remove_follow
from digest.errors import FollowError, NotFoundError
from digest.language.text import foreign, word_lists, words
from digest.language.wording import wording_for
from digest.language.words import stem
from digest.newsroom import Newsroom

MOST = 20
"""What one reader may follow."""
SHORTEST, LONGEST = 3, 100
"""Characters of a phrase."""
_SMALL = frozenset(
    chain.from_iterable(word_lists("language/languages.toml")["small_words"].values())
)
_APART = re.compile(r"[\W_]+")


def phrase_words(phrase: str) -> tuple[str, ...]:
    """The folded words of a phrase as they are looked for: both of anti-corruption, OSCE of OSCE's."""
    parts = (_APART.split(word.removesuffix("'s")) for word in words(phrase))
    return tuple(filter(None, chain.from_iterable(parts)))


def phrase_key(phrase: str) -> str:
    """The same for phrases that are found at the same places, as far as stems tell."""
    return " ".join(map(stem, phrase_words(phrase)))


def check_phrase(phrase: str) -> str:
    """The phrase as it is stored, clean.

    Raises:
        FollowError: it is too short or too long, or has no word of three letters but small ones.
    """
    phrase = foreign(phrase, limit=None)
    named = [one for one in phrase_words(phrase) if len(re.sub(r"\d", "", one)) >= SHORTEST]
    if not SHORTEST <= len(phrase) <= LONGEST:
        raise _fault("short" if len(phrase) < SHORTEST else "long")
    if not set(named) - _SMALL:
        raise _fault("common")
    return phrase


def follow(
    newsroom: Newsroom, recipient_id: int, phrase: str | None = None, story_id: int | None = None
) -> Follow:
    """Follow a phrase or a story from now on; what the recipient follows already stays as it is. Call
    inside a write.

    Raises:
        FollowError: the phrase cannot be followed, or the recipient follows MOST things.
        NotFoundError: there is no such story.
    """
    db, now = newsroom.db, newsroom.now()
    followed: str | int | None
    if phrase is not None:
        followed = check_phrase(phrase)
        key = phrase_key(followed)
    else:
        followed = None if story_id is None else article_of_story(db, story_id, now)
        if followed is None:
            raise NotFoundError(f"there is no story {story_id}; see `digest stories list`")
        key = f"/{followed}"
    here = follows_of(db, now, recipient_id=recipient_id)
    for one in here:
        if one.key == key or (story_id is not None and one.story_id == story_id):
            return one
    if len(here) >= MOST:
        raise _fault("many")
    add_follow(db, recipient_id, key, followed, now)
    return follows_of(db, now, recipient_id=recipient_id)[-1]


def unfollow(newsroom: Newsroom, recipient_id: int, follow_id: int) -> bool:
    """Stop following it; False if the recipient does not follow that. Call inside a write."""
    known = follows_of(newsroom.db, newsroom.now(), recipient_id=recipient_id)
    return follow_id in {one.id for one in known} and remove_follow(newsroom.db, follow_id)


def _fault(fault: str) -> FollowError:
    sentence = wording_for("en").following[fault]
    return FollowError(fault, sentence.format(most=MOST, longest=LONGEST))

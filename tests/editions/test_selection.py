"""The articles of an edition, their order, and the part that a reader's choice shows."""

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.editions.selection import edition_hash, lay_out, order_placements
from digest.model import (
    OTHER,
    UNDATED,
    Article,
    Choice,
    DateSource,
    Edition,
    Hand,
    KnownDate,
    Layout,
    Placement,
    Window,
)
from tests.factories import make_article, make_match

ALL = ("drugs", "customs", "youth", OTHER)
WINDOW = Window(datetime(2026, 11, 16, 3, tzinfo=UTC), datetime(2026, 11, 23, 3, tzinfo=UTC))


def on(day: int) -> KnownDate:
    return KnownDate(date(2026, 11, day), DateSource.STATED)


def article(number: int, *themes: str, score: float = 4.0, **overrides: Any) -> Article:
    matches = tuple(make_match(theme, score=score) for theme in themes)
    return make_article(id=number, matches=matches, **overrides)


def seen(layout: Layout) -> dict[str, list[int]]:
    return {part.theme: [placed.article.id for placed in part.shown] for part in layout.sections}


def laid(
    *articles: Article,
    themes: tuple[str, ...] = ALL,
    languages: tuple[str, ...] = ("en", "ru"),
    per_theme: int = 10,
) -> Layout:
    placements = [Placement(at, one) for at, one in enumerate(articles, 1)]
    return lay_out(placements, Choice(languages[0], languages, themes), per_theme=per_theme)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(article(2, published=on(20)), article(1, published=on(19)), id="newer"),
        pytest.param(article(2, published=on(1)), article(1, published=UNDATED), id="dated"),
        pytest.param(
            article(2, published=on(20)),
            article(1, published=on(20), complete=False),
            id="complete",
        ),
        pytest.param(
            article(2, "drugs", score=9.0, published=on(20)),
            article(1, "drugs", score=3.0, published=on(20)),
            id="stronger match",
        ),
        pytest.param(
            article(2, published=UNDATED),
            article(1, published=UNDATED, complete=False),
            id="undated",
        ),
        pytest.param(article(1, published=on(20)), article(2, published=on(20)), id="permanent id"),
    ],
)
def test_an_edition_is_in_an_editors_order(first: Article, second: Article) -> None:
    """Newest first, unknown days last, then full texts and strong matches."""
    for given_order in ([first, second], [second, first]):
        placements = order_placements(given_order)
        assert [placed.article.id for placed in placements] == [first.id, second.id]
        assert [placed.position for placed in placements] == [1, 2]


def test_a_placement_knows_the_other_articles_of_its_story() -> None:
    """The version in the other language can be linked; the article itself is not among them."""
    placements = order_placements(
        [article(1, story_id=5), article(2, story_id=5, language="ru"), article(3)]
    )
    siblings = {placed.article.id: [s.id for s in placed.siblings] for placed in placements}
    assert siblings == {1: [2], 2: [1], 3: []}


@pytest.mark.parametrize(
    ("articles", "themes", "languages", "expected"),
    [
        pytest.param(
            [article(1, "youth", "drugs")], ALL, ("en",), {"youth": [1]}, id="under its best theme"
        ),
        pytest.param(
            [article(1, "youth", "drugs")],
            ("drugs", OTHER),
            ("en",),
            {"drugs": [1]},
            id="under the best of those chosen",
        ),
        pytest.param(
            [article(1, "youth")], ("drugs", OTHER), ("en",), {}, id="not chosen, not other"
        ),
        pytest.param([article(1)], ALL, ("en",), {OTHER: [1]}, id="no theme at all is other"),
        pytest.param([article(1)], ("drugs",), ("en",), {}, id="other not chosen"),
        pytest.param(
            [article(1), article(2, "youth"), article(3, "drugs")],
            (OTHER, "youth", "drugs"),
            ("en",),
            {"youth": [2], "drugs": [3], OTHER: [1]},
            id="sections in the choice's order, other last",
        ),
        pytest.param(
            [article(1, "drugs"), article(2, "drugs", language="ru")],
            ALL,
            ("ru",),
            {"drugs": [2]},
            id="only languages that they read",
        ),
        pytest.param(
            [
                article(1, "drugs", language="ru", story_id=5),
                article(2, "drugs", story_id=5),
                article(3, "drugs", story_id=5),
            ],
            ALL,
            ("en", "ru"),
            {"drugs": [2]},
            id="a story once, in the first language, its first article",
        ),
        pytest.param(
            [
                article(1, "drugs", story_id=5, complete=False),
                article(2, "drugs", story_id=5, published=on(3), first_seen_at=WINDOW.ends_at),
                article(3, "drugs", story_id=5, published=on(1)),
            ],
            ALL,
            ("en", "ru"),
            {"drugs": [3]},
            id="of a story the leading article, although a later day is higher",
        ),
        pytest.param(
            [article(1, "drugs", language="ru", story_id=5)],
            ALL,
            ("en", "ru"),
            {"drugs": [1]},
            id="in the next language where the first has none",
        ),
        pytest.param(
            [article(1, "customs", story_id=5), article(2, "drugs", language="ru", story_id=5)],
            ("drugs",),
            ("en", "ru"),
            {"drugs": [2]},
            id="a translation with other themes does not hide the story",
        ),
    ],
)
def test_a_choice_sees(
    articles: list[Article],
    themes: tuple[str, ...],
    languages: tuple[str, ...],
    expected: dict[str, list[int]],
) -> None:
    """Each reader finds each story once, where they look for it."""
    layout = laid(*articles, themes=themes, languages=languages)
    assert seen(layout) == expected
    assert list(seen(layout)) == list(expected)


def test_more_counts_what_is_not_shown() -> None:
    """A reader knows how much the page still holds."""
    [section] = laid(*(article(n, "drugs") for n in range(1, 14)), per_theme=10).sections
    assert (len(section.shown), section.total, section.more) == (10, 13, 3)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(ALL[:-1]), unique=True, max_size=3),
            st.sampled_from(["en", "ru"]),
            st.sampled_from([None, None, 1, 2]),
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from(ALL), unique=True, min_size=1),
    st.permutations(["en", "ru"]),
)
def test_no_article_and_no_story_is_shown_twice(
    drawn: list[tuple[list[str], str, int | None]], themes: list[str], languages: list[str]
) -> None:
    """For any articles and any choice, nothing is repeated and nothing unwanted shown."""
    articles = [
        article(n, *keys, language=language, story_id=story)
        for n, (keys, language, story) in enumerate(drawn, 1)
    ]
    layout = laid(*articles, themes=tuple(themes), languages=tuple(languages))
    shown = [placed.article for part in layout.sections for placed in part.shown]
    stories = [one.story_id for one in shown if one.story_id is not None]
    assert len({one.id for one in shown}) == len(shown) == layout.total
    assert len(set(stories)) == len(stories)
    for part in layout.sections:
        assert part.theme in themes
        assert part.shown
        assert all(
            part.theme in one.article.themes or (part.theme == OTHER and not one.article.themes)
            for one in part.shown
        )


def hashed(articles: list[Article], **overrides: Any) -> str:
    zone = overrides.pop("zone", "Asia/Ashgabat")
    edition = Edition(None, "weekly", 12, WINDOW, "", order_placements(articles))
    return edition_hash(dataclasses.replace(edition, **overrides), zone)


def test_the_hash_does_not_hang_on_row_ids_or_clock_times() -> None:
    """The same copy in another database, at another minute, is the same edition."""
    one = article(1, "drugs")
    other = dataclasses.replace(
        one, id=99, first_seen_at=WINDOW.ends_at, updated_at=WINDOW.ends_at, story_id=4
    )
    later = Window(WINDOW.starts_at.replace(minute=5), WINDOW.ends_at.replace(minute=40))
    assert hashed([one]) == hashed([other]) == hashed([one], window=later)
    assert len(hashed([one])) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"title_made": True},
        {"lead": "Another."},
        {"version": 2},
        {"language": "ru"},
        {"source": "other"},
        {"byline": "A. Writer"},
        {"published": on(3)},
        {"complete": False},
        {"url": "https://source.example.org/1"},
        {"matches": (make_match("youth"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_sees_what_the_edition_shows(change: dict[str, Any]) -> None:
    """`send --expect HASH` sends exactly what was seen in the dry run."""
    one = article(1, "drugs")
    assert hashed([dataclasses.replace(one, **change)]) != hashed([one])


def test_the_hash_sees_number_digest_window_and_order() -> None:
    """Two editions of the same articles are two editions."""
    both = [article(1, "drugs", published=on(2)), article(2, "drugs", published=on(1))]
    window = Window(WINDOW.starts_at, WINDOW.ends_at.replace(day=24))
    hashes = {
        hashed(both),
        hashed(both, digest="daily"),
        hashed(both, number=13),
        hashed(both, window=window),
        hashed(both, placements=tuple(reversed(order_placements(both)))),
        hashed(both, earlier={"drugs": ({"en": 2},)}),
        hashed(both, hand=Hand(lead=1)),
        hashed(both, hand=Hand(order=(2,))),
        hashed(both, hand=Hand({"en": "Read this."})),
        hashed(both, hand=Hand({}, {"en": "The week"})),
    }
    assert len(hashes) == 10


def test_what_an_editor_names_is_shown_first() -> None:
    """Also where its theme has more articles than are shown; what is not named keeps its order."""
    articles = [article(n, "drugs", published=on(20 - n)) for n in range(1, 7)]
    layout = lay_out(
        order_placements(articles),
        Choice("en", ("en",), ("drugs",)),
        per_theme=4,
        hand=Hand(lead=6, order=(5,)),
    )
    assert [one.article.id for one in layout.sections[0].shown] == [6, 5, 1, 2]

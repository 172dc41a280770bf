"""The weight of each article: the lead, the second rank, the rest, and why."""

from datetime import date
from typing import Any

import pytest

from digest.editions.ranks import rank
from digest.editions.selection import NO_HAND, lay_out, order_placements
from digest.model import UNDATED, Article, Choice, Edition, Hand
from tests.factories import make_article
from tests.mail.sample import WINDOW, on, under

READER = Choice("en", ("en", "ru"), ("drugs", "youth"))
LONG = (
    "The parties met in Ashgabat and spoke of many things that matter to the countries of the region. "
    * 2
)


def article(number: int, **values: Any) -> Article:
    """A summary with a date and nothing that gives it weight."""
    plain = {"published": on(date(2026, 11, 1)), "text": LONG, "complete": False}
    return make_article(id=number, **(plain | values))


def ranked(*articles: Article, hand: Hand = NO_HAND, reader: Choice = READER) -> dict[int, str]:
    """Why each article has its rank, in the order of the mail."""
    placements = order_placements(articles)
    edition = Edition(None, "weekly", 3, WINDOW, "", placements, hand=hand)
    layout = lay_out(placements, reader, per_theme=10, hand=hand)
    return {key: one.why for key, one in rank(edition, layout).items()}


PLAIN = [article(n, published=on(date(2026, 11, 10 - n))) for n in range(1, 10)]


def test_points_choose_the_lead_and_the_second_rank() -> None:
    """Two outlets weigh more than two languages or a full text, and those more than a newer day."""
    assert ranked(
        *PLAIN[:5],
        article(20, complete=True),
        article(21, story_id=7),
        article(22, story_id=7, language="ru"),
        article(23, story_id=8),
        article(24, story_id=8, source="radio"),
    ) == {
        23: "lead: 2 outlets",
        20: "second: full text",
        21: "second: two languages",
        1: "third",
        2: "third",
        3: "third",
        4: "third",
        5: "third",
    }


def test_a_short_theme_has_one_of_the_second_rank() -> None:
    """Up to four articles: one beside the lead. Ties go to the newer day."""
    few = [article(n, matches=under("youth"), published=UNDATED) for n in (31, 32, 33)]
    found = ranked(*PLAIN[:5], *few)
    assert [key for key, why in found.items() if why.startswith(("lead", "second"))] == [
        1,
        2,
        3,
        31,
    ]
    assert found[1] == "lead: among the newest"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        pytest.param({"title_made": True}, "third: no headline of its own", id="made"),
        pytest.param({"language": "ru"}, "third: in another language", id="language"),
        pytest.param({"text": "Short."}, "third: under 80 characters of text", id="short"),
        pytest.param({"published": UNDATED}, "second: full text, several themes", id="undated"),
        pytest.param({"title": "A word " * 21}, "second: full text, several themes", id="long title"),
    ],
)  # fmt: skip
def test_what_cannot_lead(values: dict[str, Any], why: str) -> None:
    """The lead needs a date, a headline of its own that is not too long, and text in the reader's language."""
    heavy = {
        "complete": True,
        "matches": under("drugs", "youth"),
        "published": on(date(2026, 10, 1)),
    }
    assert ranked(*PLAIN, article(50, **(heavy | values)))[50] == why


def test_an_editors_choice_beats_points() -> None:
    """The lead by any article of its story, and an order within a theme, whatever per_theme would show."""
    hand = Hand(lead=8, order=(9, 7))
    found = ranked(*PLAIN, article(40, complete=True), hand=hand)
    assert list(found)[:4] == [8, 9, 7, 1]
    assert [found[key] for key in (8, 9, 7, 40)] == [
        "lead: editor",
        "second: editor",
        "second: editor",
        "third",
    ]
    story = [article(60, story_id=5), article(61, story_id=5, language="ru", title="Встреча")]
    assert ranked(*PLAIN, *story, hand=Hand(lead=61))[60] == "lead: editor"


def test_another_language_leads_no_mail_and_comes_last() -> None:
    """An editor's English lead does not open a Russian mail."""
    russian = Choice("ru", ("ru", "en"), READER.themes)
    found = ranked(*PLAIN[:5], article(70, language="ru"), hand=Hand(lead=3), reader=russian)
    assert list(found.items())[:2] == [(70, "lead: the newest"), (1, "third: in another language")]


def test_a_mail_of_few_articles_has_no_small_print() -> None:
    """Up to five: each with a headline of its own is shown with its text."""
    found = ranked(*PLAIN[:3], article(80, text="Short."), article(81, title_made=True))
    assert [why.partition(":")[0] for why in found.values()] == ["lead", *["second"] * 3, "third"]

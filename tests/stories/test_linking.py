"""Stories as articles come, change and go, and as an editor rules."""

import json
import random
from datetime import UTC, datetime

import pytest

from digest.errors import NotFoundError
from digest.model import Verdict
from digest.sources.store import Document, add_article, revise_article, save_document, save_source
from digest.store.articles import articles_by_id, latest_articles, siblings_of
from digest.store.database import Database, Row
from digest.stories import store as stories
from digest.stories.linking import (
    count_words,
    explain_article,
    explain_pair,
    fingerprint_of,
    join_articles,
    link_article,
    split_article,
    take_back,
)
from digest.stories.store import story_corrections
from digest.themes.store import save_matches, save_themes
from tests.conftest import INGESTED_AT
from tests.desks import Desk
from tests.factories import make_entry, make_match, make_settings

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
RANKS = ["wire", "other"]
SEIZED = (
    "On 4 April 2023 customs officers of the Farap post seized 27 kilograms of heroin on the border "
    "with Uzbekistan, Batyr Geldiyev of the State Customs Service said.\n\nA dog named Akbilek found "
    "the bags under the seats of a lorry that came from Mazar-i-Sharif."
)
REWRITTEN = (
    "Farap customs officers found 27 kilograms of heroin in a lorry from Mazar-i-Sharif on 4 April "
    "2023.\n\nThe dog Akbilek led Batyr Geldiyev's officers to the bags under the seats."
)
SHORTER = "On 4 April 2023 officers at Farap seized 27 kilograms of heroin, Batyr Geldiyev said."
LATER = (
    "The 27 kilograms of heroin that Batyr Geldiyev's officers found at Farap on 4 April 2023 were hidden "
    "in a lorry from Mazar-i-Sharif, the customs service said; the dog Akbilek gets a medal."
)
ELSEWHERE = "A choir of schoolchildren sang at the opening of a library in Mary on 4 April 2023."
CHOIR = ELSEWHERE.replace("A choir", "The choir")


class Wire:
    """A store into which articles come, one at a time."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.write():
            self.source = save_source(db, "wire", "documents", "Wire", INGESTED_AT)
            save_themes(db, list(make_settings().theme_names.values()), "en")
            document = Document(name="1.txt", sha256="x", size=1, encoding="utf-8", error=None)
            self.document = save_document(db, self.source, document, INGESTED_AT)

    def comes(self, *texts: str, complete: bool = True, themes: tuple[str, ...] = ()) -> None:
        for text in texts:
            line = 1 + len(latest_articles(self.db))
            title = text.split(".")[0][:60]
            entry = make_entry(line=line, title=title, text=text, complete=complete)
            with self.db.write():
                number = add_article(
                    self.db,
                    self.source,
                    "wire",
                    self.document,
                    entry,
                    archived=False,
                    moment=INGESTED_AT,
                )
                save_matches(self.db, number, [make_match(theme) for theme in themes])
                self.link(number)

    def changes(self, number: int, text: str) -> None:
        with self.db.write():
            entry = make_entry(line=number, title=text.split(".")[0][:60], text=text)
            assert revise_article(self.db, number, self.document, entry, NOW)
            self.link(number)

    def link(self, number: int) -> None:
        [article] = articles_by_id(self.db, [number])
        link_article(self.db, number, fingerprint_of(article), NOW, RANKS)

    def join(self, *numbers: int) -> int:
        with self.db.write():
            return join_articles(self.db, numbers, by="Maral", moment=NOW, ranks=RANKS)

    def split(self, number: int) -> list[int]:
        with self.db.write():
            return split_article(self.db, number, by="Maral", moment=NOW, ranks=RANKS)

    def clear(self, number: int) -> set[int]:
        with self.db.write():
            return set(take_back(self.db, number, moment=NOW, ranks=RANKS))

    def links(self) -> list[Row]:
        return stories.links_within(self.db, [article.id for article in latest_articles(self.db)])

    def everything(self) -> list[list[Row]]:
        """Every row that has to do with stories."""
        names = ("articles", "stories", "story_links", "story_keys", "fingerprints", "story_corrections")  # fmt: skip
        return [self.db.rows(f"SELECT * FROM {name}") for name in names]  # noqa: S608 - ours

    def stories(self) -> list[tuple[int, list[int]]]:
        """Of each story its lead and its articles."""
        rows = stories.list_stories(self.db)
        return sorted((story["lead_article_id"], story["articles"]) for story in rows)


@pytest.fixture
def wire(db: Database) -> Wire:
    return Wire(db)


def test_three_outlets_are_one_story(wire: Wire) -> None:
    """For the reader: one event is one story, and the first whole text leads it."""
    wire.comes(SEIZED, REWRITTEN, SHORTER, ELSEWHERE)
    assert wire.stories() == [(1, [1, 2, 3])]


@pytest.mark.parametrize("seed", range(20))
def test_stories_do_not_depend_on_the_order_of_arrival(wire: Wire, seed: int) -> None:
    """For the reader: the same articles are the same stories and links, whichever came first."""
    texts = [SEIZED, REWRITTEN, SHORTER, ELSEWHERE, CHOIR, f"{SHORTER} A dog found it.", LATER]
    order = random.Random(seed).sample(texts, len(texts))  # noqa: S311 - an order, no secret
    wire.comes(*order)
    found = {frozenset(order[number - 1] for number in story) for _, story in wire.stories()}
    assert found == {frozenset(texts) - {ELSEWHERE, CHOIR}, frozenset({ELSEWHERE, CHOIR})}


def test_a_newcomer_brings_together_what_belongs_together(wire: Wire) -> None:
    """For the reader: two accounts that share little become one story with a third that has both."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    with wire.db.write():
        wire.db.run("DELETE FROM story_links WHERE article_id = 1")
        wire.db.run("UPDATE articles SET story_id = NULL")
        wire.db.run("DELETE FROM stories")
        wire.link(1)
    assert wire.stories() == [(1, [1, 2, 3])]


def test_usual_words_are_counted_when_asked_or_when_the_store_has_doubled(wire: Wire) -> None:
    """For an editor who must repeat a result: the counts stay until then."""
    wire.comes(SEIZED, REWRITTEN, SHORTER, ELSEWHERE)
    assert not count_words(wire.db, NOW, only_if_due=True)
    assert stories.counts(wire.db).version == 0
    assert count_words(wire.db, NOW)
    counted = stories.counts(wire.db)
    assert (counted.version, counted.articles) == (1, 4)
    assert 3 in counted.keys.values()
    assert stories.counts(wire.db) is counted


def test_a_whole_text_takes_the_lead_from_a_teaser(wire: Wire) -> None:
    """For the reader: the story leads to what can be read."""
    wire.comes(SHORTER, complete=False)
    wire.comes(SEIZED)
    assert wire.stories() == [(2, [1, 2])]


def test_an_article_that_becomes_another_story_leaves_its_own(wire: Wire) -> None:
    """For the reader: a corrected text is judged by what it says now."""
    wire.comes(SEIZED, REWRITTEN)
    wire.changes(2, ELSEWHERE)
    assert wire.stories() == []
    assert wire.db.value("SELECT count(*) FROM stories") == 0
    assert stories.links_of(wire.db, 2) == set()
    wire.changes(2, REWRITTEN)
    assert wire.stories() == [(1, [1, 2])]


def test_what_only_the_leaver_connected_comes_apart(wire: Wire) -> None:
    """For the reader: two articles that nothing links are no story."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    wire.db.run("DELETE FROM story_links WHERE article_id = 2 AND other_id = 3")
    wire.changes(1, ELSEWHERE)
    assert wire.stories() == []


def test_linking_again_changes_nothing(wire: Wire) -> None:
    """For an ingest that runs twice."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    wire.split(3)
    wire.join(1, 2)
    before = wire.everything()
    for number in (1, 2, 3):
        wire.link(number)
    assert wire.everything() == before


def test_a_split_article_stays_out(wire: Wire) -> None:
    """For the editor: neither a new version of either text nor a newcomer reverts the ruling."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    assert wire.split(3) == [1, 2]
    assert wire.stories() == [(1, [1, 2])]
    wire.changes(3, SHORTER.replace("officers", "customs officers"))
    wire.changes(1, SEIZED.replace("lorry", "truck"))
    assert wire.stories() == [(1, [1, 2])]
    wire.comes(SEIZED.replace("lorry", "car"))
    assert 3 not in wire.stories()[0][1]
    assert {ruling.by for ruling in story_corrections(wire.db, 3).values()} == {"Maral"}
    assert wire.split(3) == []


def test_the_lead_that_is_split_off_is_followed_by_the_next(wire: Wire) -> None:
    """For the reader: the others stay one story and one of them leads it."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    wire.split(1)
    assert wire.stories() == [(2, [2, 3])]


def test_a_joined_pair_stays_joined(wire: Wire) -> None:
    """For the editor: however little they have in common, now or in a new version."""
    wire.comes(SEIZED, ELSEWHERE)
    assert wire.stories() == []
    wire.join(2, 1)
    assert wire.stories() == [(1, [1, 2])]
    wire.changes(2, ELSEWHERE.replace("library", "museum"))
    wire.changes(1, SEIZED.replace("lorry", "truck"))
    assert wire.stories() == [(1, [1, 2])]
    [link] = wire.links()
    assert link["decided_by"] == "editor"


def test_joining_brings_whole_stories_together_and_takes_splits_back(wire: Wire) -> None:
    """For the editor: the later ruling counts, for the story and not only for two of its members."""
    wire.comes(SEIZED, REWRITTEN, SHORTER, ELSEWHERE, CHOIR)
    assert wire.stories() == [(1, [1, 2, 3]), (4, [4, 5])]
    wire.split(3)
    wire.join(3, 5)
    assert wire.stories() == [(1, [1, 2]), (3, [3, 4, 5])]
    wire.join(4, 2)
    assert wire.stories() == [(1, [1, 2, 3, 4, 5])]
    verdicts = {r.verdict for i in range(1, 6) for r in story_corrections(wire.db, i).values()}
    assert verdicts == {Verdict.JOIN}
    wire.changes(3, SHORTER.replace("officers", "customs officers"))
    assert wire.stories() == [(1, [1, 2, 3, 4, 5])]


def test_a_split_that_is_taken_back_leaves_no_trace(wire: Wire) -> None:
    """For the editor who was wrong: the article is back where it was."""
    wire.comes(SEIZED, REWRITTEN, SHORTER)
    before = [wire.stories(), wire.links()]
    wire.split(3)
    assert wire.clear(3) == {1, 2}
    assert [wire.stories(), wire.links()] == before
    assert story_corrections(wire.db, 3) == {}


def test_a_join_that_is_taken_back_brings_both_stories_back(wire: Wire) -> None:
    """For the editor who was wrong: what only the ruling connected comes apart."""
    wire.comes(SEIZED, REWRITTEN, ELSEWHERE, CHOIR)
    apart = [(1, [1, 2]), (3, [3, 4])]
    assert wire.stories() == apart
    wire.join(1, 3)
    assert wire.stories() == [(1, [1, 2, 3, 4])]
    assert wire.clear(3) == {1}
    assert wire.stories() == apart
    assert {link["decided_by"] for link in wire.links()} == {"likeness"}


def test_taking_back_without_a_ruling_changes_nothing(wire: Wire) -> None:
    """For the editor who types another number: not a row is written."""
    wire.comes(SEIZED, REWRITTEN, SHORTER, ELSEWHERE)
    wire.split(3)
    before = wire.everything()
    assert wire.clear(4) == set()
    assert wire.everything() == before


def test_a_ruling_on_nothing_is_refused(wire: Wire) -> None:
    """For the editor who mistypes: the message names what is missing, and nothing is written."""
    wire.comes(SEIZED)
    for ruling in (lambda: wire.join(1, 9), lambda: wire.split(9), lambda: wire.clear(9)):
        with pytest.raises(NotFoundError, match="no article 9"):
            ruling()
    with pytest.raises(NotFoundError, match="two articles"):
        wire.join(1, 1)
    assert story_corrections(wire.db, 1) == {}


def test_an_explanation_has_the_reasons_and_the_ruling(wire: Wire) -> None:
    """For the editor: why two are linked, why two are not, and who ruled."""
    wire.comes(SEIZED, REWRITTEN, SHORTER, ELSEWHERE)
    wire.split(3)
    two, three = sorted(explain_article(wire.db, 1)[:2], key=lambda pair: pair.other_id)
    assert (two.other_id, three.other_id) == (2, 3)
    assert two.comparison.linked
    assert two.same_story
    assert any("Akbilek" in reason for reason in two.comparison.reasons)
    assert not three.same_story
    assert three.correction is not None
    assert three.correction.verdict is Verdict.SPLIT
    apart = explain_pair(wire.db, 1, 4)
    assert not apart.comparison.linked
    assert explain_pair(wire.db, 4, 1).comparison == apart.comparison
    with pytest.raises(NotFoundError, match="given twice"):
        explain_pair(wire.db, 1, 1)


def shown(wire: Wire, theme: str | None = None, language: str | None = "en") -> list[int]:
    articles = latest_articles(wire.db, theme=theme, language=language, story_once=True)
    return sorted(article.id for article in articles)


def test_a_language_shows_a_story_once(wire: Wire) -> None:
    """For the subscriber of one language: the leading article, and under a theme the best of it."""
    wire.comes(SHORTER, complete=False, themes=("drugs", "youth"))
    wire.comes(SEIZED, themes=("drugs",))
    wire.comes(REWRITTEN, themes=("drugs", "youth"))
    wire.comes(ELSEWHERE)
    assert wire.stories() == [(2, [1, 2, 3])]
    assert shown(wire) == [2, 4]
    assert shown(wire, "drugs") == [2]
    assert shown(wire, "youth") == [3]
    assert [sibling.id for sibling in siblings_of(wire.db, [3])[3]] == [2, 1]


def test_a_withdrawn_article_neither_leads_nor_hides(wire: Wire) -> None:
    """For the subscriber: the notice is seen, and so is the story that goes on."""
    wire.comes(SEIZED, REWRITTEN)
    wire.db.run("UPDATE articles SET withdrawn_at = '2026-11-19T00:00:00.000000Z' WHERE id = 1")
    assert shown(wire) == [1, 2]


def test_feeds_of_one_language_show_a_story_once(filled: Desk) -> None:
    """For subscribers: the two outlets of one event are once in English, twice in everything."""
    filled.publish()
    second = "UNODC conducts training in Ashgabat for border and migration officers"
    feeds = {one: (filled.folder / f"feeds/{one}.atom").read_text("utf-8") for one in ("all", "en")}
    counts = {one: text.count(f"<title>{second}") for one, text in feeds.items()}
    assert counts == {"all": 1, "en": 0}
    items = json.loads((filled.folder / "feeds/en.json").read_text("utf-8"))["items"]
    [first] = [one for one in items if one["title"].startswith("UNODC enhances the capacities")]
    assert [one["language"] for one in first["_newsroom"]["related"]] == ["en"]

"""The page of a story: only what may be shown, each thing where it is, and where else to go."""

import re
from datetime import UTC, datetime

import pytest

from digest.errors import NotFoundError
from digest.language.text import plain
from digest.model import NEVER
from digest.store.articles import withdraw_article
from digest.store.database import Database
from digest.stories.linking import join_articles, split_article
from digest.web.site import Asked, Page
from digest.web.story import SHOWN, story
from tests.desks import PAGES, Desk, opened

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PAIR, ENGLISH, SAME = 31, 32, 11
"""Of the seeds: a story in two languages, its English article, and a story in one."""


def page(desk: Desk, db: Database, article: int, language: str = "en") -> Page:
    newsroom = opened(db, desk.settings, clock=NOW, templates=PAGES)
    names = {"article": str(article), "language": language}
    return story(Asked(newsroom, language, names, {}, NOW))


def text(desk: Desk, db: Database, article: int, language: str = "en") -> str:
    made = page(desk, db, article, language)
    assert made.status == 200
    return made.body.decode()


def target(made: Page) -> str:
    assert made.status == 302
    return dict(made.headers)[b"location"].decode()


def test_both_tellings_have_the_same_letters_and_the_readers_language_is_first(
    filled: Desk,
) -> None:
    with filled.open() as db:
        english, russian = (text(filled, db, PAIR, one) for one in ("en", "ru"))
    for html, first in ((english, "Monday, 21"), (russian, "понедельник")):
        tellings = re.findall(r'<section class="telling".*?</section>', html, re.DOTALL)
        letters = [re.findall(r"<sup>(.)</sup>", one) for one in tellings]
        assert sorted(letters[0]) == sorted(letters[1]) == list("abcdefghi")
        assert first in tellings[0]
    assert '<span class="same">Д.Байрыева<sup>e</sup></span>' in english
    assert '<section class="telling" lang="ru">' in english
    assert '<section class="telling" lang="en">' in russian
    assert "Likeness 1.00; we join from 0.50." in english
    assert "“Она прибыла в Туркменистан" in english
    assert "may end before this" in english


def test_each_story_has_one_address_and_an_article_without_one_its_own(filled: Desk) -> None:
    with filled.open() as db:
        assert target(page(filled, db, ENGLISH)) == f"/en/stories/{PAIR}"
        assert target(page(filled, db, 1)) == "/en/articles/1"
        for unknown in ("0", "x", "99999"):
            names = {"article": unknown, "language": "en"}
            newsroom = opened(db, filled.settings, clock=NOW, templates=PAGES)
            with pytest.raises(NotFoundError):
                story(Asked(newsroom, "en", names, {}, NOW))


def test_nothing_of_an_embargoed_or_withdrawn_telling_is_shown(filled: Desk) -> None:
    with filled.open() as db:
        with db.write():
            db.run("UPDATE articles SET opens_at = ? WHERE id = ?", (NEVER.isoformat(), ENGLISH))
            withdraw_article(db, SAME, NOW)
        assert target(page(filled, db, PAIR)) == f"/en/articles/{PAIR}"
        with pytest.raises(NotFoundError):
            page(filled, db, ENGLISH)
        assert target(page(filled, db, SAME)) == f"/en/articles/{SAME}"


def test_a_source_that_allows_only_its_headline_gives_no_more(filled: Desk) -> None:
    filled.edit_config(
        'path = "seeds" ', 'publish = "link"\ncredit = "© The wire"\npath = "seeds" '
    )
    with filled.open() as db:
        html = text(filled, db, PAIR)
    assert "Customs Service of Turkmenistan held a meeting" in html
    for text_of_it in ("Байрыев", "hosted", 'class="same"'):
        assert text_of_it not in html
    assert "© The wire" in html


def test_an_editors_rulings_are_said(filled: Desk) -> None:
    with filled.open() as db:
        with db.write():
            split_article(db, 15, by="Anna", moment=NOW, ranks=())
            join_articles(db, [SAME, 1], by="Anna", moment=NOW, ranks=())
            lead = db.value("SELECT lead_article_id FROM stories ORDER BY id DESC LIMIT 1")
        html = text(filled, db, int(lead))
        close = html.partition("Close, but another event")[2]
    assert "An editor joined them on 20\u00a0November\u00a02026." in html
    assert "An editor joined the articles" in html
    if int(lead) == SAME:
        assert "An editor ruled that it is another event." in close


def test_a_long_text_ends_with_a_sentence_and_hostile_copy_stays_copy(filled: Desk) -> None:
    long = "<script>alert(1)</script> & Ashita Mittal came. " + "This is a sentence of it. " * 90
    with filled.open() as db:
        with db.write():
            sql = "UPDATE articles SET text = ?, complete = 1 WHERE id = ?"
            db.run(sql, (long.strip(), ENGLISH))
        html = text(filled, db, PAIR)
    [telling] = re.findall(r'<section class="telling">.*?</section>', html, re.DOTALL)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <span" in telling
    shown = plain(re.sub(r"<[^>]+>", "", telling.partition("</h2>")[2]))
    assert len(shown) < SHOWN + 100
    assert "sentence of it.\n" in shown


def test_only_editions_that_went_out_are_in_the_history(filled: Desk) -> None:
    edition = """INSERT INTO editions (id, digest, number, starts_at, ends_at, status, hash, composed_at, dated_at)
                 VALUES (?, 'weekly', ?, ?, ?, 'composed', '', ?, ?)"""
    with filled.open() as db:
        with db.write():
            for number, dated in ((1, "2026-11-19T03:00:00+00:00"), (2, None)):
                at = f"2026-11-1{number}T03:00:00+00:00"
                end = f"2026-11-1{number + 5}T03:00:00+00:00"
                db.run(edition, (number, number, at, end, end, dated))
                db.run("INSERT INTO placements VALUES (?, 1, ?, 1, NULL, '', '')", (number, PAIR))
        html = text(filled, db, PAIR)
    assert '<a href="/en/editions/weekly/1">' in html
    assert "editions/weekly/2" not in html


OUTLETS = 6


def clinics(desk: Desk) -> None:
    """Two stories, each of three outlets: a clinic of one day and one of the next."""
    config = desk.config.read_text("utf-8")
    for n in range(1, OUTLETS + 1):
        day, beds = (20, 40) if n <= OUTLETS / 2 else (21, 45)
        config += f'\n[[sources]]\nname = "o{n}"\ntitle = "Outlet {n}"\npath = "o{n}"\n'
        (desk.folder / f"o{n}").mkdir()
        copy = f"""---
title: Outlet {n}: Ministry of Health opens clinic in Mary
date: 2026-11-{20 + n}
---

The Ministry of Health opened a clinic for drug treatment in Mary on {day} November 2026, Minister Ahmet Geldiyev said. It has {beds} beds and 12 doctors, and UNODC supported it.

Outlet number {n} adds that the cost was {n} million manat and the builder was Company{n} Ltd.
"""
        (desk.folder / f"o{n}" / "a.md").write_text(copy, "utf-8")
    desk.config.write_text(config, "utf-8")
    desk.ingest(datetime(2026, 11, 30, 8, 0, tzinfo=UTC))


def test_of_more_than_two_outlets_the_pair_is_named_and_a_link_alone_has_no_words(
    desk: Desk,
) -> None:
    clinics(desk)
    with desk.open() as db:
        lead = int(db.value("SELECT min(id) FROM articles WHERE title LIKE 'Outlet%'"))
        html = text(desk, db, lead)
        other = text(desk, db, lead + 3)
        desk.edit_config('path = "o3"', 'path = "o3"\npublish = "link"')
        linked = text(desk, db, lead)
        with db.write():
            db.run("DELETE FROM fingerprints WHERE article_id = ?", (lead,))
        assert ">Outlet 4:" in text(desk, db, lead)  # by what the others are like
    assert "Outlet 1 and Outlet 2: 88\u00a0% is word for word the same." in html
    assert "Likeness of each linked pair at least 1.00;" in html
    assert '<span class="whose">Outlet 3</span>40 beds' in html
    close = [one.partition("Close, but another event")[2] for one in (html, other)]
    for said in close:
        assert said.count("the day, the numbers.") == said.count(">Outlet ") == 1
    assert 'belong together</h2>\n<p class="verdict">They have in common: the day' in linked
    assert "<span>summary</span>" not in linked

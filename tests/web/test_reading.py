"""The front, a theme and an article as pages: what they hold, and what they keep to themselves."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import html

from digest.editions.schedule import last_weeks
from digest.editions.store import save_edition
from digest.errors import NotFoundError
from digest.model import Edition, Hand, Window
from digest.newsroom import Newsroom
from digest.store.articles import all_article_ids, latest_ids, withdraw_article
from digest.store.database import Database, text_from_moment
from digest.store.pictures import Made, save_picture
from digest.web.reading import article, bars, front, theme
from digest.web.site import Asked, Page, Weeks
from tests.conftest import INGESTED_AT
from tests.desks import Desk

NOW = INGESTED_AT + timedelta(hours=6)


def made(
    desk: Desk,
    make: Callable[[Asked], Page],
    language: str = "en",
    now: datetime = NOW,
    query: dict[str, str] | None = None,
    **names: str,
) -> Page:
    newsroom = Newsroom(desk.settings, lambda: now)
    with newsroom.open(read_only=True) as room, room.db.snapshot():
        return make(Asked(room, language, names, query or {}, now))


def tree(page: Page) -> Any:
    return html.fromstring(page.body.decode())


def ids(page: Page) -> list[str]:
    """The articles that a page leads to, in its order, outside of its frame."""
    links = tree(page).xpath("//main//a[contains(@href, '/articles/')]/@href")
    return [one.rpartition("/")[2] for one in links]


def spread(db: Database, weeks: int) -> None:
    """As if one article had come in in each of these weeks, and the rest in the last one."""
    with db.write():
        for n, number in enumerate(all_article_ids(db)[:weeks], 1):
            at = text_from_moment(INGESTED_AT - timedelta(weeks=n))
            db.run("UPDATE articles SET first_seen_at = ? WHERE id = ?", (at, number))


def set_copy(desk: Desk, number: int, **columns: object) -> None:
    with desk.open() as db, db.write():
        for name, value in columns.items():
            db.run(f"UPDATE articles SET {name} = ? WHERE id = ?", (value, number))  # noqa: S608 - ours


def test_a_bar_is_as_high_as_its_count():
    """On one scale; a week without any is a line, and one of few can be seen."""
    chart = bars([4, 0, 1, 400], 400, "said", step=12, width=9, height=38)
    assert chart.past == "M0 36h9v2h-9zM24 36h9v2h-9z"
    assert chart.nil == "M12 37h9v1h-9z"
    assert chart.now == "M36 0h9v38h-9z"


def test_weeks_end_with_today_and_begin_at_midnight():
    """Also where the clocks changed between them; nothing lies between two."""
    now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    weeks = last_weeks(now, "Europe/Berlin", 3)
    assert now in weeks[-1]
    assert [one.days("Europe/Berlin")[0].isoformat() for one in weeks] == [
        "2026-10-12",
        "2026-10-19",
        "2026-10-26",
    ]
    assert [one.starts_at.hour for one in weeks] == [22, 22, 23]
    assert all(one.ends_at == other.starts_at for one, other in itertools.pairwise(weeks))


def test_the_front_shows_each_article_once(filled: Desk):
    """One lead as the title, pairs that lead to their story, a column for each theme, no bars of one week."""
    page = made(filled, front)
    shown = tree(page)
    assert len(ids(page)) == len(set(ids(page))) > 20
    assert len(shown.xpath("//h1")) == 1 == len(shown.xpath("//*[contains(@class, 'lead')]"))
    assert len(shown.xpath("//aside//*[@class='pair theme-customs']/div[@lang='ru']")) == 1
    assert shown.xpath("//aside//p[@class='meta']/a/@href") == [
        "/en/themes/customs",
        "/en/stories/32",
    ]
    assert not shown.xpath("//main//svg")
    assert not shown.xpath("//*[@class='join']")
    assert page.body == made(filled, front).body
    russian = tree(made(filled, front, "ru"))
    assert len(russian.xpath("//li[p='На английском']")) >= 1
    assert russian.xpath("//main//h3/a[@lang='ru']") == []


def test_a_theme_counts_what_it_does_not_show(filled: Desk, monkeypatch: pytest.MonkeyPatch):
    """Also where more came in than are ranked: shown and named are what came in."""
    monkeypatch.setattr("digest.web.reading.RANKED", 20)
    shown = tree(made(filled, front))
    said = shown.xpath("//section[contains(@class, 'section')]/header//p[@class='meta']/text()")
    more = shown.xpath("//a[@class='more']/text()")
    came = sum(int(one.partition("\xa0")[0]) for one in said)
    pairs = shown.xpath("//div[contains(@class, 'pair')]")
    links = shown.xpath("//main//a[contains(@href, '/articles/')]/@href")
    assert len(links) + len(pairs) + sum(int(one.split()[0]) for one in more) == came


def test_bars_need_four_earlier_weeks(filled: Desk):
    """Themes share a scale, so that one bar is as high as the drawing; the numbers are said too."""
    with filled.open() as db:
        spread(db, 6)
    shown = tree(made(filled, front))
    drawn = shown.xpath("//main//svg")
    assert len(drawn) == 5
    assert sum("0h9v38h" in path for path in shown.xpath("//svg/path[@class='now']/@d")) == 1
    assert all(one.get("aria-label").count(",") >= 5 for one in drawn)
    with filled.open() as db:
        spread(db, 3)
        db.run(
            "UPDATE articles SET first_seen_at = ? WHERE id < 7", (text_from_moment(INGESTED_AT),)
        )
    assert not tree(made(filled, front)).xpath("//main//svg")


def test_weeks_are_counted_once_until_they_change(filled: Desk):
    """What is kept is what counting gives, also after changes of earlier weeks, and in an earlier state."""
    kept, settings = Weeks(), filled.settings

    def counted(db: Database, mark: str) -> object:
        weeks = kept.counted(db, settings, NOW, 8, mark)
        assert weeks == Weeks().counted(db, settings, NOW, 8)
        return weeks

    with filled.open() as db, filled.open(read_only=True) as reader:
        spread(db, 10)
        with reader.snapshot():
            first = counted(reader, "1")
            with db.write():
                withdraw_article(db, 3, NOW)
            second = counted(db, "2")
            assert counted(reader, "1") == first != second
        with db.write():
            db.run("DELETE FROM matches WHERE article_id < 9")
        assert counted(db, "3") != second
        with db.write():
            withdraw_article(db, 30, NOW)
        counted(db, "4")


def test_the_front_has_the_newest_edition_and_its_note(filled: Desk):
    """As long as it is news: eight days."""
    filled.edit_config(
        "# public_url", "public_url", '//news.example.org"', '//news.example.org/site"'
    )
    hand = Hand(introduction={"en": "Read *this* first. <b>"})
    window = Window(NOW - timedelta(weeks=1), NOW)
    with filled.open() as db, db.write():
        save_edition(db, Edition(None, "weekly", 12, window, "", (), hand=hand), NOW)
        db.run("UPDATE editions SET dated_at = ?", (text_from_moment(NOW),))
    shown = tree(made(filled, front))
    (note,) = shown.xpath("//*[@class='note']")
    assert html.tostring(note, encoding="unicode").strip() == (
        '<p class="note">Read <em>this</em> first. &lt;b&gt;</p>'
    )
    (link,) = shown.xpath("//*[@class='join']//p/a")
    assert link.get("href") == "/en/editions/weekly/12"
    assert link.text == "No.\xa012"
    assert not tree(made(filled, front, "ru")).xpath("//*[@class='note']")
    assert not tree(made(filled, front, now=NOW + timedelta(days=9))).xpath("//*[@class='note']")


def test_an_empty_front_says_so(desk: Desk):
    with desk.open():
        pass
    assert "Nothing here yet." in made(desk, front).body.decode()


@pytest.mark.parametrize("key", ["drugs", "other", None])
def test_older_articles_follow_page_by_page(filled: Desk, key: str | None):
    """By the last one shown, whatever came in since: each once, also of one moment and without a day."""
    with filled.open() as db:
        every = latest_ids(db, theme=key)
        found, before = [], None
        while more := latest_ids(db, theme=key, before=before, limit=3):
            found += more
            before = more[-1]
    assert found == every
    assert len(every) > 3


def test_a_theme_leads_to_its_older_articles(filled: Desk, monkeypatch: pytest.MonkeyPatch):
    """They are for readers, not for crawlers; what nobody linked is no page."""
    monkeypatch.setattr("digest.web.reading.A_PAGE", 5)
    first = tree(made(filled, theme, theme="drugs"))
    (older,) = first.xpath("//a[@rel='next']/@href")
    page = made(filled, theme, theme="drugs", query={"before": older.partition("=")[2]})
    assert tree(page).xpath("//meta[@name='robots']/@content") == ["noindex"]
    assert not set(ids(page)) & {one.rpartition("/")[2] for one in first.xpath("//main//a/@href")}
    for query in ({"before": "x"}, {"before": "99999"}, {"before": "9" * 30}):
        with pytest.raises(NotFoundError):
            made(filled, theme, theme="drugs", query=query)
    with pytest.raises(NotFoundError):
        made(filled, theme, theme="nonsense")


def test_the_weeks_of_a_theme_are_a_drawing_and_a_table(filled: Desk):
    with filled.open() as db:
        spread(db, 30)
    shown = tree(made(filled, theme, theme="other"))
    rows = shown.xpath("//details//tbody/tr")
    assert len(rows) == 26
    assert rows[0].xpath("th")[0].text == "12–18\xa0November\xa02026"
    counts = [int(row.xpath("td")[0].text) for row in rows]
    paths = "".join(shown.xpath("//svg[@class='weeks']/path[not(@class='nil')]/@d"))
    assert paths.count("M") == sum(count > 0 for count in counts)
    assert shown.xpath("//ul[@class='follow']//a/@href")[:1] == ["/feeds/en.atom"]


def test_an_article_says_why_when_and_from_whom(filled: Desk):
    """In the words of its copy, in their language; for machines nothing that is not known."""
    shown = tree(made(filled, article, "ru", article="36"))
    assert shown.xpath("string(//h1[@lang='en'])").startswith("Countering illicit trafficking")
    assert shown.xpath("//link[@rel='canonical']/@href")[0].endswith("/en/articles/36")
    aside = shown.xpath("//aside")[0].text_content()
    assert "«illicit trafficking»" in aside
    assert "concluded on 29 March 2023»." in aside
    assert "29 March" in "".join(shown.xpath("//aside//span[@lang='en']/text()"))
    data = json.loads(shown.xpath("string(//script)"))
    assert data["datePublished"] == "2023-03-29"
    assert "dateModified" not in data
    undated = json.loads(tree(made(filled, article, article="3")).xpath("string(//script)"))
    assert "datePublished" not in undated
    assert "headline" not in undated  # it is ours


def test_a_translation_is_the_page_in_the_other_language(filled: Desk):
    shown = tree(made(filled, article, article="32"))
    assert "/ru/articles/31" in shown.xpath("//header//a[@hreflang='ru']/@href")
    assert {one.rpartition("/site")[2] for one in shown.xpath("//link[@hreflang]/@href")} >= {
        shown.xpath("//link[@hreflang='ru']/@href")[0]
    }
    assert shown.xpath("//aside//a[contains(@href, '/stories/32')]")


def test_an_article_is_its_own_page_in_its_language(filled: Desk):
    """However many of its story are in that language; the head and the link agree."""
    with filled.open() as db, db.write():
        db.run(
            "UPDATE articles SET story_id = (SELECT story_id FROM articles WHERE id = 32) WHERE id = 33"
        )
    shown = tree(made(filled, article, "ru", article="32"))
    assert shown.xpath("//header//a[@hreflang='en']/@href") == ["/en/articles/32"]
    assert shown.xpath("//link[@hreflang='en']/@href")[0].endswith("/en/articles/32")
    assert shown.xpath("//meta[@property='og:locale']/@content") == ["en"]


def test_only_two_that_are_left_are_compared(filled: Desk):
    with filled.open() as db, db.write():
        withdraw_article(db, 31, NOW)
    for number in ("31", "32"):
        shown = tree(made(filled, article, article=number))
        assert not shown.xpath("//main//a[contains(@href, '/stories/')]")


def test_a_count_is_that_of_the_page_behind_it(filled: Desk):
    """Also of articles that have another theme first."""
    for key, count in {"drugs": "13", "other": "9"}.items():
        shown = tree(made(filled, theme, theme=key))
        assert shown.xpath(f"//nav//a[contains(@href, '/themes/{key}')]/b/text()") == [count]
        assert shown.xpath("string(//h1/following-sibling::p)") == f"{count}\xa0stories"
        listed = shown.xpath("//main//article | //main//ul[@class='index']/li")
        assert len(listed) + len(shown.xpath("//main//*[starts-with(@class, 'pair')]")) == int(
            count
        )


def test_copy_never_ends_the_data_of_an_article(filled: Desk):
    hostile = "A </script><script>alert(1)</script> & <!-- <b>"
    set_copy(filled, 3, title=hostile, title_made=0)
    page = made(filled, article, article="3").body.decode()
    assert page.count("<script") == 1
    assert json.loads(tree(Page(page.encode())).xpath("string(//script)"))["headline"] == hostile


def test_an_article_of_which_little_may_be_shown(filled: Desk):
    """Its reasons quote no word that its source keeps to itself."""
    filled.edit_config('name = "seeds"', 'name = "seeds"\npublish = "link"')
    text = made(filled, article, article="36").body.decode()
    assert "OSCE-organized regional" not in text
    assert "illicit trafficking" in text  # of the headline
    assert "<span>summary</span>" not in text  # there is none
    assert tree(Page(text.encode())).xpath("//meta[@name='description']/@content") != [""]


def test_a_picture_is_shown_in_our_copies(filled: Desk):
    """With the size that keeps its room, its words and its credit."""
    url, words = "https://press.example/a.jpg", {"alt": "Two trucks", "credit": "UNODC/A. <B>"}
    set_copy(filled, 36, picture=json.dumps({"url": url} | words))
    assert not tree(made(filled, article, article="36")).xpath("//picture")
    with filled.open() as db, db.write():
        save_picture(db, url, Made("a" * 24, 640, 360, {}), NOW)
    shown = tree(made(filled, article, article="36"))
    (image,) = shown.xpath("//figure//img")
    assert (image.get("width"), image.get("height"), image.get("alt")) == (
        "640",
        "360",
        "Two trucks",
    )
    assert image.get("src") == f"/pictures/{'a' * 24}-480.webp"
    assert shown.xpath("string(//figcaption)") == "UNODC/A. <B>"


def test_withdrawn_is_gone_and_embargoed_was_never_there(filled: Desk):
    with filled.open() as db, db.write():
        withdraw_article(db, 36, NOW, "The load was <b>flour</b>.")
    page = made(filled, article, article="36")
    assert page.status == 410
    assert "withdrawn on 18\xa0November\xa02026" in page.body.decode()
    assert "The reason: The load was &lt;b&gt;flour&lt;/b&gt;.</p>" in page.body.decode()
    assert "MacGregor" not in page.body.decode()
    assert not tree(page).xpath("//script")
    assert "36" not in ids(made(filled, theme, theme="drugs"))
    set_copy(filled, 32, opens_at=text_from_moment(NOW + timedelta(hours=1)))
    for number in ("32", "999", "abc", "0", "9" * 40):
        with pytest.raises(NotFoundError):
            made(filled, article, article=number)
    assert made(filled, article, article="32", now=NOW + timedelta(hours=2)).status == 200

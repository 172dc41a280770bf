"""The digest mail as a reader sees it, in HTML and in text."""

import dataclasses
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from digest.editions.mail import Item, Mail, make_segment, view_mail
from digest.editions.selection import lay_out, order_placements
from digest.errors import ConfigError
from digest.language.text import name_mark
from digest.mail.tokens import PLACEHOLDERS
from digest.model import OTHER, UNDATED, Article, Choice, Entry, Hand, KnownDate
from digest.newsroom import make_environment
from tests.factories import make_article, make_match
from tests.mail.sample import (
    EVERYTHING,
    EVERYTHING_RU,
    Sample,
    make_sample,
    many_articles,
    on,
    under,
)

VOID = {"meta", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """Elements with their attributes and text, in order; refuses tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for at in self._open:
            tag, attrs, text = self.elements[at]
            self.elements[at] = (tag, attrs, text + data)

    def texts(self, *tags: str) -> list[str]:
        return [" ".join(text.split()) for tag, _, text in self.elements if tag in tags]

    def attrs(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs, _ in self.elements if name == tag]


def underlined(text: str, rule: str) -> list[str]:
    """The headings of a text part with a line of `rule` below."""
    headings = re.findall(rf"(?:^|\n\n)((?:[^\n]+\n)+?)(?:{re.escape(rule)})+\n", text)
    return [" ".join(heading.split()) for heading in headings]


@pytest.mark.parametrize("choice", [EVERYTHING, EVERYTHING_RU], ids=["en", "ru"])
def test_both_parts_show_the_same_items_in_the_same_order(choice: Choice) -> None:
    """RFC 2046 §5.1.4: a reader of the text part misses nothing."""
    mail = make_sample(choice=choice).mail
    page = Page(mail.html)
    text = " ".join(mail.text.split())
    titles = [title.partition("\u2002")[0] for title in page.texts("h2", "h3")]
    place = 0
    for title in titles:
        place = text.index(title, place)
    headings = [text for tag, attrs, text in page.elements if tag == "h2" and "id" in attrs]
    assert underlined(mail.text, "=") == [*page.texts("h1"), *headings]
    assert len(page.texts("h3")) == 4


def test_the_first_mail_in_words() -> None:
    """The whole text part of the sample edition, as a reader without HTML has it."""
    text = make_sample(per_theme=1).mail.text.replace("\u00a0", " ")
    assert text == (
        Path(__file__).parent.parent.joinpath("data", "mail", "sample.txt").read_text("utf-8")
    )


@pytest.mark.parametrize(
    ("choice", "subject", "preheader"),
    [
        pytest.param(
            EVERYTHING,
            "Border guards & customs officers seize <two> tonnes of… and 3 more",
            "Drugs 2 · Youth 1 · Other news 1",
            id="en",
        ),
        pytest.param(
            EVERYTHING_RU,
            "Открылась конференция — и ещё 3 новости",
            "Наркотики 2 · Молодёжь 1 · Другие новости 1",
            id="ru",
        ),
    ],
)
def test_the_inbox_shows_headline_and_counts(choice: Choice, subject: str, preheader: str) -> None:
    """Subject and preheader show the content in five seconds."""
    mail = make_sample(choice=choice).mail
    assert (mail.subject, mail.preheader) == (subject, preheader)
    first_words = re.search(r"<body[^>]*>\s*<div[^>]*display:\s*none[^>]*>([^<]*)<", mail.html)
    assert first_words[1] == preheader


def test_the_notes_hold_only_what_differs() -> None:
    """A byline, a day without a known year, a summary among full texts, other themes; the key explains it."""
    mail = make_sample().mail
    notes = [
        text.replace("\u00a0", " ")
        for _, attrs, text in Page(mail.html).elements
        if attrs.get("class") == "m"
    ]
    assert notes == [
        "20 November · also Youth",
        "18 November",
        "На русском: Открылась конференция",
        "summary",
        "In Russian",
        "by Эльвира Кадырова · 4 March 2025",
    ]
    assert (
        "The source is Wire copy unless another is named. Items have their full text unless marked "
        "summary. An item without a date has none in its copy."
    ) in " ".join(mail.text.split())


def test_a_title_of_ours_does_not_look_like_the_sources() -> None:
    """It is italic, a line only, ends with "…", and the lead continues where it stops."""
    mail = make_sample().mail
    [made] = [
        attrs for attrs in Page(mail.html).attrs("h3") if "made" in str(attrs.get("class")).split()
    ]
    assert "italic" in str(made["style"])
    assert "line" in str(made["class"])
    assert "In an inspiring initiative aimed at the younger…\nsummary\n" in mail.text
    assert "\n…generation, a session was held…\n" in mail.text


@pytest.mark.parametrize("choice", [EVERYTHING, EVERYTHING_RU], ids=["en", "ru"])
def test_an_item_in_another_language_says_so(choice: Choice) -> None:
    """Screen readers and spell checkers need the language of each headline and lead."""
    page = Page(make_sample(choice=choice).mail.html)
    assert page.attrs("html")[0]["lang"] == choice.language
    other = "ru" if choice.language == "en" else "en"
    for tag, attrs, text in page.elements:
        if tag == "h3":
            russian = bool(re.search("[а-я]", text.partition("\u2002")[0]))
            assert attrs.get("lang") == (other if russian != (choice.language == "ru") else None)


def test_more_under_a_theme_leads_to_its_page() -> None:
    """The count is right and the page holds the rest, in the languages of the reader."""
    articles = many_articles(30)
    both = Page(make_sample(articles, EVERYTHING, per_theme=4).mail.html)
    english = Page(make_sample(articles, Choice("en", ("en",), ("drugs",)), per_theme=4).mail.html)
    links = [
        (text, attrs["href"])
        for tag, attrs, text in both.elements
        if " more under " in text and tag == "a"
    ]
    assert links == [
        ("6 more under Drugs", "https://news.example.org/feeds/drugs.html"),
        ("6 more under Youth", "https://news.example.org/feeds/youth.html"),
        ("6 more under Other news", "https://news.example.org/feeds/all.html"),
    ]
    hrefs = [attrs["href"] for attrs in english.attrs("a")]
    assert "https://news.example.org/feeds/drugs.en.html" in hrefs


def test_the_contents_lead_to_the_sections() -> None:
    """Each name in the line of contents is a link to its heading."""
    page = Page(make_sample(many_articles(8)).mail.html)
    anchors = [attrs["id"] for attrs in page.attrs("h2") if "id" in attrs]
    assert anchors == ["theme-drugs", "theme-youth", f"theme-{OTHER}"]
    assert set(anchors) <= {str(attrs["href"]).lstrip("#") for attrs in page.attrs("a")}


def edited(sample: Sample, **values: Any) -> Mail:
    """The view of the sample's edition with other values."""
    edition = dataclasses.replace(sample.edition, **values)
    layout = lay_out(edition.placements, sample.layout.choice, per_theme=10, hand=edition.hand)
    return view_mail(sample.settings, sample.settings.digests[0], edition, layout)


def weeks(*counts: int) -> tuple[dict[str, int], ...]:
    return tuple({"en": n, "tk": 9} for n in counts)


@pytest.mark.parametrize(
    ("earlier", "bars", "tally"),
    [
        pytest.param(weeks(1, 2, 4, 0), (10, 19, 38, 1, 19), "2 this week · earlier weeks 0\u00a0to\u00a04", id="four"),
        pytest.param(weeks(2, 2, 2, 2), (38,) * 5, "2 this week · earlier weeks 2", id="all alike"),
        pytest.param(weeks(1, 2, 3), (), "2\u00a0stories", id="three are too few"),
    ],
)  # fmt: skip
def test_bars_show_the_earlier_weeks_in_the_readers_languages(
    earlier: tuple[dict[str, int], ...], bars: tuple[int, ...], tally: str
) -> None:
    """One scale for all themes; below four known weeks there is only the count."""
    part = edited(make_sample(many_articles(6)), earlier={"drugs": earlier}).parts[0]
    assert (part.bars, part.tally) == (bars, tally)


def test_the_editors_words_come_before_the_news() -> None:
    """Emphasis and links stay, HTML and pictures do not; the text part prints the address."""
    note = "Read *this* <b>first</b>, then [the rest](https://example.org/a). ![x](https://example.org/i) [y](javascript:z)"
    hand = Hand({"en": note}, {"en": "What mattered"})
    mail = edited(make_sample(), hand=hand)
    assert mail.subject == "What mattered"
    assert mail.note_html == (
        'Read <em>this</em> &lt;b&gt;first&lt;/b&gt;, then <a href="https://example.org/a">the rest</a>.'
        ' !<a href="https://example.org/i">x</a> [y](javascript:z)'
    )
    assert mail.note.startswith(
        "Read this <b>first</b>, then the rest (https://example.org/a). !x ("
    )


def test_a_pair_stands_side_by_side_for_a_reader_of_both_languages() -> None:
    """Rank 2, both in the edition: two columns; a reader of one language gets a line to the other."""
    story = [
        make_article(id=n, story_id=9, language=code, published=UNDATED, text="A text of 80 characters. " * 4)
        for n, code in ((71, "en"), (72, "ru"))
    ]  # fmt: skip
    articles = [*many_articles(8), *story]
    both, one = (
        edited(make_sample(articles, Choice("en", languages, EVERYTHING.themes))).parts[0].items
        for languages in (("en", "ru"), ("en",))
    )
    [item] = [item for item in both if item.pair]
    assert [column.label for column in item.pair] == ["English", "Русский"]
    assert item.both == "In English and in Russian"
    assert not any(item.pair for item in one)
    assert [link.label for item in one for link in item.also] == ["На русском"]


@pytest.mark.parametrize(
    ("name", "bars"),
    [
        pytest.param("Ashgabat Desk", "30 18 30 18-12 18 30 18 24", id="Latin"),
        pytest.param("Вестник Каспия", "30 18 18 18 18 18 18", id="Cyrillic"),
        pytest.param("Die Hafenzeitung", "30 18. 18 30 18 30 18 18", id="a short first word"),
        pytest.param("Täze Habar", "30 18. 18 18", id="an umlaut"),
        pytest.param("Юный журналист", "30 18 18 18.", id="й has a mark above it"),
        pytest.param("新聞", "18 30", id="another script"),
        pytest.param("24/7", "18-12", id="no letter"),
    ],
)
def test_the_mark_is_drawn_from_the_name(name: str, bars: str) -> None:
    """One bar for each letter, as tall as the letter."""
    drawn = [
        f"{one.height}{'-' * bool(one.below)}{one.below or ''}{'.' * bool(one.dot)}"
        for one in name_mark(name)
    ]
    assert " ".join(drawn) == bars


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("themes", [2, 8, 25])
def test_the_longest_themes_show_less_before_gmail_cuts_the_mail(
    language: str, themes: int
) -> None:
    """Under 80 kB of HTML whatever comes in, and the count of the rest is true."""
    keys = ("drugs", "youth") if themes == 2 else tuple(f"theme{n}" for n in range(themes))
    articles = [
        dataclasses.replace(article, matches=under(keys[n // 3 % themes], keys[0]), story_id=n // 3)
        for n, article in enumerate(many_articles(300, language))
    ]
    articles += [
        dataclasses.replace(one, id=one.id + 1000, atom_id=f"x{one.id}", language="tk")
        for one in articles[::3]
    ]
    placements = order_placements(articles)
    choice = Choice(language, (language, "tk"), keys)
    layout = lay_out(placements, choice, per_theme=100)
    sample = make_sample(many_articles(8))
    edition = dataclasses.replace(
        sample.edition, placements=placements, earlier={key: weeks(1, 2, 3, 4, 5, 6, 7) for key in keys}
    )  # fmt: skip
    mail = make_segment(
        sample.settings, sample.settings.digests[0], edition, layout, make_environment()
    )
    assert 30_000 < len(mail.html.encode()) < 80_000
    assert sum(part.total for part in layout.sections) == 100
    assert any(part.more for part in layout.sections)


def test_nothing_is_fetched_and_nothing_runs() -> None:
    """No picture, font, style sheet, script or tracker."""
    html = make_sample().mail.html
    page = Page(html)
    assert not [tag for tag, _, _ in page.elements if tag in {"img", "link", "script", "iframe"}]
    assert not re.search(r"url\(|@import|@font-face|src=", html)


def test_the_html_is_made_for_mail_programs() -> None:
    """Layout tables have that role, backgrounds are attributes too, dark mode has its rules."""
    page = Page(make_sample().mail.html)
    assert all(attrs.get("role") == "presentation" for attrs in page.attrs("table"))
    assert page.attrs("table")[0]["bgcolor"] == "#faf8f4"
    assert {"name": "color-scheme", "content": "light dark"} in page.attrs("meta")
    assert any("prefers-color-scheme:dark" in text for text in page.texts("style"))
    assert all("style" in attrs for tag in ("h1", "h2", "h3", "p") for attrs in page.attrs(tag))


def test_the_footer_says_why_how_and_who() -> None:
    """Why you get this, how to change it and unsubscribe, who and where we are; in both parts."""
    sample = make_sample()
    for part in (sample.mail.text.replace("\n", " "), sample.mail.html):
        assert "You are receiving this because you subscribed." in part
        assert "Themes: Drugs, Youth, Other news. Languages: English, Russian." in part
        assert f"leave+{PLACEHOLDERS.reader}@news.example.org" in part
        assert part.count(PLACEHOLDERS.reader) == 1
        assert part.count(PLACEHOLDERS.choice) == 1
        assert "1 Garashsyzlyk Street" in part
        assert "desk@news.example.org" in part


def test_the_text_keeps_to_72_columns() -> None:
    """Only an address may be longer, on its own line."""
    for line in make_sample(many_articles(12, "ru")).mail.text.splitlines():
        assert len(line) <= 72 or re.fullmatch(r"(https?|mailto):\S+", line)
        assert re.fullmatch(r"(https?|mailto):\S+", line) or "://" not in line


def test_an_edition_without_news_says_so() -> None:
    """With empty = "send" a reader still gets a mail that makes sense."""
    mail = make_sample([]).mail
    assert mail.subject == "The week: nothing new this time"
    assert "Nothing new this time." in mail.text
    assert "Nothing new this time." in mail.html


def test_two_renderings_are_the_same_bytes() -> None:
    """What the dry run showed is what is sent."""
    assert make_sample().mail == make_sample().mail


def test_a_page_for_preferences_gets_the_token_in_its_query() -> None:
    """If there is such a page, the link leads there."""
    mail = make_sample(web={"preferences_url": "https://news.example.org/me"}).mail
    assert f"https://news.example.org/me?t={PLACEHOLDERS.choice}\n" in mail.text


def with_template(folder: Path, template: str) -> Sample:
    """The sample with an operator's own mail/edition.html."""
    (folder / "mail").mkdir()
    (folder / "mail" / "edition.html").write_text(template, "utf-8")
    return make_sample(operator=folder, web={"templates": folder})


def test_an_operators_block_replaces_ours(tmp_path: Path) -> None:
    """One block can be changed; the rest stays."""
    sample = with_template(
        tmp_path,
        '{% extends "builtin/mail/edition.html" %}{% block masthead %}'
        "<tr><td><h1>Mine: {{ mail.newsroom }}</h1></td></tr>{% endblock %}",
    )
    page = Page(sample.mail.html)
    assert page.texts("h1") == ["Mine: Ashgabat Desk"]
    assert len(page.texts("h3")) == 4


@pytest.mark.parametrize("articles", [None, many_articles(12)], ids=["few", "many"])
def test_an_operators_article_is_printed_for_every_rank(
    tmp_path: Path, articles: list[Article] | None
) -> None:
    """A template from before there were ranks prints the lead, the articles with text, and the lines."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "article.html").write_text(
        "<h3>{{ ruled or item.first }} {{ item.notes | length }} {{ item.title }}</h3>", "utf-8"
    )
    page = Page(make_sample(articles, operator=tmp_path, web={"templates": tmp_path}).mail.html)
    assert len(page.texts("h3")) == (4 if articles is None else 12)


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        pytest.param("\n{{ mail.newsrom }}", "mail/edition.html, line 2", id="misspelt"),
        pytest.param("{% if %}", "mail/edition.html, line 1", id="syntax"),
        pytest.param("\n\n{{ 1 / 0 }}", "mail/edition.html, line 3", id="what Python refuses"),
        pytest.param("{% include 'mine.html' %}", "mail/edition.html, line 1", id="not there"),
        pytest.param("<p>News</p>", "no link to unsubscribe", id="no way out"),
    ],
)
def test_a_faulty_template_of_the_operator_is_named(
    tmp_path: Path, template: str, fault: str
) -> None:
    """The error names the wrong template, and no mail is sent without a link to unsubscribe."""
    with pytest.raises(ConfigError, match=re.escape(fault)):
        with_template(tmp_path, template)


@pytest.mark.parametrize(
    ("published", "line"),
    [
        pytest.param(on(date(2026, 11, 20)), "20 November", id="this year"),
        pytest.param(on(date(2021, 7, 14)), "14 July 2021", id="another year"),
        pytest.param(UNDATED, "-----", id="unknown: no day is invented"),
    ],
)
def test_a_day_has_its_year_unless_it_is_this_one(published: KnownDate, line: str) -> None:
    """Old news shows its year, this week's does not need it."""
    text = make_sample([make_article(published=published)]).mail.text.replace("\u00a0", " ")
    assert f"{line}\nThe parties met" in text


def test_a_correction_stands_before_the_lead() -> None:
    """In the language of the article, in both parts of the mail."""
    article = make_article(language="ru", correction="груз весил 12 кг")
    sample = make_sample([article], EVERYTHING_RU)
    for part in (sample.mail.html, sample.mail.text):
        assert "Исправление: груз весил 12 кг. The parties" in " ".join(part.split())


def test_a_press_contact_cannot_get_into_a_mail() -> None:
    """Names and telephone numbers of press contacts stay with the entry; an article has none."""
    has_cuts = [
        "cuts" in {field.name for field in dataclasses.fields(view)}
        for view in (Entry, Article, Item)
    ]
    assert has_cuts == [True, False, False]


def test_a_meta_line_stays_short() -> None:
    """Other outlets follow one "also", and of many themes three are named."""
    names = ["radio", "nCa"]
    articles = [
        make_article(id=n, story_id=7, source=one) for n, one in enumerate(["a", *names], 1)
    ]
    themes = [f"theme{n}" for n in range(6)]
    articles[0] = dataclasses.replace(articles[0], matches=tuple(map(make_match, themes)))
    named = [{"name": one, "title": {"en": one}} for one in themes]
    choice = Choice("en", ("en",), tuple(themes))
    [part] = edited(make_sample(articles, choice, themes=named)).parts
    assert [one.label for one in part.items[0].also] == ["Also: radio", "nCa"]
    assert part.items[0].notes[-4:] == ("also theme1", "also theme2", "also theme3", "and 2 more")


def test_a_story_is_shown_once_and_names_its_other_articles() -> None:
    """Another outlet, a second piece of the same one, another language: each with its title and outlet."""
    wire = {"name": "wire", "title": "Wire copy", "path": "/newsroom/wire"}
    radio = {"name": "radio", "title": "Radio Ashgabat", "path": "/newsroom/radio"}
    others = [{}, {"source": "radio"}, {"language": "ru"}, {"language": "ru"}]
    articles = [make_article(id=n, story_id=7, **one) for n, one in enumerate([{}, *others], 1)]
    mail = make_sample(articles, sources=[wire, radio]).mail
    page = Page(mail.html)
    links = [
        (text, str(attrs["href"]).rpartition("/")[2])
        for tag, attrs, text in page.elements
        if tag == "a" and "hreflang" in attrs
    ]
    assert links == [
        ("Meeting 2 at the Foreign Ministry", "2.html"),
        ("Meeting 3 at the Foreign Ministry", "3.html"),
        ("Meeting 4 at the Foreign Ministry", "4.html"),
    ]
    for number, line in [
        (2, "Meeting 2 at the Foreign Ministry · more on this from Wire copy"),
        (3, "Meeting 3 at the Foreign Ministry · also: Radio Ashgabat"),
        (4, "На русском: Meeting 4 at the Foreign Ministry"),
    ]:
        assert line in page.texts("p")
        assert f"{line}\nhttps://news.example.org/feeds/articles/{number}.html\n" in mail.text
    assert len(page.texts("h3")) == 1

"""The form of a document decides: an article, parts with headings, or a listing."""

import json
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import DocumentError
from digest.language.days import mentions
from digest.model import CutKind, FoundItem
from digest.sources.dates import read_copy
from digest.sources.documents import item_bytes, item_from, read_entries, read_item
from digest.sources.lines import Line, split_lines


def only(text):
    [entry] = read_entries("copy.txt", split_lines(text))
    return entry


ARTICLE = """Customs seize 20 kg of heroin

ASHGABAT, 3 April (nCa) — Turkmen customs officers seized 20 kilograms of heroin & more.

The drugs were hidden in a truck. ///nCa, 4 April 2023

Эта статья на русском


For media queries, please contact

Jane Roe

Communication Officer

Email: jane.roe[at]example.org

Mobile: +10005550100
"""


def test_an_article_is_split_into_its_fields():
    """For the reader: title and text without tag, link line and press contact, each in its field."""
    entry = only(ARTICLE)
    title = (entry.title, entry.title_made, entry.complete)
    assert title == ("Customs seize 20 kg of heroin", False, True)
    assert entry.dateline == "ASHGABAT, 3 April (nCa)"
    assert entry.wire_tag == "nCa, 4 April 2023"
    [contact, link] = entry.cuts
    assert (contact.kind, link.kind) == (CutKind.CONTACT, CutKind.FURNITURE)
    assert link.text == "Эта статья на русском"
    assert contact.text.splitlines()[0] == "For media queries, please contact"
    assert contact.text.splitlines()[-1] == "Mobile: +10005550100"
    assert entry.lead.startswith("ASHGABAT, 3 April (nCa) — Turkmen customs")
    assert entry.text.endswith("truck.")
    assert entry.content_html == (
        "<p>ASHGABAT, 3 April (nCa) — Turkmen customs officers seized 20 kilograms of heroin"
        " &amp; more.</p>\n<p>The drugs were hidden in a truck.</p>"
    )


def test_line_ends_and_marks_change_nothing():
    """For copy from Windows: the same entry, at the same line."""
    windows = ARTICLE.replace("\n", "\r\n")
    assert only(windows) == only(ARTICLE)


def test_an_article_without_title_gets_a_marked_one():
    """For the feed: the first sentence without its dateline, cut between words."""
    entry = only(
        "Farap, 5 May 2022 – Customs officers of Turkmenistan and Uzbekistan met to discuss the exchange"
        " of data on cargo before it arrives. It was the first such meeting.\n\nMore are planned."
    )
    assert entry.title_made
    assert entry.title.startswith("Customs officers of Turkmenistan and Uzbekistan")
    assert entry.title.endswith("…")
    assert len(entry.title) <= 90
    assert entry.dateline == "Farap, 5 May 2022"


def test_a_dateline_is_no_headline():
    """For the feed: copy without a title is headed by its first sentence, not by where it is from."""
    entry = only("ASHGABAT, 22 November 2026. The chess cup ended in a draw. It was the third.")
    assert (entry.title_made, entry.title) == (True, "The chess cup ended in a draw")


def test_headed_parts_stay_one_article():
    """For the reader: a heading is an <h2> and a paragraph of the text; the lead is prose."""
    entry = only(
        "Ministers meet on drugs\n\nMinisters of five countries met in Almaty on 3 June 2023.\n\n"
        "What was agreed\n\nThey will share data on seizures.\n\nWhat comes next\n\nThey meet again."
    )
    assert entry.title == "Ministers meet on drugs"
    assert entry.content_html.count("<h2>") == 2
    assert entry.text.split("\n\n")[1] == "What was agreed"
    assert entry.lead.startswith("Ministers of five")


def test_parts_with_their_own_wire_tags_have_no_common_title():
    """For the feed: the first part's heading is not the article's title; the last dated tag counts."""
    entry = only(
        "At the ministry\n\nOn 3 April 2023, the minister met a delegation of the UN. ///MFA\n\n"
        "At the customs\n\nOn 3 April 2023, customs met it too. ///nCa, 4 April 2023\n"
    )
    assert entry.title_made
    assert entry.content_html.startswith("<h2>At the ministry</h2>")
    assert entry.wire_tag == "nCa, 4 April 2023"
    assert "///" not in entry.text


LISTING = """A first text without a title tells of a session for youth at the centre, including […]
Turkmen delegation visited Austria

On 10-12 March 2024, a Turkmen delegation paid a working visit to Austria, with meetings on […]

Full item in between
The customs services met on 3 May 2023. They discussed transit.
World Drug Day in Turkmenistan
Elvira Kadyrova The International Day against Drug Abuse is marked on 26 June every year, to [...]
Молодёжь против наркотиков
В Ашхабаде прошла акция, в которой приняли участие студенты пяти вузов столицы, её […]
"""


def test_a_listing_gives_its_items_in_turn():
    """For the editor: each title with its teaser, blank lines or not; what is not cut is complete."""
    entries = read_entries("listing.txt", split_lines(LISTING))
    assert [(one.line, one.title_made, one.complete, one.byline) for one in entries] == [
        (1, True, False, None),
        (2, False, False, None),
        (6, False, True, None),
        (8, False, False, "Elvira Kadyrova"),
        (10, False, False, None),
    ]
    assert not any("…" in one.text or "[" in one.text for one in entries)
    assert entries[3].text.startswith("The International Day against")
    assert entries[4].title == "Молодёжь против наркотиков"


@pytest.mark.parametrize(
    "mark", ["[…]", "[...]", "[ … ]", "(…)", "(...)", "[…] Read more", "[…] Читать далее"]
)
def test_every_mark_cuts(mark):
    """For other sites' listings: the mark goes, whatever its form."""
    entry = only(f"Ministers meet on drugs\nMinisters of five countries met in Almaty and {mark}")
    assert not entry.complete
    assert entry.text == "Ministers of five countries met in Almaty and"


def test_a_listings_dates_go_to_their_items():
    """For a listing that dates its items on lines of their own."""
    entries = read_entries(
        "listing.txt",
        split_lines(
            "News\n\nTraining opens for customs\n5 May 2023\nA training was opened in Ashgabat by the […]\n"
            "Youth forum in the capital\n7 May 2023\nThe youth forum took place in the capital and […]\n"
        ),
    )
    assert [(one.title, one.dateline) for one in entries] == [
        ("Training opens for customs", "5 May 2023"),
        ("Youth forum in the capital", "7 May 2023"),
    ]


@pytest.mark.parametrize(
    ("line", "byline"),
    [
        pytest.param("By Maria Petrova", "Maria Petrova", id="By"),
        pytest.param("Автор: Мария Петрова", "Мария Петрова", id="Автор"),
        pytest.param("Elvira Kadyrova", "Elvira Kadyrova", id="bare under the title"),
        pytest.param("J. Smith", "J. Smith", id="an initial"),
        pytest.param("Central Asia", None, id="a place is nobody"),
    ],
)
def test_a_byline_of_its_own_is_read(line, byline):
    """For the author: the name is the byline and no part of the text."""
    entry = only(
        f"Drug Day is marked\n{line}\nThe day was marked in Ashgabat with an event for all."
    )
    assert entry.byline == byline
    assert (line in entry.text) == (byline is None)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("For further information, please contact:\n\nIvan Petrov\n\nPress officer", id="further"),
        pytest.param("Media contact: Ivan Petrov, +993 12 345678", id="one line"),
        pytest.param("Контакты для СМИ\nИван Petrov\nТел.: +993 12 345678", id="контакты"),
        pytest.param("За дополнительной информацией обращаться:\nИван Petrov, +993 12 345678", id="за"),
        pytest.param("Для получения дополнительной информации обращайтесь к Petrov И.И.", id="для"),
        pytest.param("По вопросам СМИ обращайтесь: Petrov, тел. 12-34-56", id="по вопросам"),
        pytest.param("Ivan Petrov\nPress officer\nE-mail: i.petrov@example.org", id="no opening"),
        pytest.param("Press office:\nIvan Petrov\nTel: 12 34 56 78", id="press office"),
    ],
)  # fmt: skip
def test_the_press_contact_is_separate(block):
    """For the people it names: never published, complete in its own field."""
    entry = only(
        f"Office opens in Ashgabat\n\nAn office was opened in Ashgabat in May.\n\n{block}\n"
    )
    [contact] = entry.cuts
    assert "Petrov" in contact.text
    assert entry.text == "An office was opened in Ashgabat in May."
    assert "Petrov" not in entry.content_html + entry.title + entry.lead


def test_a_contact_within_a_paragraph_leaves_the_rest():
    """For copy that runs the contact into its last paragraph."""
    entry = only(
        "Office opens\n\nAn office was opened in Ashgabat in May.\n\nIt has ten staff. For more"
        " information, please contact Ms. Jane Doe at jane.doe@example.org or +993 12 123456."
    )
    assert entry.text.endswith("It has ten staff.")
    [contact] = entry.cuts
    assert contact.text.startswith("For more information")


def test_information_that_is_no_contact_stays():
    """For the reader: a sentence on information or contacts between states is copy."""
    text = (
        "For further information exchange, five states met. Contacts between them grow every year."
    )
    assert only(f"States meet in Ashgabat\n\n{text}").text == text


def test_copy_wrapped_at_a_width_is_joined():
    """For mail and old wires: lines are one paragraph again."""
    entry = only(
        "Customs officers trained\n\nA three-day training for customs officers from both sides of\n"
        "the border was concluded in Farap. It was organised by the office\nwith support from Japan.\n\n"
        "The officers learnt to inspect containers, vehicles and people,\nand they were certified.\n"
    )
    assert entry.content_html.count("<p>") == 2
    assert "sides of the border" in entry.text


@pytest.mark.parametrize(
    "tag", ["///нЦА, 4 апреля 2023 года", "/// TDH", "//MFA Turkmenistan", "///nCa, 4 April 2023."]
)
def test_wire_tags_leave_the_text(tag):
    """For the reader: the agency's mark is a field, in either language, on its own line or not."""
    for glue in (" ", "\n\n"):
        entry = only(f"Office opens in the capital\n\nAn office was opened in Ashgabat.{glue}{tag}")
        assert entry.text == "An office was opened in Ashgabat."
        assert entry.wire_tag == tag.strip("/ .")


def test_an_address_is_no_wire_tag():
    """For the reader: slashes of a link stay."""
    entry = only("Office opens\n\nAn office was opened in Ashgabat, see https://example.org")
    assert entry.wire_tag is None
    assert entry.text.endswith("https://example.org")


@pytest.mark.parametrize(
    "text", ["", "\n \n", "---\n", "For media queries, please contact\nJane Roe\n"]
)
def test_a_document_without_copy_has_no_entry(text):
    """For ingest: no empty article."""
    assert read_entries("copy.txt", split_lines(text)) == []


PIECES = st.sampled_from(
    [
        "Title of a piece",
        "On 5 May 2023, a text was written about it.",
        "[…]",
        "///nCa, 4 April 2023",
        "\n",
        "\r\n",
        "5 May 2023",
        "By Jane Roe",
        "For media queries, please contact",
        "a@b.test",
        "Elvira Kadyrova The",
        "1. Title of a piece",
        "22.11.2026 Title of a piece",
        "• Title of a piece",
        "News of the week",
        "Новости недели",
        "Заголовок на другом языке",
        "Это текст на другом языке, и в нём довольно много слов.",
        "***",
        "---",
        "Read more",
        "Press release",
        "…",
        "//",
        ".",
    ]
)


@given(
    st.one_of(
        st.text(max_size=400),
        st.lists(PIECES, max_size=30).map(" ".join),
        st.lists(PIECES).map("\n".join),
    )
)
@settings(max_examples=100)
def test_no_text_surprises_the_reader(text):
    """For the operator: any text gives entries that hold together, and what is no copy is kept."""
    entries = read_entries("copy.txt", split_lines(text))
    shown = [
        (one.title, one.text, one.byline, one.dateline, one.wire_tag, one.cuts) for one in entries
    ]
    # Of several wire tags one is kept.
    for piece in ("piece", "written", "Jane", "Новости", "Заголовок"):
        assert not entries or "//" in text or piece not in text or piece in repr(shown)
    lines = [one.line for one in entries]
    assert lines == sorted(set(lines))
    for one in entries:
        assert one.title.strip()
        assert one.text.strip()
        assert one.lead in one.text
        assert one.content_html.count("<p>") + one.content_html.count("<h2>") >= 1


@pytest.mark.parametrize(
    "line",
    [
        "Эта статья на русском",
        "Этот материал доступен на русском языке",
        "Читать на английском",
        "This article in English",
        "Read this article in Russian",
        "Also available in Russian",
        "In English",
        "Русская версия",
        "English version",
        "Read more »",
    ],
)
def test_a_link_to_another_version_is_no_copy(line):
    """For the reader: a line that was a link on the page is useless here."""
    entry = only(
        f"Office opens\n\nAn office was opened in Ashgabat.\n\n{line}\n\nIt has ten staff."
    )
    assert entry.text == "An office was opened in Ashgabat.\n\nIt has ten staff."


@pytest.mark.parametrize(
    ("copy", "dateline"),
    [
        pytest.param("18 September, Ashgabat – It met.", "18 September, Ashgabat", id="day first"),
        pytest.param("ASHGABAT, April 3 (Reuters) - It met.", "ASHGABAT, April 3 (Reuters)", id="agency"),
        pytest.param("АШХАБАД, 3 апреля. /ТАСС/. Он открыт.", "АШХАБАД, 3 апреля. /ТАСС/", id="TASS"),
        pytest.param("Vienna (Austria), 3 April 2023 — It met.", "Vienna (Austria), 3 April 2023", id="country"),
        pytest.param("Ashgabat (nCa) — It met.", "Ashgabat (nCa)", id="no day"),
        pytest.param("Ashgabat, 3 April 2023 On Monday it met.", "Ashgabat, 3 April 2023", id="run in"),
        pytest.param("ASHGABAT, 3 April 2023. It met.", "ASHGABAT, 3 April 2023", id="full stop"),
        pytest.param("On 2 – 3 October, it met.", None, id="a sentence"),
        pytest.param("3 April 2023 was a good day – all met.", None, id="a day and a dash"),
    ],
)  # fmt: skip
def test_a_dateline_is_not_a_sentence(copy, dateline):
    """For the date: only a place and a day before the dash are a dateline."""
    assert only(f"Office opens in the capital\n\n{copy}").dateline == dateline


FORMS = tomllib.loads((Path(__file__).parents[1] / "data/copy/documents.toml").read_text("utf-8"))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_form_shows_the_items(form):
    """For the sub-editor: each item by itself, with its title, its stated day, and as a teaser or not."""
    items = []
    for entry in read_entries("copy.txt", split_lines(form["text"].strip("\n"))):
        day = next((one.date for one in mentions(entry.dateline or "")), None)
        items.append(f"{'' if entry.complete else '…'}{day or '-'} | {entry.title}")
    assert items == form["entries"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_nothing_of_a_document_vanishes(form):
    """For the editor: each word is in an entry or a cut, but for marks of items and words around names."""
    entries = read_entries("copy.txt", split_lines(form["text"].strip("\n")))
    shown = "\n".join(
        str(part)
        for one in entries
        for part in (one.title, one.text, one.byline, one.dateline, one.wire_tag, *one.cuts)
    ).replace("\\n", "\n")
    words = set(re.findall(r"[^\W_]{2,}", form["text"])) - set(re.findall(r"[^\W_]+", shown))
    known = {"By", "Posted", "Published", "Read", "more", "Continue", "reading", "Читать", "далее"}
    assert not [one for one in words - known if not one.isdigit() and one != "II"]


def test_titles_that_a_header_names_open_items():
    """For the desk: an export of several records has an item for each, dated by its own line."""
    lines = [
        Line(1, "Halm school wins prize", False, "title"),
        Line(2, "Date: 2026-10-12", False),
        Line(4, "A school in Halm won a prize for its garden.", True),
        Line(6, "Bridge of Polna painted red", True, "title"),
        Line(7, "2026-10-11", False),
        Line(9, "The bridge in Polna was painted red.", True),
    ]
    entries = read_entries("copy.txt", lines)
    assert [(one.dateline, one.title) for one in entries] == [
        ("2026-10-12", "Halm school wins prize"),
        ("2026-10-11", "Bridge of Polna painted red"),
    ]


def test_an_embargo_holds_beside_the_copy():
    """For the desk: a page that names its embargo among its links or in its footer is held."""
    page = [
        Line(1, "Port opens", False, "title"),
        Line(2, "The port of Halm opened on Monday.", True),
    ]
    footer = Line(3, "Embargoed until 10:00 GMT, 15 October 2030", True, "beside")
    [entry] = read_entries("a.html", [*page, footer])
    assert entry.embargo
    below = "\n\nRelated\nOld port\nEmbargoed until 10:00 GMT, 15 October 2030"
    assert only(f"Port opens\n\nThe port of Halm opened on Monday.{below}").embargo


def test_a_line_of_a_poem_is_no_heading():
    """For the reader: a line without a full stop within a stanza stays a line of it."""
    poem = (
        "The river carries what it can,\na boat, a shoe.\nNobody asks the ferryman\nwhat he knew."
    )
    assert "<h2>" not in only(f"The Ferryman\n\n{poem}\n\nHe lights a lamp.").content_html


MAIL = """From: press@polna.example
To: desk@news.example
Date: Wed, 14 Oct 2026 09:00:00 +0300
Subject: Dam of Polna repaired

EMBARGOED UNTIL 10:00 GMT, 15 OCTOBER 2026
Ref: 17/2026

{dateline}Workers closed three cracks in the dam, the water board of Dravik says.

Плотина в Полне отремонтирована

Рабочие заделали три трещины в плотине, сообщает водоканал Дравика.
"""


def test_an_envelope_holds_for_all_its_documents():
    """For the desk: the embargo, number and day of a mail hold for both of its languages."""
    english, russian = read_entries("a.txt", split_lines(MAIL.format(dateline="")))
    assert (english.title, russian.title) == (
        "Dam of Polna repaired",
        "Плотина в Полне отремонтирована",
    )
    assert english.embargo == russian.embargo
    assert english.embargo.until == datetime(2026, 10, 15, 10, 0, tzinfo=UTC)
    assert english.number == russian.number == "17/2026"
    assert english.dateline == russian.dateline == "Wed, 14 Oct 2026 09:00:00 +0300"
    assert [cut.kind for cut in (*english.cuts, *russian.cuts)] == ["header", "label"]


def test_the_day_of_the_copy_stands_before_that_of_its_mail():
    """For the date: copy is often sent on a later day than it is of."""
    dated = MAIL.format(dateline="POLNA, 12 October 2026 – ")
    english, russian = read_entries("a.txt", split_lines(dated))
    assert english.dateline == "POLNA, 12 October 2026"
    assert russian.dateline == "Wed, 14 Oct 2026 09:00:00 +0300"


def test_an_order_to_kill_is_one_entry():
    """For the desk: whatever its form, it names what must go and is no listing."""
    text = "KILL: Dam of Polna repaired\n\nEditors, please kill the story below.\n\n***\n\nDam of Polna repaired\n\nWorkers closed three cracks in the dam."
    entry = only(text)
    assert entry.kills.title == "Dam of Polna repaired"


def test_blocks_of_a_format_become_html():
    """For the reader of a page: a list, a quote, a table and a heading look like what they are."""
    blocks = [
        ("title", "Port of Selkan grows", ""),
        ("", "The port has <two> new quays.", "The port has &lt;two&gt; <em>new</em> quays."),
        ("heading", "What it can take.", ""),
        ("item", "grain & oil", ""),
        ("item", "fruit", '<a href="https://a.test/">fruit</a>'),
        ("row", "ships 5", "<table><tr><td>ships</td><td>5</td></tr></table>"),
        ("quote", "It is large.", ""),
        ("pre", "a  b", ""),
    ]
    lines = [Line(i, text, True, block, html) for i, (block, text, html) in enumerate(blocks, 1)]
    [entry] = read_entries("copy.html", lines)
    assert (entry.title, entry.title_made) == ("Port of Selkan grows", False)
    assert entry.content_html.split("\n") == [
        "<p>The port has &lt;two&gt; <em>new</em> quays.</p>",
        "<h2>What it can take.</h2>",
        "<ul>",
        "<li>grain &amp; oil</li>",
        '<li><a href="https://a.test/">fruit</a></li>',
        "</ul>",
        "<table><tr><td>ships</td><td>5</td></tr></table>",
        "<blockquote>",
        "<p>It is large.</p>",
        "</blockquote>",
        "<pre>a  b</pre>",
    ]
    assert entry.text.split("\n\n")[3] == "fruit"


TAGS = [
    "div",
    "p",
    "h2",
    "ul",
    "ol",
    "li",
    "a",
    "b",
    "i",
    "em",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
    "th",
    "br",
    "pre",
    "code",
    "blockquote",
    "sub",
    "sup",
    "u",
    "s",
]
XSS = json.loads((Path(__file__).parents[1] / "data" / "xss.json").read_text("utf-8"))


@pytest.mark.parametrize("text", XSS)
def test_no_item_of_a_feed_or_page_brings_anything_that_runs(text: str) -> None:
    """For the reader: as its body, title, author or address; what is left is text and links to pages."""
    item = FoundItem(
        key="k", title=text, html=f"<p>Copy.</p>{text}", complete=True, author=text, url=None
    )
    try:
        entry = read_item("k", item_from(item_bytes(item)))
    except DocumentError:
        return
    tree = lxml.html.fragment_fromstring(entry.content_html, create_parent="div")
    assert {node.tag for node in tree.iter()} <= set(TAGS)
    for node in tree.iter():
        assert set(node.attrib) <= {"href", "title", "lang", "hreflang"}
        assert re.match("https?:|mailto:|$", node.get("href", ""))
    assert entry.title == text or entry.title_made


@pytest.mark.parametrize(
    ("line", "day"),
    [("13/04/2026", "2026-04-13"), ("03/04/2026", None), ("4 March 2026", "2026-03-04")],
)
def test_a_day_of_a_page_that_may_be_of_two_months_is_none(line: str, day: str | None) -> None:
    """For readers: who wrote it, and in which country, is not known."""
    html = f"<p>{line}</p><p>Officers of the customs service seized a parcel with heroin at the border.</p>"
    entry = read_item("k", FoundItem(key="k", title="Parcel seized", html=html, complete=True))
    [read] = read_copy([entry], date(2026, 11, 30))
    assert (read.published.day and read.published.day.isoformat()) == day

"""A document's form says what it is: an article, headed parts, a listing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.sources.documents import read_entries


def only(text):
    [entry] = read_entries("copy.txt", text)
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


def test_an_article_is_taken_apart():
    """For the reader: title and text without tag, link line and press contact, each in its field."""
    entry = only(ARTICLE)
    assert (entry.title, entry.title_made, entry.complete) == (
        "Customs seize 20 kg of heroin",
        False,
        True,
    )
    assert entry.dateline == "ASHGABAT, 3 April (nCa)"
    assert entry.wire_tag == "nCa, 4 April 2023"
    assert entry.contact is not None
    assert entry.contact.splitlines()[0] == "For media queries, please contact"
    assert entry.contact.splitlines()[-1] == "Mobile: +10005550100"
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
    entries = read_entries("listing.txt", LISTING)
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
        "News\n\nTraining opens for customs\n5 May 2023\nA training was opened in Ashgabat by the […]\n"
        "Youth forum in the capital\n7 May 2023\nThe youth forum took place in the capital and […]\n",
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
def test_the_press_contact_is_kept_apart(block):
    """For the people it names: never in what is published, whole in its own field."""
    entry = only(
        f"Office opens in Ashgabat\n\nAn office was opened in Ashgabat in May.\n\n{block}\n"
    )
    assert entry.contact is not None
    assert "Petrov" in entry.contact
    assert entry.text == "An office was opened in Ashgabat in May."
    assert "Petrov" not in entry.content_html + entry.title + entry.lead


def test_a_contact_within_a_paragraph_leaves_the_rest():
    """For copy that runs the contact into its last paragraph."""
    entry = only(
        "Office opens\n\nAn office was opened in Ashgabat in May.\n\nIt has ten staff. For more"
        " information, please contact Ms. Jane Doe at jane.doe@example.org or +993 12 123456."
    )
    assert entry.text.endswith("It has ten staff.")
    assert entry.contact is not None
    assert entry.contact.startswith("For more information")


def test_information_that_is_no_contact_stays():
    """For the reader: a sentence on information or contacts between states is copy."""
    text = (
        "For further information exchange, five states met. Contacts between them grow every year."
    )
    assert only(f"States meet in Ashgabat\n\n{text}").text == text


def test_copy_broken_at_a_width_is_put_together():
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
    assert read_entries("copy.txt", text) == []


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
    """For the operator: any text gives entries that hold together."""
    entries = read_entries("copy.txt", text)
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
    """For the reader: a line that was a link on the page says nothing here."""
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
def test_a_dateline_is_told_from_a_sentence(copy, dateline):
    """For the date: only a place and a day before the dash are a dateline."""
    assert only(f"Office opens in the capital\n\n{copy}").dateline == dateline

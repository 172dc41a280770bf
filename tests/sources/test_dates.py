"""The day of an article: stated, the last day of the event in the lead, from neighbours, or unknown."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.days import mentions
from digest.model import UNDATED, DateSource, Entry, KnownDate
from digest.sources.dates import date_entries, find_date


def entry(lead, **known):
    base = Entry(
        document="copy.txt",
        line=1,
        title="Title",
        title_made=False,
        language="",
        lead=lead,
        text=known.pop("text", lead),
        content_html="",
        complete=True,
    )
    return replace(base, **known)


def day_of(lead, **known):
    [found] = date_entries([entry(lead, **known)])
    return found


@pytest.mark.parametrize(
    ("lead", "iso", "evidence"),
    [
        pytest.param("On 9 – 13 October 2023, UNODC conducted a training.", "2023-10-13", "9 – 13 October 2023", id="spaced dash"),
        pytest.param("On March 26-27, 2024, Bishkek hosted a workshop.", "2024-03-27", "March 26-27, 2024", id="month first"),
        pytest.param("On 10-12 March 2024, a delegation visited Austria.", "2024-03-12", "10-12 March 2024", id="hyphen"),
        pytest.param("It was held from 26 to 29 March 2024.", "2024-03-29", "26 to 29 March 2024", id="from to"),
        pytest.param("On April 3, 2023, the minister met a guest.", "2023-04-03", "April 3, 2023", id="American"),
        pytest.param("On 5th November 2023, it published a report.", "2023-11-05", "5th November 2023", id="ordinal"),
        pytest.param("A workshop concluded on 29 March 2023.", "2023-03-29", "29 March 2023", id="concluded"),
        pytest.param("It burnt on Saturday, 4 December 2022, another batch.", "2022-12-04", "4 December 2022", id="weekday"),
        pytest.param("On the 18th of November 2024 an event was held.", "2024-11-18", "18th of November 2024", id="of"),
        pytest.param("The course ran from 30 October - 3 November 2023.", "2023-11-03", "30 October - 3 November 2023", id="over months"),
        pytest.param("A course ran from 28 December 2022 to 2 January 2023.", "2023-01-02", "28 December 2022 to 2 January 2023", id="over a year"),
        pytest.param("Talks took place on 3, 4 and 5 October 2023 in Osh.", "2023-10-05", "3, 4 and 5 October 2023", id="a list"),
        pytest.param("On April 3, 25 people met in Farap, and on 4 April 2023 they left.", "2023-04-04", "April 3 … 4 April 2023", id="people are no days"),
        pytest.param("UNICEF held its talks in Astana on Sept. 23, 2023 for youth.", "2023-09-23", "Sept. 23, 2023", id="shortened month"),
        pytest.param("It met on 05.06.2023 in Ashgabat.", "2023-06-05", "05.06.2023", id="figures"),
        pytest.param("It met on 2023-06-05 in Ashgabat.", "2023-06-05", "2023-06-05", id="ISO"),
        pytest.param("В понедельник, 21 ноября 2022 года, состоялась встреча.", "2022-11-21", "21 ноября 2022 года", id="Russian"),
        pytest.param("5–6 декабря 2023 года эксперты обсудили план.", "2023-12-06", "5–6 декабря 2023 года", id="Russian span"),
        pytest.param("Курс шёл с 11 по 13 марта 2024 г. в Ашхабаде.", "2024-03-13", "11 по 13 марта 2024 г.", id="с по"),
        pytest.param("Встреча шла с 28 октября по 1 ноября 2023 года.", "2023-11-01", "28 октября по 1 ноября 2023 года", id="с по, two months"),
        pytest.param("21-го мая 2022 года в Ашхабаде прошёл форум.", "2022-05-21", "21-го мая 2022 года", id="го"),
        pytest.param("2023-nji ýylyň 11–13-nji mart aralygynda maslahat geçirildi.", "2023-03-13", "2023-nji ýylyň 11–13-nji mart", id="Turkmen"),
        pytest.param("5-nji sentýabrda 2023 ýylda duşuşyk boldy.", "2023-09-05", "5-nji sentýabrda 2023", id="Turkmen, the year behind"),
        pytest.param("On 5 September 2017 10.6 kg of opium was seized.", "2017-09-05", "5 September 2017", id="a figure after the year"),
        pytest.param("Two ministers agreed on 24 April 2023 that a treaty is needed.", "2023-04-24", "24 April 2023", id="agreed on"),
        pytest.param("A laboratory was opened on 9 May 2023 and will serve all.", "2023-05-09", "9 May 2023", id="will comes after"),
        pytest.param("On 9 May 2023 states adopted a plan that will help all.", "2023-05-09", "9 May 2023", id="a plan adopted"),
        pytest.param("An agreement was signed on 3 May 2022 in Ashgabat.", "2022-05-03", "3 May 2022", id="was signed"),
    ],
)  # fmt: skip
def test_the_last_day_of_the_event_is_the_date(lead, iso, evidence):
    """For the reader: the day that the lead says, and the words that say so."""
    found = day_of(lead)
    assert (found.iso, found.evidence) == (iso, evidence)
    assert found.source is (DateSource.TEXT if iso else DateSource.UNKNOWN)


@pytest.mark.parametrize(
    "lead",
    [
        pytest.param("At the Conference held in December 2021, a resolution was adopted.", id="a month"),
        pytest.param("World Drug Day is marked on 26 June every year, to strengthen action.", id="every year"),
        pytest.param("26 июня отмечается Международный день борьбы с наркотиками.", id="отмечается"),
        pytest.param("It plunged after a ban imposed by the authorities on 3 April 2022.", id="imposed"),
        pytest.param("The resolution adopted on 17 December 2021 calls for platforms.", id="adopted"),
        pytest.param("The office works under a law which was adopted on 3 May 2015 in full.", id="which was adopted"),
        pytest.param("В соответствии с Указом от 3 мая 2021 года работа продолжается.", id="от"),
        pytest.param("Согласно резолюции, принятой 10 декабря 2021 года, создана платформа.", id="принятой"),
        pytest.param("Since 1 January 2020 the project has trained officers.", id="since"),
        pytest.param("The forum will be held on 14 September 2024 in Dushanbe.", id="will be held"),
        pytest.param("28 октября 2024 года в Якутске впервые пройдёт фестиваль.", id="пройдёт"),
        pytest.param("The ninth phase was prolonged with extra money to 14 December 2019.", id="prolonged to"),
        pytest.param("Registration is extended to May 28, 2024.", id="extended to"),
        pytest.param("Заявки принимаются до 1 мая 2024 года.", id="до"),
        pytest.param("On 7 December 1987 the General Assembly chose the day.", id="history"),
        pytest.param("In the months September to October 2023 it held meetings.", id="months only"),
        pytest.param("The programme for 2022-2025 may 5 times be revised.", id="may is a verb"),
        pytest.param("On 31 April 2023 nothing happened.", id="no such day"),
        pytest.param("It started Thursday and was planned for May this year.", id="this year"),
    ],
)  # fmt: skip
def test_background_is_no_date(lead):
    """For the reader: no date is better than a wrong one."""
    assert day_of(lead) == UNDATED


@pytest.mark.parametrize(
    ("known", "iso", "source"),
    [
        pytest.param({"dateline": "ASHGABAT, 3 April 2023 (nCa)"}, "2023-04-03", DateSource.STATED, id="dateline"),
        pytest.param({"wire_tag": "nCa, 4 April 2023"}, "2023-04-04", DateSource.STATED, id="wire tag"),
        pytest.param({"wire_tag": "нЦА, 4 апреля 2023 года"}, "2023-04-04", DateSource.STATED, id="Russian tag"),
        pytest.param({"dateline": "3 April, Ashgabat", "wire_tag": "nCa, 4 April 2023"}, "2023-04-03", DateSource.STATED, id="a tag lends its year"),
        pytest.param({"wire_tag": "MFA Turkmenistan"}, "2022-05-05", DateSource.TEXT, id="a tag without a day"),
        pytest.param({"dateline": "3 January, Ashgabat"}, None, DateSource.UNKNOWN, id="no year, no neighbours"),
    ],
)  # fmt: skip
def test_what_is_stated_comes_first(known, iso, source):
    """For the reader: dateline, wire tag, and only then the lead."""
    found = day_of("On 5 May 2022 the minister met a guest.", **known)
    assert (found.iso, found.source) == (iso, source)


def test_a_sources_own_date_is_kept():
    """For feeds: a machine-readable date is not read over."""
    stated = KnownDate(date(2024, 5, 5), DateSource.STATED, "", datetime(2024, 5, 5, 7, tzinfo=UTC))
    assert day_of("On 5 May 2022 it met.", published=stated) == stated


def test_an_event_that_goes_on_ends_on_its_last_day():
    """For a lead of two parts: the last day, but not that of a plan or an anniversary."""
    leads = {
        "On 2 – 3 October 2023, it met, followed by the Council on 4 October.": "2023-10-04",
        "On 3 June 2023 it met, ahead of World Drug Day on 26 June.": "2023-06-03",
        "On 3 June 2023 it met and agreed that talks will go on on 10 June.": "2023-06-03",
        "On 3 May 2023 it met, and on 2 June 2023 it signed.": "2023-05-03",
    }
    assert {lead: day_of(lead).iso for lead in leads} == leads


def test_a_standfirst_without_a_day_lets_the_next_paragraph_speak():
    """For copy with a one-line lead."""
    lead = "Officers learn to find drugs."
    text = f"{lead}\n\nOn 5 May 2022, officers met in Farap."
    assert day_of(lead, text=text).iso == "2022-05-05"


YEARLESS = "On 2 – 3 October, it met."


@pytest.mark.parametrize(
    ("leads", "dates"),
    [
        pytest.param(["It met on 13 October 2023.", YEARLESS, "It met on 7 September 2023."], "2023-10-03", id="newest first"),
        pytest.param(["It met on 7 September 2023.", YEARLESS, "It met on 13 October 2023."], "2023-10-03", id="oldest first"),
        pytest.param(["It met on 5 January 2024.", YEARLESS], "2023-10-03", id="over New Year"),
        pytest.param([YEARLESS, "It met on 20 December 2022."], "2022-10-03", id="one neighbour after"),
        pytest.param(["No day.", YEARLESS, "In 2023 it grew."], None, id="nobody knows"),
        pytest.param(["It met on 1 March 2023.", "On 29 February, it met."], "2024-02-29", id="a leap day"),
    ],
)  # fmt: skip
def test_a_year_left_out_is_that_of_the_neighbours(leads, dates):
    """For listings in either order: the year that brings the day nearest to its neighbours."""
    found = date_entries([entry(lead) for lead in leads])
    position = next(i for i, lead in enumerate(leads) if lead.startswith("On 2"))
    assert found[position].iso == dates
    expected = DateSource.NEIGHBOURS if dates else DateSource.UNKNOWN
    assert found[position].source is expected


@given(st.text(max_size=300) | st.lists(st.sampled_from(
    ["5", "31", "May", "мая", "2023", "-", "–", "to", "and", "по", ",", "on", "will", "от", "29 February", "Sept.", "-nji"]
), max_size=25).map(" ".join))  # fmt: skip
@settings(max_examples=100)
def test_no_text_surprises_the_calendar(text):
    """For ingest: any text has a date or none, and each mention is where it says."""
    for mention in mentions(text):
        assert 0 <= mention.start < mention.end <= len(text)
        assert mention.on(2024) is not None
    found = find_date(entry(text or "x", dateline=text, wire_tag=text))
    assert found is None or found.evidence
    assert date_entries([entry(text)] * 3)

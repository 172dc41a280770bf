"""A teaser and its full text become one article, in any order, and a revised entry is recognised."""

import itertools
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import UNDATED, DateSource, Entry, KnownDate
from digest.sources.documents import read_entries
from digest.sources.lines import split_lines
from digest.sources.versions import corrects, is_teaser_of, join, keys_of, match_entries, pair_up

BODY = (
    "On 3 April 2023, the State Customs Service of Turkmenistan hosted a meeting with a delegation"
    " of the United Nations.\n\nThe parties welcomed the joint projects and agreed on new ones."
)
FULL = Entry(
    document="full.txt",
    line=1,
    title="On 3 April 2023, the State Customs Service of Turkmenistan hosted a meeting…",
    title_made=True,
    language="en",
    lead=BODY.partition("\n")[0],
    text=BODY,
    content_html="<p>…</p>",
    complete=True,
    wire_tag="nCa, 4 April 2023",
    urgency="urgent",
    published=KnownDate(date(2023, 4, 4), DateSource.STATED, "nCa, 4 April 2023"),
)
TEASER = replace(
    FULL,
    document="listing.txt",
    line=48,
    title="A delegation visits Turkmenistan",
    title_made=False,
    text=" ".join(BODY.split()[:20]),
    lead=" ".join(BODY.split()[:20]),
    complete=False,
    byline="Elvira Kadyrova",
    wire_tag=None,
    urgency=None,
    published=KnownDate(date(2023, 4, 3), DateSource.TEXT, "3 April 2023"),
)
OTHER = replace(
    TEASER, line=50, title="Another story", text=TEASER.text.replace("meeting", "seminar")
)


def share_a_key(one: Entry, other: Entry) -> bool:
    keys, others = keys_of(one), keys_of(other)
    return any(keys[key] or others[key] for key in keys.keys() & others.keys())


def test_full_texts_that_only_begin_alike_share_no_key():
    """For a source whose every text begins with the same long name: only teasers look for others."""
    other = replace(FULL, text=f"{BODY} More.")
    assert keys_of(FULL).keys() & keys_of(other).keys()
    assert not share_a_key(FULL, other)
    assert share_a_key(TEASER, other)


@pytest.mark.parametrize(
    ("teaser", "full", "expected"),
    [
        pytest.param(TEASER, FULL, True, id="its own"),
        pytest.param(FULL, TEASER, False, id="the other way round"),
        pytest.param(replace(TEASER, text=TEASER.text[:-4]), FULL, True, id="last word cut"),
        pytest.param(OTHER, FULL, False, id="one word differs"),
        pytest.param(replace(TEASER, text="On 3 April 2023, the State"), FULL, False, id="too short"),
        pytest.param(
            replace(TEASER, text=f"At the customs {TEASER.text}"),
            replace(FULL, title="At the customs", title_made=False),
            True,
            id="the title run in",
        ),
        pytest.param(
            replace(TEASER, text=f"Elvira Kadyrova {TEASER.text}", byline=None),
            replace(FULL, byline="Elvira Kadyrova"),
            True,
            id="the byline run in",
        ),
        pytest.param(replace(TEASER, text=TEASER.text.upper().replace("’", "'")), FULL, True, id="case"),
        pytest.param(TEASER, replace(TEASER, text=FULL.text), True, id="a longer teaser"),
        pytest.param(TEASER, replace(OTHER, text=FULL.text), False, id="another title's teaser"),
        pytest.param(FULL, replace(FULL, document="copy.txt"), True, id="a copy"),
        pytest.param(FULL, replace(FULL, text=f"{BODY} More."), False, id="two complete texts"),
    ],
)  # fmt: skip
def test_a_teaser_is_the_beginning_of_its_text(teaser, full, expected):
    """For the editor: they are joined only where every word agrees."""
    assert is_teaser_of(teaser, full) is expected
    assert share_a_key(teaser, full) >= expected


def test_joined_in_any_order_they_are_the_same_article():
    """For the reader: the listing's title, the full body, and the best of what each knows."""
    joined = join([TEASER, FULL])
    assert joined == join([FULL, TEASER])
    assert (joined.title, joined.title_made) == (TEASER.title, False)
    assert (joined.text, joined.document, joined.line) == (BODY, "full.txt", 1)
    assert joined.complete
    assert joined.byline == "Elvira Kadyrova"
    assert joined.urgency == "urgent"
    assert joined.published.source is DateSource.STATED


def test_an_article_alone_stays_as_it_is():
    """For most of the news."""
    assert join([FULL]) == FULL
    assert join([FULL, FULL]) == FULL
    with pytest.raises(ValueError, match="at least one"):
        join([])


def test_a_title_that_only_heads_a_part_becomes_its_heading():
    """For a full text whose first heading was taken for its title: the teaser shows that it is none."""
    full = replace(FULL, title="At the customs", title_made=False)
    joined = join([full, replace(TEASER, text=f"At the customs {TEASER.text}")])
    assert joined.title == TEASER.title
    assert joined.text == f"At the customs\n\n{BODY}"
    assert joined.content_html.startswith("<h2>At the customs</h2>\n")
    assert join([full, TEASER]).text == BODY


def test_pairs_are_found_in_one_run_and_nothing_else():
    """For ingest: each article once, in the order of its first entry."""
    twice = replace(TEASER, document="second.txt")
    groups = pair_up([OTHER, TEASER, FULL, twice])
    assert groups == [[OTHER], [TEASER, FULL, twice]]
    assert pair_up([]) == []
    for order in itertools.permutations([OTHER, TEASER, FULL, twice]):
        found = {frozenset((one.document, one.line) for one in group) for group in pair_up(order)}
        assert found == {
            frozenset({("listing.txt", 50)}),
            frozenset({("listing.txt", 48), ("full.txt", 1), ("second.txt", 48)}),
        }


ORIGINAL = replace(
    FULL, document="old.txt", title="A delegation visits", title_made=False, published=UNDATED, wire_tag=None
)  # fmt: skip
CORRECTED = replace(ORIGINAL, document="new.txt", text=BODY.replace("3", "4"), correction="the day")
DATED = KnownDate(date(2023, 4, 4), DateSource.STATED, "")


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        pytest.param(CORRECTED, ORIGINAL, True, id="same title"),
        pytest.param(ORIGINAL, CORRECTED, False, id="only the later one corrects"),
        pytest.param(replace(CORRECTED, correction=None), ORIGINAL, False, id="no correction"),
        pytest.param(replace(CORRECTED, correction=None, update="UPDATE 2"), ORIGINAL, True, id="an update"),
        pytest.param(replace(CORRECTED, title="A new title"), ORIGINAL, False, id="another title"),
        pytest.param(replace(CORRECTED, title="New", number="18/2026"), replace(ORIGINAL, number="18/2026"), True, id="same number"),
        pytest.param(replace(CORRECTED, text="Wholly other words of one event."), ORIGINAL, False, id="other text"),
        pytest.param(replace(CORRECTED, language="ru"), ORIGINAL, False, id="another language"),
        pytest.param(replace(CORRECTED, published=DATED), ORIGINAL, True, id="a day that was missing"),
        pytest.param(
            replace(CORRECTED, published=DATED),
            replace(ORIGINAL, published=KnownDate(date(2023, 4, 11), DateSource.STATED, "")),
            False,
            id="the report of another week",
        ),
    ],
)  # fmt: skip
def test_a_correction_is_certain_by_name_and_text(new, old, expected):
    """For the reader: a new version of an article replaces no other article."""
    assert corrects(new, old) is expected
    assert share_a_key(new, old) >= expected
    assert (len(pair_up([old, new])) == 1) == (expected or corrects(old, new))


def test_a_correction_is_the_text_in_whatever_order_they_come():
    """The later form counts, even if it is shorter; the teaser of a listing does not name it."""
    second = replace(
        CORRECTED, document="a.txt", text="On 4 April.", update="UPDATE 2", correction=None
    )
    teaser = replace(TEASER, title="A visit")
    for order in itertools.permutations([ORIGINAL, CORRECTED, second, teaser]):
        joined = join(order)
        assert (joined.text, joined.update, joined.title) == (second.text, "UPDATE 2", second.title)
        assert joined.correction == "the day"


def test_a_correction_of_one_of_several_joins_none():
    """For the reader: two weekly reports of one title never become one article."""
    other = replace(ORIGINAL, document="other.txt", text=BODY.replace("3", "5"))
    for order in itertools.permutations([ORIGINAL, other, CORRECTED]):
        assert len(pair_up(order)) == 3


def test_translations_and_like_titles_stay_apart():
    """For the newsroom: the same title over other words is another article."""
    russian = replace(TEASER, language="ru", text="В понедельник состоялась встреча на таможне.")
    assert len(pair_up([TEASER, russian, replace(russian, title="Встреча")])) == 3


OLD = [
    replace(FULL, line=line, title=title, title_made=False, text=text)
    for line, title, text in (
        (1, "First", "The first text is about customs and ports."),
        (3, "Second", "The second text is about youth and sport in town."),
        (5, "Third", "The third text is about drugs and nothing else."),
    )
]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(OLD, [0, 1, 2], id="unchanged"),
        pytest.param([OLD[2], OLD[0]], [2, 0], id="moved and removed"),
        pytest.param([replace(OLD[0], text="Wholly other words."), OLD[1]], [0, 1], id="same title"),
        pytest.param([replace(OLD[1], title="A new title")], [1], id="same text"),
        pytest.param([replace(OLD[1], title="New", text="The second text is about youth and sport in cities.")], [1], id="title and a word changed"),
        pytest.param(
            [
                replace(OLD[0], title="News", text="Something that nobody has written before now."),
                *OLD,
            ],
            [None, 0, 1, 2],
            id="a new one on top",
        ),
        pytest.param([OLD[0], OLD[0]], [0, None], id="each is used once"),
        pytest.param([], [], id="nothing left"),
    ],
)  # fmt: skip
def test_the_entries_of_a_changed_document_are_recognised(new, expected):
    """For permanent ids: an entry keeps its article through a change of place, title or words."""
    assert match_entries(OLD, new) == expected


def test_a_guid_beats_everything():
    """For feeds: the source's own id decides."""
    old = [replace(OLD[0], guid="a"), replace(OLD[1], guid="b")]
    new = [replace(OLD[0], guid="b"), replace(OLD[1], guid="a")]
    assert match_entries(old, new) == [1, 0]


@given(st.lists(st.text(alphabet="ab \n[…]T.", max_size=60), max_size=6))
def test_every_entry_stays_in_exactly_one_group(texts):
    """For the promise that nothing is lost."""
    entries = [
        one for i, text in enumerate(texts) for one in read_entries(f"{i}.txt", split_lines(text))
    ]
    groups = pair_up(entries)
    assert sorted((one.document, one.line) for group in groups for one in group) == sorted(
        (one.document, one.line) for one in entries
    )
    for group in groups:
        assert join(group) == join(group[::-1])
    assert match_entries(entries, entries) == list(range(len(entries)))

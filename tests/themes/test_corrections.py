"""An editor's word stands above the classifier's; a story is what links hold together."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Correction, Hit, Match, Place, ThemeScore, Verdict
from digest.stories.linking import parts
from digest.themes.filing import EDITOR, in_order, overrule
from tests.factories import make_match

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HIT = Hit("customs", "Customs", Place.LEAD, 0, 7, 0.6)
SCORES = (
    ThemeScore("drugs", 1.8, 1.0),
    ThemeScore("customs", 0.6, 1.0, (HIT,)),
    ThemeScore("youth", 0.0, 1.0),
)
FOUND = (make_match("drugs", score=1.8, threshold=1.0),)


def ruled(**words: str) -> dict[str, Correction]:
    return {theme: Correction(Verdict(word), "Maral", AT) for theme, word in words.items()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param({}, ["drugs"], id="nobody spoke"),
        pytest.param({"customs": "add"}, ["customs", "drugs"], id="an added theme stands first"),
        pytest.param({"drugs": "remove"}, [], id="a removed one is gone"),
        pytest.param({"customs": "remove"}, ["drugs"], id="removed, though not found"),
        pytest.param({"drugs": "add"}, ["drugs"], id="added and found stands once"),
        pytest.param({"youth": "add", "customs": "add"}, ["customs", "youth", "drugs"], id="best first"),
        pytest.param({"gone": "add"}, ["drugs"], id="no theme of ours any more"),
    ],
)  # fmt: skip
def test_the_editors_word_stands(words: dict[str, str], expected: list[str]) -> None:
    """For the editor: what was added is there, what was removed is not, whatever the lexicon says."""
    decided = overrule(FOUND, SCORES, ruled(**words), "7")
    assert [match.theme for match in decided] == expected
    for match in decided:
        assert (match.by == EDITOR) == (words.get(match.theme) == "add")


def test_an_added_theme_reaches_its_threshold_and_keeps_its_evidence() -> None:
    """For whoever asks why: the hits still add up to what the classifier alone would have said."""
    added = overrule((), SCORES, ruled(customs="add"), "7")
    assert added == (Match("customs", 1.0, 1.0, EDITOR, "7", (HIT,)),)


def test_order_is_by_share_of_the_threshold_then_by_configuration() -> None:
    """For the reader of a mail: an article stands under the theme that it speaks of most."""
    found = [
        make_match("youth", score=2.0, threshold=2.0),
        make_match("drugs", score=1.0, threshold=1.0),
        make_match("customs", score=1.5, threshold=1.0),
    ]
    ordered = in_order(found, ["drugs", "customs", "youth"])
    assert [match.theme for match in ordered] == ["customs", "drugs", "youth"]


@pytest.mark.parametrize(
    ("members", "links", "expected"),
    [
        pytest.param([1, 2, 3], [(1, 2), (2, 3)], [[1, 2, 3]], id="a chain"),
        pytest.param([2, 3], [(1, 2), (1, 3)], [[2], [3]], id="what held them has left"),
        pytest.param([1, 4, 5, 6], [(4, 5), (5, 6)], [[4, 5, 6], [1]], id="the largest first"),
        pytest.param([], [], [], id="nobody"),
    ],
)
def test_parts_are_what_links_hold(
    members: list[int], links: list[tuple[int, int]], expected: list[list[int]]
) -> None:
    """For the story that loses an article: what only it held together comes apart."""
    assert parts(members, links) == expected


@settings(max_examples=50)
@given(st.sets(st.integers(1, 12)), st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_parts_share_out_every_member(members: set[int], links: list[tuple[int, int]]) -> None:
    """Nothing lost, nothing twice, and no link leads from one part to another."""
    found = parts(members, links)
    assert sorted(member for part in found for member in part) == sorted(members)
    for one, other in links:
        if {one, other} <= members:
            assert any({one, other} <= set(part) for part in found)

"""The figures say how far the lexicon agrees with its readers, and a bad file what to correct."""

import json

import pytest

from digest.errors import LabelsError
from digest.themes.evaluation import LabelledItem, evaluate, read_labels
from digest.themes.lexicon import compile_lexicon
from tests.factories import make_theme

LEXICON = compile_lexicon(
    [make_theme(name, "en", "ru", strong=[name]) for name in ("loot", "rain")]
)


def item(number, title, themes, allowed=(), language="en"):
    labels = None if themes is None else tuple(themes)
    return LabelledItem(str(number), language, title, "", labels, tuple(allowed))


ITEMS = [
    item(1, "Loot", ["loot"]),
    item(2, "Rain", ["rain"], language="ru"),
    item(3, "Loot in the rain", ["loot"]),
    item(4, "Snow", ["rain"]),
    item(5, "Loot", [], allowed=["loot"]),
    item(6, "Loot", None),
    item(7, "Snow", [], allowed=["rain"]),
]


def test_figures_count_what_was_right_wrong_and_missed():
    """For the editor: allowed themes count neither way, unjudged items not at all."""
    found = evaluate(LEXICON, ITEMS)
    assert (found.overall.right, found.overall.wrong, found.overall.missed) == (3, 1, 1)
    assert found.overall.precision.value == found.overall.recall.value == 0.75
    assert found.by_theme["loot"].f1.value == 1.0
    assert found.by_theme["rain"].f1.value == 0.5
    by_language = {key: measure.f1.value for key, measure in found.by_language.items()}
    assert by_language == {"en": pytest.approx(2 / 3), "ru": 1.0}
    assert found.unjudged == 1


def test_every_item_is_given_as_filed_and_the_wrong_ones_with_evidence():
    """For `--errors` and for programs."""
    found = evaluate(LEXICON, ITEMS)
    filed = [{"loot"}, {"rain"}, {"loot", "rain"}, set(), {"loot"}, {"loot"}, set()]
    assert [(one.item, set(one.themes)) for one in found.items] == list(
        zip(ITEMS, filed, strict=True)
    )
    assert [(one.item.id, one.wrong, one.missed) for one in found.errors] == [
        ("3", ("rain",), ()),
        ("4", (), ("rain",)),
    ]
    assert found.errors[0].scores[0].hits


def test_intervals_hold_the_value_and_do_not_change():
    """For two readers of one file: the same figures, and narrower ones with more items."""
    found = evaluate(LEXICON, ITEMS)
    assert found == evaluate(LEXICON, ITEMS)
    f1 = found.overall.f1
    assert 0 <= f1.low <= f1.value <= f1.high <= 1
    narrow = evaluate(LEXICON, ITEMS * 20).overall.f1
    assert narrow.high - narrow.low < f1.high - f1.low


def test_figures_without_a_case_are_none_and_unknown_themes_are_named():
    """For a file of another beat."""
    found = evaluate(LEXICON, [item(1, "Snow", ["snow"])])
    assert found.overall.f1.value is None
    assert found.unknown == ("snow",)


def test_labels_are_read_line_by_line():
    """For the labelled file: empty lines are skipped, null is not judged, allowed may be absent."""
    lines = [
        '{"id": "a", "lang": "en", "title": "T", "text": "X", "themes": ["loot"], "allowed": ["rain"]}\n',
        "\n",
        '{"id": "b", "lang": "ru", "title": null, "text": "X", "themes": null, "date": null}\n',
    ]
    assert read_labels(lines, "labels.jsonl") == [
        LabelledItem("a", "en", "T", "X", ("loot",), ("rain",)),
        LabelledItem("b", "ru", "", "X", None),
    ]


GOOD = {"id": "a", "lang": "en", "title": "T", "text": "X", "themes": []}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "Invalid JSON", id="no JSON"),
        pytest.param("[]", "a line is", id="no object"),
        pytest.param(
            json.dumps(GOOD | {"themes": "loot"}),
            "themes: Input should be a valid array",
            id="themes",
        ),
        pytest.param(
            json.dumps(GOOD | {"allowed": [1]}),
            "allowed: 0: Input should be a valid string",
            id="allowed",
        ),
        pytest.param(
            json.dumps(GOOD | {"text": None}), "text: Input should be a valid string", id="text"
        ),
        pytest.param(
            json.dumps(GOOD | {"id": ""}), "id: String should have at least 1 character", id="id"
        ),
        pytest.param(
            '{"id": "a", "lang": "en", "title": "", "text": "X"}',
            "themes: Field required",
            id="missing",
        ),
        pytest.param(json.dumps(GOOD | {"id": "z"}), "line 1 has the id 'z' too", id="twice"),
    ],
)
def test_a_bad_line_is_refused_by_number_and_fault(line, message):
    """For the editor who labels: which line, and what is wrong with it."""
    with pytest.raises(LabelsError) as caught:
        read_labels([json.dumps(GOOD | {"id": "z"}), line], "labels.jsonl")
    assert "labels.jsonl:2: " in str(caught.value)
    assert message in str(caught.value)


def test_an_empty_file_is_refused():
    """For a wrong file name."""
    with pytest.raises(LabelsError, match="no labelled item"):
        read_labels([], "labels.jsonl")

"""Filing by another lexicon: what is rehearsed is what is done, and the editor decides."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.cli.themes import Trial, try_lexicon
from digest.editions.compose import preview
from digest.errors import NotFoundError
from digest.model import Article, Correction, Hit, Match, Place, ThemeScore, Verdict
from digest.store.articles import all_article_ids, articles_by_id
from digest.themes import store as filings
from digest.themes.filing import (
    EDITOR,
    Refiled,
    apply,
    corrections,
    in_order,
    overrule,
    rule,
    take_back,
)
from digest.themes.lexicon import lexicon_version
from digest.themes.store import rule_theme
from tests.conftest import INGESTED_AT
from tests.desks import Desk, opened
from tests.factories import make_match

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
YOUTH = 'title = { en = "Youth", ru = "Молодёжь" }\n'
WORKSHOPS = '[themes.terms.en]\nstrong = ["workshop"]\n'
FEWER = '[themes.terms.en]\nremove = ["youth"]\n'
HIGHER = "threshold = 1.2\n"


def change_youth(desk: Desk, lines: str) -> None:
    """Lines of config.toml below the theme youth."""
    text = desk.config.read_text("utf-8")
    assert text.count(YOUTH) == 1
    desk.config.write_text(text.replace(YOUTH, YOUTH + lines), "utf-8")


def tried(desk: Desk, since: datetime | None = None) -> Trial:
    with desk.open(read_only=True) as db:
        return try_lexicon(opened(db, desk.settings, clock=NOW), NOW, since)


def applied(desk: Desk, since: datetime | None = None) -> Refiled:
    with desk.open() as db:
        return apply(opened(db, desk.settings), since)


def themes(desk: Desk) -> dict[int, tuple[str, ...]]:
    with desk.open(read_only=True) as db:
        return {one.id: one.themes for one in articles_by_id(db, all_article_ids(db))}


def filed_otherwise(desk: Desk) -> int:
    with desk.open(read_only=True) as db:
        return filings.count_filed_otherwise(db, lexicon_version(desk.settings.themes))


def ruled(desk: Desk, article: int, **words: Verdict) -> tuple[Article, Article]:
    with desk.open() as db:
        return rule(opened(db, desk.settings), article, words, by="Maral", moment=NOW)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(WORKSHOPS, id="one more term"),
        pytest.param(FEWER, id="one term fewer"),
        pytest.param(HIGHER, id="another threshold"),
        pytest.param(HIGHER + WORKSHOPS, id="both at once"),
        pytest.param('lexicon = "own"\n' + WORKSHOPS, id="a list of one's own"),
    ],
)
def test_what_is_rehearsed_is_what_is_done(filled: Desk, lines: str) -> None:
    """Must show 4: the list is exactly what `apply` does; feeds that are not touched keep their bytes."""
    filled.publish()
    change_youth(filled, lines)
    files = filled.files("feeds")
    trial = tried(filled)
    assert filled.files("feeds") == files
    assert trial.refiled.changes
    before = themes(filled)
    assert applied(filled) == trial.refiled
    after = themes(filled)
    with filled.open(read_only=True) as db:
        edition = preview(opened(db, filled.settings), filled.settings.digests[0], NOW)
    assert {
        change.article_id: (change.before, change.after) for change in trial.refiled.changes
    } == {i: (before[i], after[i]) for i in before if before[i] != after[i]}
    assert edition is not None
    assert [one.hash_after for one in trial.editions] == [edition.hash]
    assert set(filled.publish().written) == {*trial.feeds, *trial.pages}


def test_a_second_time_changes_nothing(filled: Desk) -> None:
    """For the operator who is not sure whether it was done: it can be done again."""
    change_youth(filled, WORKSHOPS)
    assert applied(filled).looked_at == 36
    database = filled.files()
    assert applied(filled) == Refiled(0, ())
    assert tried(filled).refiled == Refiled(0, ())
    assert filled.files() == database


def test_a_rehearsal_says_why(filled: Desk) -> None:
    """For the editor: the term that now counts, the one that no longer counts, the threshold."""
    change_youth(filled, HIGHER + WORKSHOPS + 'remove = ["young people"]\n')
    turns = [turn for change in tried(filled).refiled.changes for turn in change.turns]
    assert {turn.theme for turn in turns} == {"youth"}
    for turn in turns:
        assert turn.score is not None
        assert turn.threshold == 1.2
        assert turn.enters == (turn.score >= turn.threshold)
        reason = "now counts “workshop”" if turn.enters else "threshold 1.20"
        assert reason in "; ".join(turn.reasons)


def test_articles_leave_a_theme_that_config_has_no_more(filled: Desk) -> None:
    """For the editor who drops a theme: its articles are listed as leaving it, and apply does it."""
    text = filled.config.read_text("utf-8")
    filled.config.write_text(text.replace(f'[[themes]]\nname = "youth"\n{YOUTH}', ""), "utf-8")
    trial = tried(filled)
    turns = [turn for change in trial.refiled.changes for turn in change.turns]
    assert {(turn.theme, turn.enters, turn.score) for turn in turns} == {("youth", False, None)}
    assert applied(filled) == trial.refiled
    assert not [keys for keys in themes(filled).values() if "youth" in keys]


def test_a_new_theme_is_entered(filled: Desk) -> None:
    """For the editor who adds a theme: config.toml alone is enough."""
    new = '[[themes]]\nname = "training"\ntitle = { en = "Training" }\n' + WORKSHOPS
    text = filled.config.read_text("utf-8")
    filled.config.write_text(text.replace("\n[feeds]", f"\n{new}\n[feeds]"), "utf-8")
    trial = tried(filled)
    assert {turn.theme for one in trial.refiled.changes for turn in one.turns} == {"training"}
    assert applied(filled) == trial.refiled


def test_since_leaves_older_articles_for_later(filled: Desk) -> None:
    """For a large store: older articles are neither listed nor filed, and are still counted."""
    change_youth(filled, WORKSHOPS)
    assert tried(filled, INGESTED_AT + timedelta(seconds=1)).refiled == Refiled(0, ())
    assert applied(filled, INGESTED_AT + timedelta(seconds=1)) == Refiled(0, ())
    assert filed_otherwise(filled) == 36
    assert applied(filled, INGESTED_AT).looked_at == 36
    assert filed_otherwise(filled) == 0


def test_ingest_files_only_what_is_new_by_a_changed_lexicon(filled: Desk) -> None:
    """For the editor at work on the terms: ingest moves no article behind their back."""
    change_youth(filled, WORKSHOPS)
    before = themes(filled)
    (filled.seeds / "new.txt").write_text("A workshop\n\nA workshop was held.\n", "utf-8")
    filled.run("ingest")
    after = themes(filled)
    assert filed_otherwise(filled) == len(before)
    [new] = after.keys() - before.keys()
    assert "youth" in after.pop(new)
    assert after == before


def test_no_lexicon_overrules_the_editor(filled: Desk) -> None:
    """For the editor: neither a changed term nor a new version of the copy reverts the ruling."""
    before, after = ruled(filled, 3, customs=Verdict.ADD, youth=Verdict.REMOVE)
    assert (before.themes, after.themes) == (("youth",), ("customs",))
    assert after.updated_at == before.updated_at
    change_youth(filled, WORKSHOPS)
    assert 3 not in [change.article_id for change in applied(filled).changes]
    filled.edit_seed(
        "002_e89ea2d84f60b326.txt", "In an inspiring initiative", "In a new initiative"
    )
    assert filled.ingest(NOW).revised == [3]
    assert themes(filled)[3] == ("customs",)
    with filled.open() as db:
        _, cleared = take_back(opened(db, filled.settings), 3)
    assert cleared.themes == ("youth",)
    assert [match.by for match in cleared.matches] == ["lexicon"]


def test_a_ruling_on_one_theme_leaves_the_others_as_they_are(filled: Desk) -> None:
    """For the editor: correcting customs does not let a changed lexicon in by the back door."""
    article = next(i for i, keys in themes(filled).items() if keys == ("youth",))
    change_youth(filled, "threshold = 99.0\n")
    assert ruled(filled, article, customs=Verdict.ADD)[1].themes == ("customs", "youth")


@pytest.mark.parametrize(
    ("article", "theme", "message"),
    [
        pytest.param(999, "customs", "no article 999", id="no such article"),
        pytest.param(3, "sport", "config.toml has drugs, customs", id="no such theme"),
    ],
)
def test_a_ruling_on_nothing_is_refused(
    filled: Desk, article: int, theme: str, message: str
) -> None:
    """For the editor who mistypes: the message names what there is."""
    with pytest.raises(NotFoundError, match=message):
        ruled(filled, article, **{theme: Verdict.ADD})


def test_what_others_changed_meanwhile_is_seen(filled: Desk) -> None:
    """For two people at once: a ruling made while the classifier works is not lost."""
    change_youth(filled, WORKSHOPS)
    with filled.open() as db, filled.open() as other, filings.spool(db):
        filings.put_in_spool(db, [(1, ()), (2, ()), (3, ()), (4, ())])
        assert filings.changed_since_spooled(db, [1, 2, 3, 4]) == []
        rule_theme(other, 2, "customs", Verdict.ADD, "Maral", NOW)
        other.run("UPDATE articles SET version = version + 1 WHERE id = 3")
        other.run("UPDATE articles SET lexicon_version = 'x' WHERE id = 4")
        assert filings.changed_since_spooled(db, [1, 2, 3, 4]) == [2, 3, 4]


def test_corrections_are_labels_for_what_was_ruled_on(filled: Desk) -> None:
    """For tuning the terms: an added theme is right, a removed one wrong, the rest is open."""
    ruled(filled, 3, customs=Verdict.ADD, youth=Verdict.REMOVE)
    with filled.open() as db:
        [item] = corrections(opened(db, filled.settings))
    assert (item.id, item.themes, item.allowed) == ("3", ("customs",), ("drugs", "corruption"))


HIT = Hit("customs", "Customs", Place.LEAD, 0, 7, 0.6)
SCORES = (
    ThemeScore("drugs", 1.8, 1.0),
    ThemeScore("customs", 0.6, 1.0, (HIT,)),
    ThemeScore("youth", 0.0, 1.0),
)
FOUND = (make_match("drugs", score=1.8, threshold=1.0),)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param({}, ["drugs"], id="no ruling"),
        pytest.param({"customs": "add"}, ["customs", "drugs"], id="an added theme comes first"),
        pytest.param({"drugs": "remove"}, [], id="a removed one is gone"),
        pytest.param({"customs": "remove"}, ["drugs"], id="removed, though not found"),
        pytest.param({"drugs": "add"}, ["drugs"], id="added and found"),
        pytest.param({"youth": "add", "customs": "add"}, ["customs", "youth", "drugs"], id="best first"),
        pytest.param({"gone": "add"}, ["drugs"], id="not in config.toml any more"),
    ],
)  # fmt: skip
def test_the_editor_decides(words: dict[str, str], expected: list[str]) -> None:
    """For the editor: what was added is there, what was removed is not, whatever the lexicon says."""
    corrected = {theme: Correction(Verdict(word), "Maral", NOW) for theme, word in words.items()}
    decided = overrule(FOUND, SCORES, corrected, "7")
    assert [match.theme for match in decided] == expected
    for match in decided:
        assert (match.by == EDITOR) == (words.get(match.theme) == "add")


def test_an_added_theme_reaches_its_threshold_and_keeps_its_evidence() -> None:
    """For the reader who asks why: the hits still add up to what the classifier alone would find."""
    added = overrule((), SCORES, {"customs": Correction(Verdict.ADD, "Maral", NOW)}, "7")
    assert added == (Match("customs", 1.0, 1.0, EDITOR, "7", (HIT,)),)


def test_order_is_by_share_of_the_threshold_then_by_configuration() -> None:
    """For the reader of a mail: an article is under the theme that it is most about."""
    found = [
        make_match("youth", score=2.0, threshold=2.0),
        make_match("drugs", score=1.0, threshold=1.0),
        make_match("customs", score=1.5, threshold=1.0),
    ]
    ordered = in_order(found, ["drugs", "customs", "youth"])
    assert [match.theme for match in ordered] == ["customs", "drugs", "youth"]

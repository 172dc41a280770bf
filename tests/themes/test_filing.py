"""Filing by another lexicon: what is rehearsed is what is done, and the editor's decision holds."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.cli.themes import Trial, try_lexicon
from digest.editions.compose import preview
from digest.errors import NotFoundError
from digest.model import Verdict
from digest.store.articles import all_article_ids, articles_by_id
from digest.store.database import Database
from digest.themes import store as filings
from digest.themes.filing import Refiled, apply, corrections, rule, take_back
from digest.themes.lexicon import compile_lexicon
from digest.themes.store import rule_theme
from tests.conftest import INGESTED_AT
from tests.desks import Desk, opened

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


def themes(db: Database) -> dict[int, tuple[str, ...]]:
    return {one.id: one.themes for one in articles_by_id(db, all_article_ids(db))}


@pytest.fixture
def published(filled: Desk) -> Desk:
    filled.publish()
    return filled


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
def test_what_is_rehearsed_is_what_is_done(published: Desk, lines: str) -> None:
    """Must show 4: the list is exactly what `apply` does; feeds that are not touched keep their bytes."""
    change_youth(published, lines)
    files = published.files("feeds")
    trial = tried(published)
    assert published.files("feeds") == files
    assert trial.refiled.changes
    with published.open(read_only=True) as db:
        before = themes(db)
    assert applied(published) == trial.refiled
    with published.open(read_only=True) as db:
        after = themes(db)
        edition = preview(opened(db, published.settings), published.settings.digests[0], NOW)
    assert {
        change.article_id: (change.before, change.after) for change in trial.refiled.changes
    } == {i: (before[i], after[i]) for i in before if before[i] != after[i]}
    assert edition is not None
    assert [one.hash_after for one in trial.editions] == [edition.hash]
    assert set(published.publish().written) == {*trial.feeds, *trial.pages}


def test_a_second_time_changes_nothing(filled: Desk) -> None:
    """For whoever is not sure whether it was done: it can be done again."""
    change_youth(filled, WORKSHOPS)
    assert applied(filled).looked_at == 36
    database = filled.files()
    assert applied(filled) == Refiled(0, ())
    assert tried(filled).refiled == Refiled(0, ())
    assert filled.files() == database


def test_a_rehearsal_says_why(filled: Desk) -> None:
    """For the editor: the term that now counts, the one that counts no longer, the threshold."""
    change_youth(filled, HIGHER + WORKSHOPS + 'remove = ["young people"]\n')
    turns = [turn for change in tried(filled).refiled.changes for turn in change.turns]
    assert {turn.theme for turn in turns} == {"youth"}
    for turn in turns:
        said = "; ".join(turn.reasons)
        assert turn.score is not None
        assert turn.threshold == 1.2
        assert turn.enters == (turn.score >= turn.threshold)
        assert "now counts “workshop”" in said if turn.enters else "threshold 1.20" in said


def test_a_theme_that_config_has_no_more_is_left(filled: Desk) -> None:
    """For the editor who drops a theme: its articles are listed as leaving it, and apply lets them go."""
    text = filled.config.read_text("utf-8")
    filled.config.write_text(text.replace(f'[[themes]]\nname = "youth"\n{YOUTH}', ""), "utf-8")
    trial = tried(filled)
    turns = [turn for change in trial.refiled.changes for turn in change.turns]
    assert {(turn.theme, turn.enters, turn.score) for turn in turns} == {("youth", False, None)}
    assert applied(filled) == trial.refiled
    with filled.open(read_only=True) as db:
        assert not [found for found in themes(db).values() if "youth" in found]


def test_a_new_theme_is_entered(filled: Desk) -> None:
    """For the editor who adds a theme in config.toml: nothing else has to be told about it."""
    new = '[[themes]]\nname = "training"\ntitle = { en = "Training" }\n' + WORKSHOPS
    text = filled.config.read_text("utf-8")
    filled.config.write_text(text.replace("\n[feeds]", f"\n{new}\n[feeds]"), "utf-8")
    trial = tried(filled)
    assert {turn.theme for one in trial.refiled.changes for turn in one.turns} == {"training"}
    assert applied(filled) == trial.refiled


def test_since_leaves_older_articles_for_later(filled: Desk) -> None:
    """For a large store: what came in before is neither listed nor filed anew, and is still counted."""
    change_youth(filled, WORKSHOPS)
    version = compile_lexicon(filled.settings.themes).version
    assert tried(filled, INGESTED_AT + timedelta(seconds=1)).refiled == Refiled(0, ())
    assert applied(filled, INGESTED_AT + timedelta(seconds=1)) == Refiled(0, ())
    with filled.open(read_only=True) as db:
        assert filings.count_filed_otherwise(db, version) == 36
    assert applied(filled, INGESTED_AT).looked_at == 36
    with filled.open(read_only=True) as db:
        assert filings.count_filed_otherwise(db, version) == 0


def test_ingest_files_only_what_is_new_by_a_changed_lexicon(filled: Desk) -> None:
    """For the editor at work on the terms: ingest moves no article behind their back."""
    change_youth(filled, WORKSHOPS)
    with filled.open(read_only=True) as db:
        before = themes(db)
    (filled.seeds / "new.txt").write_text("A workshop\n\nA workshop was held.\n", "utf-8")
    filled.run("ingest")
    version = compile_lexicon(filled.settings.themes).version
    with filled.open(read_only=True) as db:
        after = themes(db)
        assert filings.count_filed_otherwise(db, version) == len(before)
    [new] = after.keys() - before.keys()
    assert "youth" in after.pop(new)
    assert after == before


def test_the_editors_word_stands_against_every_lexicon(filled: Desk) -> None:
    """For the editor: neither a changed term nor a new version of the copy takes it back."""
    with filled.open() as db, db.write():
        before, after = rule(
            opened(db, filled.settings),
            3,
            {"customs": Verdict.ADD, "youth": Verdict.REMOVE},
            by="Maral",
            moment=NOW,
        )
    assert (before.themes, after.themes) == (("youth",), ("customs",))
    assert after.updated_at == before.updated_at
    change_youth(filled, WORKSHOPS)
    assert 3 not in [change.article_id for change in applied(filled).changes]
    filled.edit_seed(
        "002_e89ea2d84f60b326.txt", "In an inspiring initiative", "In a new initiative"
    )
    assert filled.ingest(NOW).revised == [3]
    with filled.open() as db:
        assert themes(db)[3] == ("customs",)
        with db.write():
            _, cleared = take_back(opened(db, filled.settings), 3)
    assert cleared.themes == ("youth",)
    assert [match.by for match in cleared.matches] == ["lexicon"]


def test_a_word_on_one_theme_leaves_the_others_as_they_are(filled: Desk) -> None:
    """For the editor: correcting customs does not let a changed lexicon in by the back door."""
    with filled.open(read_only=True) as db:
        article = next(i for i, found in themes(db).items() if found == ("youth",))
    change_youth(filled, "threshold = 99.0\n")
    with filled.open() as db, db.write():
        _, after = rule(
            opened(db, filled.settings), article, {"customs": Verdict.ADD}, by="M", moment=NOW
        )
    assert after.themes == ("customs", "youth")


@pytest.mark.parametrize(
    ("article", "theme", "message"),
    [
        pytest.param(999, "customs", "no article 999", id="no such article"),
        pytest.param(3, "sport", "config.toml has drugs, customs", id="no such theme"),
    ],
)
def test_a_word_on_nothing_is_refused(filled: Desk, article: int, theme: str, message: str) -> None:
    """For whoever mistypes: what there is, is named."""
    words = {theme: Verdict.ADD}
    with filled.open() as db, pytest.raises(NotFoundError, match=message):
        rule(opened(db, filled.settings), article, words, by="M", moment=NOW)


def test_what_others_changed_meanwhile_is_seen(filled: Desk) -> None:
    """For two people at once: a word given while the classifier works is not lost."""
    change_youth(filled, WORKSHOPS)
    with filled.open() as db, filled.open() as other, filings.spool(db):
        filings.put_in_spool(db, [(1, ()), (2, ()), (3, ()), (4, ())])
        assert filings.changed_since_spooled(db) == []
        rule_theme(other, 2, "customs", Verdict.ADD, "Maral", NOW)
        other.run("UPDATE articles SET version = version + 1 WHERE id = 3")
        other.run("UPDATE articles SET lexicon_version = 'x' WHERE id = 4")
        assert filings.changed_since_spooled(db) == [2, 3, 4]


def test_corrections_are_labels_for_what_was_ruled_on(filled: Desk) -> None:
    """For who tunes the terms: an added theme is right, a removed one wrong, of the rest nobody spoke."""
    with filled.open() as db:
        rule_theme(db, 3, "customs", Verdict.ADD, "Maral", NOW)
        rule_theme(db, 3, "youth", Verdict.REMOVE, "Maral", NOW)
        [item] = corrections(opened(db, filled.settings))
    assert (item.id, item.themes, item.allowed) == ("3", ("customs",), ("drugs", "corruption"))

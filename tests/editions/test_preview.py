"""The dry run: it shows and writes exactly what would be sent, and changes nothing else."""

import subprocess
import sys
import tempfile
from datetime import timedelta
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path

import pytest

from digest.editions.compose import find_digest, preview
from digest.editions.preview import clear_previews, everything, preview_segments, write_parts
from digest.editions.ranks import rank
from digest.errors import PublishError
from digest.model import Choice, Edition, Preview, Segment
from tests.conftest import INGESTED_AT
from tests.desks import PAGES, Desk, opened

ENGLISH_DRUGS = Segment(Choice("en", ("en",), ("drugs",)), 3)
RUSSIAN_CUSTOMS = Segment(Choice("ru", ("ru",), ("customs", "other")), 2)
NOTHING = Segment(Choice("ru", ("ru",), ("youth",)), 1)
CLEAR_AS_NOBODY = """
import os, sys
from pathlib import Path
from digest.errors import PublishError
from digest.editions.preview import clear_previews
Path.cwd().as_uri()  # loads what the user nobody may be unable to read
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    clear_previews(Path(sys.argv[1]), "weekly")
except PublishError as e:
    print(e)
"""


def edition_of(desk: Desk) -> Edition:
    settings = desk.settings
    with desk.open(read_only=True) as db:
        newsroom, digest = opened(db, settings), find_digest(settings, None)
        edition = preview(newsroom, digest, INGESTED_AT + timedelta(hours=1))
    assert edition is not None
    return edition


def previews(desk: Desk, *segments: Segment) -> list[Preview]:
    settings = desk.settings
    newsroom, digest = opened(None, settings, templates=PAGES), find_digest(settings, None)
    return preview_segments(newsroom, digest, edition_of(desk), segments, INGESTED_AT)


def test_without_recipients_it_shows_the_mail_of_a_recipient_of_everything(filled: Desk) -> None:
    """For a newcomer: the first dry run is a whole digest."""
    [only] = previews(filled)
    assert only.segment == Segment(everything(filled.settings, filled.settings.digests[0]), 0)
    assert only.layout.total == 33  # 36 articles, of each of the three stories one
    assert only.name == "weekly-1-en-ru-everything"
    assert [one[:36] for one in only.warnings] == ["most of these articles are from long"]


def test_each_segment_has_a_mail_with_its_own_choice(filled: Desk) -> None:
    """For the operator: one mail for each different choice, with the choice in its name."""
    english, russian = previews(filled, ENGLISH_DRUGS, RUSSIAN_CUSTOMS)
    assert (english.name, russian.name) == ("weekly-1-en-drugs", "weekly-1-ru-customs-other")
    assert [section.theme for section in english.layout.sections] == ["drugs"]
    assert {one.article.language for s in russian.layout.sections for one in s.shown} == {"ru"}


def test_two_dry_runs_are_byte_for_byte_the_same(filled: Desk) -> None:
    """A mail does not depend on the clock or on chance."""
    assert previews(filled, ENGLISH_DRUGS) == previews(filled, ENGLISH_DRUGS)


def test_the_mail_has_the_same_titles_in_text_and_html(filled: Desk) -> None:
    """For readers of plain text: nothing is missing and nothing is in another order."""
    [only] = previews(filled)
    parsed = message_from_bytes(only.message, policy=policy.default)
    titles = {one.article.id: one.article.title for s in only.layout.sections for one in s.shown}
    shown = [titles[article_id][:90] for article_id in rank(edition_of(filled), only.layout)]
    for kind in ("plain", "html"):
        body = parsed.get_body((kind,)).get_content()
        body = unescape(" ".join(body.split())).replace("\u00a0", " ")
        places = [body.rfind(title) for title in shown]
        assert -1 not in places
        assert places == sorted(places)


def test_a_choice_without_articles_has_a_warning(filled: Desk) -> None:
    """The operator sees in advance which recipients get no mail."""
    [nothing] = previews(filled, NOTHING)
    assert nothing.layout.total == 0
    assert nothing.warnings == ("no articles for this choice; its recipients are skipped",)


def test_a_mail_over_budget_has_a_warning(filled: Desk) -> None:
    """For the operator: before a mail program cuts it."""
    filled.configure(budget_kb="10")
    [only] = previews(filled)
    assert any("over mail.budget_kb = 10" in warning for warning in only.warnings)


def test_a_first_edition_that_reaches_far_back_has_a_warning(desk: Desk) -> None:
    """For the operator who starts with a full store: `since` leaves out what is old."""
    desk.ingest(INGESTED_AT - timedelta(days=60))
    [only] = previews(desk)
    assert any("reaches back 6" in warning and "`since`" in warning for warning in only.warnings)


def test_a_first_edition_of_old_copy_says_so(filled: Desk) -> None:
    """It does not call itself the week: its masthead says what it holds, and the dry run offers a choice."""
    [only] = previews(filled)
    assert any("`since`" in one and "`archive = true`" in one for one in only.warnings)
    body = message_from_bytes(only.message, policy=policy.default).get_body(("plain",))
    issue = body.get_content().splitlines()[2].replace("\u00a0", " ")
    assert issue == "No. 1 · 33 stories, 2021–2024 · 16–18 November 2026"


def test_a_preview_is_three_files(filled: Desk, tmp_path: Path) -> None:
    """For the operator: the message as sent, and its two parts to open."""
    [only] = previews(filled)
    paths = write_parts(tmp_path / "a" / "b", only.name, only.message)
    assert [path.name for path in paths] == [f"{only.name}.{end}" for end in ("eml", "html", "txt")]
    assert paths[0].read_bytes() == only.message
    read = message_from_bytes(only.message, policy=policy.default)
    for path, kind in ((paths[1], "html"), (paths[2], "plain")):
        assert path.read_text("utf-8") == read.get_body((kind,)).get_content().replace("\r\n", "\n")


def test_an_earlier_preview_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    """For the operator: no old preview remains, and no file of theirs is touched."""
    ours = ["weekly-1-en-ru-everything.eml", "weekly-12-ru-drugs.html", "weekly-1-en-drugs-2.txt"]
    theirs = ["notes.txt", "weekly-plan.txt", "daily-1-en-everything.eml", "weekly-1-en.pdf"]
    for name in (*ours, *theirs):
        (tmp_path / name).touch()
    clear_previews(tmp_path, "weekly")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(theirs)
    clear_previews(tmp_path / "not-there", "weekly")


def test_a_folder_that_cannot_be_written_is_one_clear_error(filled: Desk, tmp_path: Path) -> None:
    """For the operator who mistyped --out."""
    (tmp_path / "file").touch()
    [only] = previews(filled)
    with pytest.raises(PublishError, match=r"cannot be written.*--out"):
        write_parts(tmp_path / "file" / "below", only.name, only.message)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_folder_of_another_user_is_one_clear_error() -> None:
    """For the operator whose preview/ was written by root: one error with advice, no traceback."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stale = folder / "weekly-1-en-everything.eml"
        stale.touch()
        folder.chmod(0o555)
        output = subprocess.run(
            [sys.executable, "-c", CLEAR_AS_NOBODY, name],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        folder.chmod(0o755)
        reason = "cannot be written (Permission denied); name another folder with --out"
        assert output == f"{name}: {reason}\n"
        assert stale.exists()


def test_long_choices_get_names_of_their_own(filled: Desk) -> None:
    """For the operator with many themes: no mail overwrites another."""
    same = Segment(Choice("en", ("en",), ("drugs", "customs")), 1)
    names = [one.name for one in previews(filled, same, same)]
    assert names == ["weekly-1-en-drugs-customs", "weekly-1-en-drugs-customs-2"]

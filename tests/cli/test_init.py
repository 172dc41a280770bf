"""`digest init` and `digest` alone: from an empty folder to a digest."""

import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digest.cli.main import main
from digest.config.load import load_settings
from tests.desks import CONFIG, ROOT, Desk, in_terminal
from tests.journeys.serving import free_port


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of somebody who has just installed the program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGEST_CONFIG", raising=False)
    return tmp_path


def run(*words: str) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_demo_needs_no_question_and_no_checkout(empty: Path) -> None:
    """Must show 1: the packaged copy becomes feeds and a digest, each step named by the last one."""
    assert run("init", "--demo", "--name", "Ours").exit_code == 2
    made = run("init", "--demo", "the desk")
    assert made.exit_code == 0
    assert "has 5 documents. Next: cd 'the desk' && digest ingest && digest publish" in made.output
    desk = Desk(empty / "the desk")
    assert desk.config.read_bytes() == (ROOT / "config.toml").read_bytes()
    assert "*.db\n" in (desk.folder / ".gitignore").read_text("utf-8")
    assert desk.run("ingest").exit_code == desk.run("publish").exit_code == 0
    shown = desk.run("send", "--dry-run", "--out", str(empty / "preview"))
    assert shown.exit_code == 0
    assert "holds   36 articles" in shown.output


def test_digest_alone_leads_from_step_to_step(empty: Path) -> None:
    """Whoever forgot what is next types one word."""
    assert "No config.toml here. Next: digest init --demo " in run().output
    run("init", "--demo")
    assert run().output.startswith("Nothing has been read yet. Next: digest ingest.")
    run("ingest")
    assert "weekly: no. 1 would contain 36 articles now" in run().output
    assert "Next: digest send --dry-run shows it, digest recipients add ADDRESS." in run().output
    run("recipients", "add", "anna@example.org")
    assert "Next: digest send --dry-run.\n" in run().output
    run("send", "--yes")
    assert "Nothing new waits for a digest. Next: digest ingest, or digest serve." in run().output
    assert run().exit_code == 0


def test_every_command_without_a_config_names_init(empty: Path) -> None:
    """And what is named but missing is an error."""
    for words in (["status"], ["serve"], ["--config", "other.toml", "ingest"]):
        result = run(*words)
        assert result.exit_code == 1
        assert "no such file. Run `digest init` to make one" in result.output


def test_nothing_is_overwritten(empty: Path) -> None:
    """A second init changes no byte, and leaves what was there before the first."""
    (empty / ".gitignore").write_text("mine\n")
    (empty / "seeds").mkdir()
    (empty / "seeds" / "mine.txt").write_text("mine\n")
    assert "seeds has files already, so no sample copy" in run("init", "--demo").output
    before = (empty / "config.toml").read_bytes()
    again = run("init", "--name", "Another")
    assert again.exit_code == 1
    assert "config.toml exists, and nothing was changed. Next: digest status." in again.output
    assert (empty / "config.toml").read_bytes() == before
    assert (empty / ".gitignore").read_text() == "mine\n"
    assert [path.name for path in (empty / "seeds").iterdir()] == ["mine.txt"]


def test_options_answer_the_questions(empty: Path) -> None:
    """Quotes, umlauts and backslashes arrive in config.toml as they were given."""
    (empty / "desk" / "wire").mkdir(parents=True)
    shutil.copy(ROOT / "seeds" / "000_8cb3c00af4f4dce3.txt", empty / "desk" / "wire")
    words = (
        "--name",
        'Büro "Süd" \\ # 1',
        "--contact",
        "news@büro.example",
        "--languages",
        "ru, en",
    )
    more = ("--postal-address", "Weg 1, Ort", "--time-zone", "Europe/Berlin", "--source", "wire")
    made = run("init", "desk", *words, *more)
    assert made.exit_code == 0
    assert "wire has 1 document. Next: cd desk && digest ingest" in made.output
    assert "Warning" not in made.output
    settings = load_settings(empty / "desk" / "config.toml")
    site = settings.site
    assert (site.title, site.author, site.postal_address) == (words[1], words[1], "Weg 1, Ort")
    assert (site.languages, site.time_zone) == (("ru", "en"), "Europe/Berlin")
    assert (site.contact, site.base_url) == ("news@büro.example", "https://xn--bro-hoa.example")
    assert settings.mail.from_address == "digest@büro.example"
    assert settings.sources[0].path == empty / "desk" / "wire"


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        pytest.param("--contact", "nobody", "'nobody': must be an e-mail address", id="no address"),
        pytest.param("--time-zone", "Asia/Ashgabad", "did you mean Asia/Ashgabat?", id="no zone"),
        pytest.param("--languages", "Deutsch", "must be codes such as en, ru", id="no code"),
        pytest.param("--name", " ", "must be one line of text", id="no name"),
        pytest.param("--source", ".", "a folder of its own", id="the newsroom's own folder"),
        pytest.param("--source", "", "a folder of its own", id="no folder"),
        pytest.param("--source", "feeds/in", "feeds is for what Digest makes", id="of feeds"),
        pytest.param("--source", "../none", "there is no such folder", id="missing outside"),
    ],
)
def test_a_wrong_answer_makes_nothing(empty: Path, option: str, value: str, fault: str) -> None:
    """The fault is named, and the folder stays empty."""
    result = run("init", option, value)
    assert result.exit_code in (1, 2)
    assert fault in result.output
    assert list(empty.iterdir()) == []


def test_copy_in_a_language_without_words(empty: Path) -> None:
    """Must show 1: it is kept and published, and every step says that no digest carries it."""
    (empty / "copy").mkdir()
    for number in range(10):
        text = f"Polizei stellt {number} Kilo sicher\n\nDie Polizei hat {number} Kilo gefunden, wie sie mitteilte.\nZwei Männer wurden verhaftet, und es wird wegen des Handels ermittelt, der nicht neu ist.\n"
        (empty / "copy" / f"{number}.txt").write_text(text, encoding="utf-8")
    made = run("init", "--languages", "de")
    assert "Digest has no words for de yet." in made.output
    assert "Pages and mails are in English." in made.output
    assert "example values for contact and postal_address" in made.output
    assert "10 new articles" in run("ingest").output
    assert run("publish").exit_code == 0
    shown = run("send", "--dry-run")
    assert shown.exit_code == 0
    assert "No digest carries the articles in other languages (10 in de)" in shown.output


def test_a_terminal_is_asked_until_the_answer_fits(empty: Path) -> None:
    """Enter takes what is in brackets."""
    typed = "Our Desk\nnobody\nnews@desk.example\nStreet 1\n\nEurope/Berln\nEurope/Berlin\n.\n\n"
    seen = in_terminal(empty, "init", typed=typed)
    assert "Name of the newsroom [Our newsroom]: " in seen
    assert "did you mean Europe/Berlin?" in seen
    assert "copy needs a folder of its own" in seen
    site = tomllib.loads((empty / "config.toml").read_text("utf-8"))["site"]
    assert (site["title"], site["contact"]) == ("Our Desk", "news@desk.example")
    assert (site["languages"], site["time_zone"]) == (["en", "ru"], "Europe/Berlin")


def test_every_key_is_explained_without_a_newsroom(empty: Path) -> None:
    """`digest config --all` prints a file that could be used as it is."""
    assert run("config", "--all").output == CONFIG.read_text("utf-8")


def test_a_person_who_starts_the_service_reads_sentences(desk: Desk) -> None:
    """Where it is and what comes next; JSON only where it is asked for."""
    port = free_port()
    words = ("serve", "--port", str(port))
    seen = in_terminal(desk.folder, *words, until=" read: documents 5, added 36", NO_COLOR="1")
    assert f"Ashgabat Desk is at http://127.0.0.1:{port}/. Ctrl-C stops it." in seen
    assert "every 10 minutes after; closes an edition at " in seen
    assert '{"time"' not in seen
    seen = in_terminal(desk.folder, *words, "--log-json", until='"event": "leading"')
    assert "Ctrl-C" not in seen

"""The command line as a whole: usage errors, its speed, and what it prints where."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from digest.cli.main import SECTIONS, main
from tests.desks import Desk, in_terminal

HEAVY = (
    "sqlite_utils", "pydantic", "rich", "jinja2", "lxml", "pymorphy3", "babel", "feedgen", "aiosmtplib",
    "mammoth", "nh3", "pypdf",
)  # fmt: skip
LOADED = f"""
import sys
from digest.cli.main import main
main(sys.argv[1:], standalone_mode=False)
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
ESCAPE = "\x1b"


def commands(command: click.Command = main, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every group and command, as the words that call it."""
    inner = command.commands.items() if isinstance(command, click.Group) else ()
    return [words, *(one for name, each in inner for one in commands(each, (*words, name)))]


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words) or "digest")
def test_every_command_has_complete_help(words: tuple[str, ...]) -> None:
    """For the operator: sentences on what it does, without a config.toml, and no line is cut."""
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0
    usage, sentence, *_ = result.stdout.split("\n\n")
    assert sentence.strip().endswith(".")
    assert not [
        line for line in result.stdout.removeprefix(usage).splitlines() if line.endswith("...")
    ]


def test_every_command_is_in_one_section_of_the_help() -> None:
    """For newcomers: `digest --help` names each command once, with the first sentence of its help."""
    listed = [command for section in SECTIONS.values() for command in section]
    assert sorted(command.name or "" for command in listed) == sorted(main.commands)
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    for command in listed:
        sentence = (command.help or "").split("\n")[0]
        assert f"  {command.name} " in shown
        assert f" {sentence}\n" in shown


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["frobnicate"], id="no such command"),
        pytest.param(["articles", "frobnicate"], id="no such command in a group"),
        pytest.param(["articles", "show", "one"], id="no number"),
        pytest.param(["articles", "show"], id="an argument is missing"),
        pytest.param(["articles", "list", "--limit", "0"], id="a number out of range"),
        *(
            pytest.param([*words.split(), str(2**63)], id=f"{words} past the store's numbers")
            for words in (
                "articles show", "articles list --limit", "bounces show", "deliveries show",
                "deliveries list --edition", "editions show", "stories explain", "themes explain",
            )
        ),
        pytest.param(["deliveries", "list", "--csv", "--json"], id="deliveries in two forms"),
        pytest.param(["editions", "show", "1", "--csv", "--json"], id="an edition in two forms"),
        pytest.param(["bounces", "list", "--kind", "x"], id="no such kind of bounce"),
        pytest.param(["ingest", "--quick"], id="no such option"),
        pytest.param(["themes", "explain"], id="neither of two"),
        pytest.param(["themes", "evaluate", "not-there.jsonl"], id="no such file"),
    ],
)  # fmt: skip
def test_a_usage_error_is_exit_code_2(desk: Desk, words: list[str]) -> None:
    """For scripts: what was asked for is wrong, not what happened."""
    result = desk.run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param("articles show 999", "there is no article 999; see `digest articles list`", id="article"),
        pytest.param("articles list --theme durgs", "there is no theme 'durgs'; allowed are corruption, customs, drugs", id="theme"),
        pytest.param("compose daily", "there is no digest 'daily'; config.toml has weekly", id="digest"),
        pytest.param("deliveries list --edition 99", "there is no edition 99", id="edition"),
        pytest.param("send --test nope", "'nope' is not an e-mail address", id="address of a test mail"),
        pytest.param("recipients end no@example.org", "no recipient has the address 'no@example.org'", id="recipient"),
        pytest.param(
            "recipients add ann@example.org --theme drug",
            "theme 'drug' is not in config.toml; allowed are drugs, customs, corruption, youth, other, or everything alone",
            id="theme of a recipient",
        ),
    ],
)  # fmt: skip
def test_a_mistyped_name_is_exit_code_1(filled: Desk, words: str, message: str) -> None:
    """For the operator: one line that names it and what is allowed; an empty list would mislead."""
    before = filled.files()
    result = filled.run(*words.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert filled.files() == before


def test_nothing_of_others_acts_on_the_terminal(filled: Desk) -> None:
    """File names, names, reasons and mistyped words: no bell, no colour, no reversed text."""
    (filled.seeds / "loud\x07\u202e.txt").write_text("Copy", "utf-8")
    shown = [
        filled.run(*words)
        for words in (
            ("ingest",),
            ("doctor",),
            ("recipients", "add", "ann@example.org", "--name", "An\x07n\u202e"),
            ("recipients", "list", "--json"),
            ("suppressions", "add", "bob@example.org", "--detail", "he\x07 \udcff\u202easked"),
            ("suppressions", "list"),
            ("recipients", "no\x07such"),
            ("status", "--no\x07such"),
            ("send", "--dry-run", "--out", "pre\udcffview"),
            ("--config", "no\x07such", "status"),
        )
    ]
    assert [result.exit_code for result in shown] == [1, 0, 0, 0, 0, 0, 2, 2, 0, 1]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", "".join(r.output for r in shown))
    assert "he \ufffdasked" in shown[5].output


@pytest.mark.parametrize(
    ("words", "shown", "heavy"),
    [
        pytest.param(["--help"], "Usage:", "", id="help"),
        pytest.param(
            ["status"], "Ashgabat Desk", "pydantic rich", id="status needs only settings and tables"
        ),
    ],
)
def test_what_is_looked_at_often_loads_little(
    filled: Desk, words: list[str], shown: str, heavy: str
) -> None:
    """For the operator who types a tab or looks each minute: it answers at once."""
    run = subprocess.run(
        [sys.executable, "-c", LOADED, "--config", str(filled.config), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert run.stdout.startswith(shown)
    assert run.stderr.strip() == heavy


def test_the_config_is_found_by_option_variable_or_place(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the operator: --config, else DIGEST_CONFIG, else ./config.toml."""

    def title(*words: str, **variables: str) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "digest", *words, "config"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            cwd=desk.folder,
            env={**os.environ, **variables},
        )
        return next(line for line in run.stdout.splitlines() if line.startswith("site.title"))

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.delenv("DIGEST_CONFIG", raising=False)
    text = desk.config.read_text("utf-8")
    for name in ("other", "third"):
        changed = text.replace('title = "Ashgabat Desk"', f'title = "{name}"', 1)
        (tmp_path / f"{name}.toml").write_text(changed, "utf-8")
    other, third = str(tmp_path / "other.toml"), str(tmp_path / "third.toml")
    assert title() == 'site.title = "Ashgabat Desk"'
    assert title(DIGEST_CONFIG=other) == 'site.title = "other"'
    assert title("--config", third, DIGEST_CONFIG=other) == 'site.title = "third"'


@pytest.mark.parametrize(
    "command",
    ["status", "articles list", "stories list", "themes list", "doctor", "send --dry-run"],
)
def test_a_pipe_gets_no_colours(filled: Desk, command: str) -> None:
    """For programs and for mail: plain text."""
    out = ("--out", str(filled.folder / "preview")) if command.startswith("send") else ()
    result = filled.run(*command.split(), *out)
    assert result.exit_code == 0
    assert ESCAPE not in result.output


def test_no_color_is_obeyed(filled: Desk) -> None:
    """For users of NO_COLOR: not one escape code, also in a terminal."""
    assert ESCAPE in in_terminal(filled.folder, "articles", "list")
    assert ESCAPE not in in_terminal(filled.folder, "articles", "list", NO_COLOR="1")


def test_a_narrow_terminal_cuts_only_the_title(filled: Desk) -> None:
    """For the editor: the number that the next command needs is always there."""
    lines = in_terminal(filled.folder, "articles", "list", NO_COLOR="1").splitlines()
    assert lines[0].split() == ["id", "date", "lang", "themes", "title"]
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines[1:-1]} == {str(number) for number in range(1, 37)}
    assert any("…" in line for line in lines)

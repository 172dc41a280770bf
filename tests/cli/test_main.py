"""The command line as a whole: usage errors, its speed, and what it prints where."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from digest.cli.main import GROUPS, main
from tests.desks import Desk

HEAVY = (
    "sqlite_utils", "pydantic", "rich", "jinja2", "lxml", "pymorphy3", "babel", "feedgen", "aiosmtplib",
)  # fmt: skip
LOADED = f"""
import sys
from digest.cli.main import main
main(sys.argv[1:], standalone_mode=False)
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
ESCAPE = "\x1b"


def commands(group: object = main, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command, groups left out, as the words that call it."""
    found = []
    for name, command in sorted(getattr(group, "commands", {}).items()):
        inner = commands(command, (*before, name))
        found += inner or [(*before, name)]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help(desk: Desk, words: tuple[str, ...]) -> None:
    """For the operator: a sentence on what it does, without a config.toml."""
    desk.config.unlink()
    result = desk.run(*words, "--help")
    assert result.exit_code == 0
    assert result.stdout.split("\n\n")[1].strip().endswith(".")


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
        pytest.param(["bounces", "list", "--kind", "x"], id="no such kind of letter"),
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
    """For whoever types a tab or looks each minute: it is there at once."""
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
        environment = {**os.environ, **variables}
        run = subprocess.run(
            [sys.executable, "-m", "digest", *words, "config"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            cwd=desk.folder,
            env=environment,
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


READING = ["status", "articles list", "stories list", "themes list", "doctor", "send --dry-run"]


@pytest.mark.parametrize("command", READING)
def test_a_pipe_gets_no_colours(filled: Desk, command: str) -> None:
    """For programs and for mail: plain text, and no blank at a line's end."""
    out = ("--out", str(filled.folder / "preview")) if command.startswith("send") else ()
    result = filled.run(*command.split(), *out)
    assert result.exit_code == 0
    assert ESCAPE not in result.output


def in_terminal(desk: Desk, *words: str, **variables: str) -> str:
    """What a terminal of 80 columns is given."""
    ours, theirs = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        **{"TERM": "xterm-256color", "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)},
        **variables,
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "digest", *words],
        stdout=theirs,
        stderr=theirs,
        cwd=desk.folder,
        env=environment,
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # Linux says so when the other side has closed
        pass
    finally:
        os.close(ours)
    assert child.wait(timeout=30) == 0
    return b"".join(parts).decode()


def test_no_color_is_obeyed(filled: Desk) -> None:
    """For whoever set NO_COLOR: not one escape code, also in a terminal."""
    assert ESCAPE in in_terminal(filled, "articles", "list")
    assert ESCAPE not in in_terminal(filled, "articles", "list", NO_COLOR="1")


def test_a_narrow_terminal_cuts_only_the_title(filled: Desk) -> None:
    """For the editor: the number that the next command needs is always there."""
    lines = in_terminal(filled, "articles", "list", NO_COLOR="1").splitlines()
    assert lines[0].split() == ["id", "date", "lang", "themes", "title"]
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines[1:-1]} == {str(number) for number in range(1, 37)}
    assert any("…" in line for line in lines)


def test_every_command_has_a_whole_line_in_a_group() -> None:
    """For newcomers: `digest --help` names each command once, and cuts none of their lines."""
    named = [name for lines in GROUPS.values() for name in lines]
    assert sorted(named) == sorted(main.commands)
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    for lines in GROUPS.values():
        for name, line in lines.items():
            assert re.search(rf"^  {name} +{re.escape(line)}$", shown, re.MULTILINE)

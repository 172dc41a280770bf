"""Commands, errors, links and versions in the documentation are those of the code."""

import contextlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import digest.errors
from digest import __version__
from digest.cli.main import main
from digest.errors import DigestError
from tests.desks import ROOT

README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference.md"
TASKS = [ROOT / "docs" / f"{page}.md" for page in ("install", "weekly", "trouble")]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
EVERY_PAGE = [pytest.param(page, id=page.name) for page in PAGES]
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def block_lines(page: Path) -> list[str]:
    """Every line of the page's code blocks."""
    return [line for block in BLOCK.findall(read(page)) for line in block.splitlines()]


def commands_in(text: str) -> Iterator[list[str]]:
    """The words after each `digest` in a line of a shell or a crontab, up to the next command."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] | None = None
    for word in (*lexer, ";"):
        if set(word) <= set("();<>|&"):
            if words is not None:
                yield words
            words = None
        elif words is not None:
            words.append(word)
        elif word == "digest" or word.endswith("/bin/digest"):
            words = []


def whole_commands(page: Path) -> list[list[str]]:
    """Commands to be typed as they are."""
    lines = [line for line in block_lines(page) if re.search(r"(?:^|[\s/])digest\s", line)]
    return [words for line in lines for words in commands_in(line)]


def named_commands(page: Path) -> list[list[str]]:
    """Commands that a sentence names, perhaps without their arguments."""
    codes = re.findall(r"`((?:\.venv/bin/)?digest [^`]+)`", BLOCK.sub("", read(page)))
    return [words for code in codes for words in commands_in(code)]


def commands(command: click.Command = main, words: str = "") -> dict[str, click.Command]:
    """Every command and group by its words."""
    inner = command.commands if isinstance(command, click.Group) else {}
    found = {words: command}
    for word, one in inner.items():
        found |= commands(one, f"{words} {word}".strip())
    return found


def parse(words: list[str]) -> tuple[click.Command, dict[str, object]]:
    """The command and its values; nothing is run or opened.

    Raises:
        click.UsageError: there is no such command or option, or an option lacks its value.
    """
    command: click.Command = main
    while True:
        context = click.Context(command)
        values, rest, _ = command.make_parser(context).parse_args(list(words))
        if not isinstance(command, click.Group) or not rest:
            return command, values
        if rest[0] not in command.commands:
            raise click.UsageError(f"no command {rest[0]!r} in {' '.join(words)!r}")
        command, words = command.commands[rest[0]], rest[1:]


COMMANDS = commands()
LEAVES = {
    name: command for name, command in COMMANDS.items() if not isinstance(command, click.Group)
}


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_is_documented(name: str) -> None:
    """Operators find it in the pages that they read."""
    pages = (README, REFERENCE, *TASKS)
    named = [words for page in pages for words in (*named_commands(page), *whole_commands(page))]
    assert any(f"{' '.join(words)} ".startswith(f"{name} ") for words in named)


def test_the_list_of_commands_is_complete() -> None:
    """The table in docs/reference.md has each command once, and no other."""
    table = re.findall(r"^\| `digest ([^`]+)` \| \S", read(REFERENCE), re.MULTILINE)
    assert sorted(table) == sorted(LEAVES)


def test_every_command_and_group_has_help() -> None:
    """`digest --help` explains each word."""
    assert [name for name, one in COMMANDS.items() if not (one.help or "").strip()] == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_command_that_is_shown_exists(page: Path) -> None:
    """No page names a command or an option that the program does not have."""
    for words in named_commands(page):
        with contextlib.suppress(click.BadOptionUsage):  # a sentence may leave out a value
            parse(words)


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_command_to_be_typed_can_be_typed(page: Path) -> None:
    """Required arguments are given, and choices and numbers are valid."""
    for words in whole_commands(page):
        command, values = parse(words)
        assert not (words and isinstance(command, click.Group)), words
        for param in command.params:
            value = values.get(param.name or "")
            if not isinstance(value, (str, tuple, list)) or not value:  # click has its own "unset"
                assert not param.required, (words, param.name)
            elif not isinstance(param.type, (click.File, click.Path)):
                param.type_cast_value(click.Context(command), value)


def test_commands_are_found() -> None:
    """In paths, crontabs, chains and pipes."""
    line = "0 8 * * mon  cd x && .venv/bin/digest ingest && digest send --yes | cat > digest.txt"
    assert list(commands_in(line)) == [["ingest"], ["send", "--yes"]]
    assert len(whole_commands(README)) > 10
    assert sum(len(whole_commands(page)) for page in TASKS) > 20


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["sned"], id="no such command"),
        pytest.param(["deliveries", "forget"], id="no such subcommand"),
        pytest.param(["send", "--now"], id="no such option"),
        pytest.param(["send", "--limit"], id="an option without its value"),
    ],
)
def test_a_wrong_command_would_be_noticed(words: list[str]) -> None:
    """The parser of these tests is as strict as the program."""
    with pytest.raises(click.UsageError):
        parse(words)


def test_every_error_says_what_to_do() -> None:
    """docs/reference.md has each error with what it means and what to do, and no other."""
    section = read(REFERENCE).partition("## Every error")[2]
    table = re.findall(r"^\| `(\w+)` \| \S[^|]+ \| \S[^|]+ \|$", section, re.MULTILINE)
    errors = [one for one in vars(digest.errors).values() if isinstance(one, type)]
    assert sorted(table) == sorted(one.__name__ for one in errors if issubclass(one, DigestError))


def test_the_readme_starts_with_two_lines_to_paste() -> None:
    """One shows the digest, one runs the tests; each makes its own environment."""
    lines = [line for line in block_lines(README) if line.startswith("python3 -m venv .venv && ")]
    assert len(lines) == 2
    show, test = lines
    assert [words[0] for words in commands_in(show)] == ["ingest", "publish", "send"]
    assert show.endswith(" send --dry-run")
    assert test.endswith(" && .venv/bin/pytest -n auto")
    assert not any("\\" in line or "uv " in line or "make " in line for line in lines)


def test_ci_runs_the_readmes_line() -> None:
    """.ci/run takes the first line with .venv/bin/pytest: that must be the one to paste."""
    first = next(line for line in read(README).splitlines() if ".venv/bin/pytest" in line)
    assert first in block_lines(README)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r'"\.\[(\w+)\]"', first)) <= set(project["optional-dependencies"])


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_link_leads_somewhere(page: Path) -> None:
    """Links between the pages, their headings, and pictures."""
    text = BLOCK.sub("", read(page))
    for target in re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", text):
        path, _, anchor = (target[0] or target[1]).partition("#")
        if path.startswith(("http://", "https://")):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT)
        assert linked.exists(), path
        assert not anchor or anchor in anchors(linked), f"{path}#{anchor}"


@pytest.mark.parametrize(
    "image", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda i: i.name
)
def test_a_picture_is_used_small_and_described(image: Path) -> None:
    """It does not weigh on a clone, and has a text for people who cannot see it."""
    assert image.stat().st_size < 150_000
    shown = "".join(map(read, (README, *(ROOT / "docs").glob("*.md"))))
    assert re.search(rf'images/{re.escape(image.name)}"[^>]* alt="[^"]{{20,}}"', shown)


def test_the_changelog_is_of_this_version() -> None:
    """Its newest version is that of `digest --version`."""
    headings = re.findall(r"^## \[([^\]]+)\]", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


def test_the_tree_of_the_packages_is_complete():
    """CONTRIBUTING.md names every module, and no other."""
    tree = read(ROOT / "CONTRIBUTING.md").partition("```\ndigest/\n")[2].partition("```")[0]
    folders: list[str] = []
    named = []
    for line in tree.splitlines():
        name, _, words = line.strip().partition(" ")
        assert words.strip(), f"no words for {name}"
        del folders[(len(line) - len(line.lstrip())) // 2 - 1 :]
        if name.endswith("/"):
            folders.append(name)
        else:
            named.append("".join([*folders, name]))
    modules = [path.relative_to(ROOT / "digest") for path in (ROOT / "digest").rglob("*.py")]
    names = [path.as_posix() for path in modules if not path.name.startswith("__")]
    assert sorted(named) == sorted(names)

"""What newcomers and operators read holds: commands, errors, links and versions are those of the code."""

import contextlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from digest import __version__
from digest.cli.main import main
from digest.errors import DigestError

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference.md"
TASKS = [ROOT / "docs" / f"{page}.md" for page in ("install", "weekly", "trouble")]
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
IMAGES = sorted((ROOT / "docs" / "images").iterdir())
EVERY_PAGE = [pytest.param(page, id=page.name) for page in PAGES]
LARGEST_IMAGE = 150_000
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def block_lines(page: Path) -> list[str]:
    """Every line of the page's blocks of code."""
    return [line for block in BLOCK.findall(read(page)) for line in block.splitlines()]


def commands_in(text: str) -> Iterator[list[str]]:
    """The words behind each `digest` of a shell's or a crontab's line, up to the next command."""
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
    """Commands to be typed as they stand."""
    lines = [line for line in block_lines(page) if re.search(r"(?:^|[\s/])digest\s", line)]
    return [words for line in lines for words in commands_in(line)]


def named_commands(page: Path) -> list[list[str]]:
    """Commands that a sentence names, perhaps without their arguments."""
    text = BLOCK.sub("", read(page))
    codes = re.findall(r"`((?:\.venv/bin/)?digest [^`]+)`", text)
    return [words for code in codes for words in commands_in(code)]


def leaves(command: click.Command = main, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Every command that does something, by its words."""
    if not isinstance(command, click.Group):
        return {" ".join(path): command}
    return {
        name: leaf
        for word, inner in command.commands.items()
        for name, leaf in leaves(inner, (*path, word)).items()
    }


def groups(command: click.Command = main) -> list[click.Group]:
    if not isinstance(command, click.Group):
        return []
    return [command, *(group for inner in command.commands.values() for group in groups(inner))]


def parse(words: list[str]) -> tuple[click.Command, dict[str, object]]:
    """The command that the words name and the values that they give it; nothing is run or opened.

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


def is_given(value: object) -> bool:
    """Whether the parser saw a value; click has a sign of its own for none."""
    return isinstance(value, (str, tuple, list)) and bool(value)


LEAVES = leaves()


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_is_told_and_has_help(name: str) -> None:
    """Whoever looks for a command finds it in what operators read, and in `--help`."""
    pages = (README, REFERENCE, *TASKS)
    told = [" ".join(words) for page in pages for words in named_commands(page)]
    told += [" ".join(words) for page in pages for words in whole_commands(page)]
    assert any(one == name or one.startswith(f"{name} ") for one in told)
    assert (LEAVES[name].help or "").strip()


def test_the_list_of_commands_is_whole() -> None:
    """The table in docs/reference.md has each command once, and none that is gone."""
    table = re.findall(r"^\| `digest ([^`]+)` \| \S", read(REFERENCE), re.MULTILINE)
    assert sorted(table) == sorted(LEAVES)


def test_a_group_has_help() -> None:
    """`digest --help` says of each word what is behind it."""
    assert [group.name for group in groups() if not (group.help or "").strip()] == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_command_that_is_shown_exists(page: Path) -> None:
    """No page names a command or an option that the program does not have."""
    for words in named_commands(page):
        with contextlib.suppress(click.BadOptionUsage):  # a sentence may leave out a value
            parse(words)


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_command_to_be_typed_can_be_typed(page: Path) -> None:
    """Arguments that must be given are given, and choices and numbers are ones that are allowed."""
    for words in whole_commands(page):
        command, values = parse(words)
        assert not isinstance(command, click.Group), words
        for param in command.params:
            value = values.get(param.name or "")
            if not is_given(value):
                assert not param.required, (words, param.name)
            elif not isinstance(param.type, (click.File, click.Path)):
                param.type_cast_value(click.Context(command), value)


def test_commands_are_looked_for_where_they_stand() -> None:
    """The readers above see through paths, crontabs, chains and pipes."""
    line = "0 8 * * mon  cd x && .venv/bin/digest ingest && digest send --yes | cat > digest.txt"
    assert list(commands_in(line)) == [["ingest"], ["send", "--yes"]]
    assert len(whole_commands(README)) > 10
    assert sum(len(whole_commands(page)) for page in TASKS) > 20


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["sned"], id="no such command"),
        pytest.param(["deliveries", "forget"], id="no such word behind it"),
        pytest.param(["send", "--now"], id="no such option"),
        pytest.param(["send", "--limit"], id="an option without its value"),
    ],
)
def test_a_wrong_command_would_be_noticed(words: list[str]) -> None:
    """The parser of these tests is as strict as the program."""
    with pytest.raises(click.UsageError):
        parse(words)


def every_error(error: type[DigestError] = DigestError) -> set[str]:
    inner = (
        every_error(one) for one in error.__subclasses__() if one.__module__ == error.__module__
    )
    return {error.__name__}.union(*inner)


def test_every_error_says_what_to_do() -> None:
    """An operator finds each error with what it means and what to do; none that is gone."""
    section = read(REFERENCE).partition("## Every error")[2]
    told = re.findall(r"^\| `(\w+)` \| \S[^|]+ \| \S[^|]+ \|$", section, re.MULTILINE)
    assert sorted(told) == sorted(every_error())


def test_the_readme_starts_with_two_lines_to_paste() -> None:
    """One shows the digest, one runs the tests; each is one line and makes its own environment."""
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
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(ROOT)
        assert found.exists(), path
        assert not anchor or anchor in anchors(found), f"{path}#{anchor}"


@pytest.mark.parametrize("image", [pytest.param(image, id=image.name) for image in IMAGES])
def test_a_picture_is_shown_small_and_told(image: Path) -> None:
    """No picture lies about unused, weighs on a clone, or says nothing to who cannot see it."""
    assert image.stat().st_size < LARGEST_IMAGE
    assert re.search(rf'images/{re.escape(image.name)}"[^>]* alt="[^"]{{20,}}"', read(README))


def test_the_changelog_is_of_this_version() -> None:
    """Its newest version is the one that `digest --version` prints."""
    headings = re.findall(r"^## \[([^\]]+)\]", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


def test_the_tree_of_the_packages_is_whole_and_true():
    """For newcomers to the code: CONTRIBUTING.md names every module, and no other."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = page.partition("```\ndigest/\n")[2].partition("```")[0]
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
    assert sorted(named) == sorted(
        path.as_posix() for path in modules if not path.name.startswith("__")
    )

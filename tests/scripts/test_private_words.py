"""scripts/private_words.py finds what must not be in git, and accepts examples."""

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "private_words.py"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("see /ho" + "me/anna/desk/notes.txt", ["/ho" + "me/anna/desk/notes.txt"], id="home folder"),
        pytest.param("open('/ro" + "ot/x')", ["/ro" + "ot/x"], id="the administrator's"),
        pytest.param("https://news.example.org/home/page", [], id="part of a URL"),
        pytest.param("anna@" + "news.tm", ["anna@" + "news.tm"], id="an address"),
        pytest.param("desk@news.example.org, a@example.com, b@mail.test", [], id="addresses for examples"),
        pytest.param("pass" + "word = 'hunter22'", ["pass" + "word = 'hunter22'"], id="a password"),
        pytest.param('password_env = "DESK_PASSWORD"', [], id="the name of a variable"),
        pytest.param("-----BEGIN PRIVATE" + " KEY-----", ["-----BEGIN PRIVATE" + " KEY-----"], id="a key"),
    ],
)  # fmt: skip
def test_private_words_are_found_and_examples_are_not(line: str, found: list[str]):
    """The check stops a slip before it is pushed."""
    assert SCRIPT["private_words"](line) == found


def test_wire_copy_keeps_its_addresses():
    """Seeds stay byte for byte, press contacts and all."""
    assert SCRIPT["private_words"]("press@" + "news.tm", copy=True) == []

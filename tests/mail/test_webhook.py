"""A webhook is posted to once and told as it went, and its address stays a secret."""

import socket

import pytest

from digest.mail.notices import post_json
from tests.hooks import Hook, running_hook

PAYLOAD = {"key": "relay", "said": "Почта не принята."}


def test_what_is_posted_arrives_as_it_is() -> None:
    """For a chat or a pager: JSON, with every letter whole."""
    with running_hook(Hook(status=204)) as hook:
        posted = post_json(hook.url, PAYLOAD)
    assert (posted.taken, posted.said) == (True, "answered 204")
    assert hook.taken == [("/hook?token=abc", PAYLOAD)]


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        pytest.param(Hook(status=500), "answered 500", id="its fault"),
        pytest.param(Hook(status=404), "answered 404", id="nobody there"),
        pytest.param(
            Hook(status=307, headers={"location": "http://127.0.0.1:1/elsewhere"}),
            "answered 307, a redirect, which is not followed",
            id="a redirect leads to another host",
        ),
        pytest.param(Hook(hang=True), "no answer within 0.2 seconds", id="silence"),
    ],
)
def test_what_is_not_taken_is_told(hook: Hook, said: str) -> None:
    """Once, and nothing is posted anywhere else."""
    with running_hook(hook):
        posted = post_json(hook.url, PAYLOAD, timeout=0.2)
    assert (posted.taken, posted.said) == (False, said)
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("news.example.org/token", id="no scheme"),
        pytest.param("file:///token", id="a file"),
        pytest.param("http://[token", id="no address"),
        pytest.param("http://news.example.org/\ntoken", id="a line break"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_address_is_posted_nowhere(url: str) -> None:
    """And is not repeated: it may be a token in the wrong place."""
    posted = post_json(url, PAYLOAD)
    assert not posted.taken
    assert posted.said == "the webhook is no absolute http or https address"


def test_a_server_that_is_away_is_told_without_its_address() -> None:
    """The words go into the database and the log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    posted = post_json(f"http://127.0.0.1:{port}/token", PAYLOAD)
    assert not posted.taken
    assert posted.said.startswith("cannot be reached: ")
    assert "token" not in posted.said
    assert "127.0.0.1" not in posted.said

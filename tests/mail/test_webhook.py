"""A webhook is posted to once, the result is reported, and its address stays secret."""

import json
import socket

import pytest

from digest.mail.notices import post
from digest.mail.outgoing import HUB
from tests.hooks import Hook, running_hook

PAYLOAD = {"key": "relay", "said": "Почта не принята."}
BODY = json.dumps(PAYLOAD).encode()


def test_what_is_posted_arrives_as_it_is() -> None:
    """For a chat or a pager: JSON, with every letter."""
    with running_hook(Hook(status=204)) as hook:
        posted = post(hook.url, BODY)
    assert (posted.accepted, posted.answer) == (True, "answered 204")
    assert hook.taken == [("/hook?token=abc", PAYLOAD)]


def test_a_hub_gets_a_form() -> None:
    """As a browser would send it."""
    with running_hook(Hook(status=202)) as hook:
        posted = post(hook.url, b"hub.mode=publish&hub.url=https%3A%2F%2Fnews.example.org%2Fa", HUB)
    assert posted.accepted
    form = {"hub.mode": "publish", "hub.url": "https://news.example.org/a"}
    assert hook.taken == [("/hook?token=abc", form)]


@pytest.mark.parametrize(
    ("hook", "answer"),
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
def test_a_failure_is_reported(hook: Hook, answer: str) -> None:
    """After one try; nothing is posted anywhere else."""
    with running_hook(hook):
        posted = post(hook.url, BODY, timeout=0.2)
    assert (posted.accepted, posted.answer) == (False, answer)
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    "url",
    ["news.example.org/token", "file:///token", "http://[token", "http://news.example.org/\nt", ""],
)
def test_an_invalid_address_is_posted_nowhere(url: str) -> None:
    """Nor repeated: it may be a token in the wrong place."""
    posted = post(url, BODY)
    assert not posted.accepted
    assert posted.answer == "the webhook is no absolute http or https address"


def test_an_unreachable_server_is_reported_without_its_address() -> None:
    """The answer is stored in the database and the log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    posted = post(f"http://127.0.0.1:{port}/token", BODY)
    assert not posted.accepted
    assert posted.answer.startswith("cannot be reached: ")
    assert "token" not in posted.answer
    assert "127.0.0.1" not in posted.answer

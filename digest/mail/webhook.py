"""A JSON POST to the address that an operator has named: with time-outs, and to nowhere else.

The address may hold a token, so that no text from here names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
"""For each of: the connection, the request, the answer."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Whether it was taken, which is any answer of 2xx, and what was answered or happened instead."""

    taken: bool
    said: str


def post_json(url: str, payload: Mapping[str, Any], *, timeout: float = TIMEOUT_SECONDS) -> Posted:
    """Post `payload` as JSON (RFC 8259) once. A redirect is not followed: it is not what was named.

    `timeout`, in seconds, is for each step of it. Nothing is raised for what the network does.
    """
    import httpx2

    if not is_usable(url):
        return Posted(False, "the webhook is no absolute http or https address")
    try:
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", url, json=dict(payload)) as answer,
        ):
            return Posted(answer.is_success, _said(answer.status_code))
    except httpx2.TimeoutException:
        return Posted(False, f"no answer within {timeout:g} seconds")
    except httpx2.ConnectError as e:
        return Posted(False, f"cannot be reached: {_reason(e)}")
    except (httpx2.HTTPError, httpx2.InvalidURL) as e:
        return Posted(False, f"no answer: {type(e).__name__}")


def is_usable(url: str) -> bool:
    """Whether it is an absolute http or https address."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False


def _said(status: int) -> str:
    redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return f"answered {status}{redirect}"


def _reason(error: BaseException) -> str:
    """What the operating system says, without the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__

"""Answers of web servers: when to ask again, and pages that are shown instead of what was asked for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from digest.errors import FetchError
from digest.language.text import foreign

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=7)
"""What a server may ask for with Retry-After."""
_FRESH: Final = timedelta(days=1)
"""What a server may ask for with Cache-Control."""
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,10})')
_REFUSED = {401: "login", 402: "login", 403: "answer", 407: "login", 451: "answer"}
_HIDDEN = ("head", "script", "style", "noscript", "template", "svg")
_HEAD = 1024
"""Bytes of a body that say whether it is HTML."""
_SHELL, _FORM, _WALL = 200, 600, 3000
"""Characters that a reader sees: fewer are no article; no article beside a form; a consent wall."""

_MOST_TAGS, _MOST_ATTRIBUTES, _MOST_OF_TAG = 100_000, 50_000, 3_000
"""A parser keeps 300 bytes for a tag and 700 for an attribute, and its time grows with the square of the
attributes of one tag."""
_TAG = re.compile(r"""<[a-z](?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+""", re.IGNORECASE)
_QUOTED, _APART = re.compile(r"""=\s*+(?:"[^"]*+"|'[^']*+')"""), re.compile(r"[\s/=]+")

_CHALLENGE_MARK = re.compile(
    rb"cf[-_]chl|challenges\.cloudflare\.com|cdn-cgi/challenge-platform|ddos-guard|hcaptcha\.com"
    rb"|recaptcha|captcha-delivery\.com|_incapsula_resource|px-captcha|awswaf|anubis_challenge"
    rb"|sgcaptcha|smartcaptcha|__qrator",
    re.IGNORECASE,
)
_CHALLENGE_TITLE = re.compile(
    r"just a moment|one moment, please|attention required|checking your browser|security check"
    r"|are you (?:a )?(?:human|robot)|you are (?:a )?human|not a (?:ro)?bot|captcha|ddos-guard"
    r"|проверка браузера|не робот",
    re.IGNORECASE,
)
_CONSENT_TITLE = re.compile(
    r"before you continue|cookie (?:consent|wall)|privacy gate|value your privacy|consent required",
    re.IGNORECASE,
)
_CONSENT_PLACE = re.compile(
    r"//(?:consent|guce|myprivacy)\.|/(?:collect)?consent(?:/|$)", re.IGNORECASE
)
_LOGIN_TITLE = re.compile(r"^\W*(?:log[ -]?in|sign[ -]?in|вход|войти|авторизация)\b", re.IGNORECASE)
_LOGIN_PLACE = re.compile(r"/(?:wp-login|login|log-in|signin|sign-in|auth)\b", re.IGNORECASE)

_REASONS = {
    "challenge": "The server checks for robots{} and does not answer programs. Ask the publisher "
    "for a feed, or to let the User-Agent NewsroomDigest pass",
    "login": "The page asks for a login{}. Use an address that is open to all, or ask the publisher "
    "to send copy by mail",
    "consent": "The server shows a question for consent instead of the page{}. Use the publisher's feed, "
    "or another address",
    "script": "The page is empty without JavaScript{}. Use the publisher's feed or news sitemap",
    "answer": "The server refuses access{}. Ask the publisher whether programs may read it",
}


class _Page(NamedTuple):
    """What decides whether a page is what was asked for; `seen` is characters, at most _WALL of them."""

    title: str
    has_password: bool
    has_script: bool
    has_article: bool
    seen: int


_NO_PAGE = _Page("", False, False, False, _WALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    `url` is where the body came from, after redirects. `status` is that of HTTP: 200, 304, 404, 410,
    429, 503. Names of `headers` are in lower case, their values clean text. `body` is unpacked, and
    b"" for any other status than 200. `moved_to` is the address after a chain of redirects that are all
    permanent (301, 308), else None. `validators` are headers for the next request, byte for byte
    (Latin-1): store them, and pass them to `Fetcher.get`.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    moved_to: str | None
    validators: Mapping[str, str]


def retry_after(answer: Answer, now: datetime) -> datetime | None:
    """When a server wants to be asked again, one minute to seven days from now; None if it does not say."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        until = now + timedelta(seconds=min(int(text[:10]), _LONGEST.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(text)
            until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(until, now + _SHORTEST), now + _LONGEST)


def fresh_until(answer: Answer, now: datetime) -> datetime | None:
    """Until when an answer stays fresh by Cache-Control, at most a day; None if not at all.

    It counts from `now`, when the answer came. A server that wants to be asked each time gives None.
    """
    control = answer.headers.get("cache-control", "").lower()
    found = _MAX_AGE.search(control)
    if not found or "no-store" in control or "no-cache" in control:
        return None
    age = answer.headers.get("age", "")
    held = int(age[:10]) if age.isascii() and age.isdigit() else 0
    fresh = timedelta(seconds=int(found[1]) - held)
    return now + min(fresh, _FRESH) if fresh > timedelta() else None


def blocked(answer: Answer, *, wants_page: bool) -> FetchError | None:
    """Why an answer is not what was asked for: a check for robots, a login, a consent wall, or a refusal.

    With `wants_page` also an article page that is empty without JavaScript. None for all else, for feeds
    too; a 200 with another HTML page where a feed belongs is for its parser to judge.
    """
    page = _page(answer)
    title, has_password, has_script, has_article, seen = page or _NO_PAGE
    # Pages with a form for comments have such marks too: a challenge has few other words.
    few = _SHELL if answer.status == 200 else _FORM
    signs = (seen < _WALL and _CHALLENGE_MARK.search(answer.body), _CHALLENGE_TITLE.search(title))
    by_header = answer.headers.get("cf-mitigated") or answer.headers.get("x-vercel-mitigated")
    if by_header == "challenge" or (all(signs) and seen < _WALL) or (any(signs) and seen < few):
        return _error(answer, "challenge")
    if answer.status in _REFUSED:
        return _error(answer, "login" if has_password else _REFUSED[answer.status])
    if page is None or answer.status != 200:
        return None
    place = urlsplit(answer.url)
    if _CONSENT_PLACE.search(f"//{place.netloc}{place.path}") or (
        seen < _WALL and _CONSENT_TITLE.search(title) and not has_article
    ):
        return _error(answer, "consent")
    if has_password and (
        seen < _FORM or _LOGIN_TITLE.search(title) or _LOGIN_PLACE.search(place.path)
    ):
        return _error(answer, "login")
    if wants_page and seen < _SHELL and has_script:
        return _error(answer, "script")
    return None


def _error(answer: Answer, kind: str) -> FetchError:
    status = f" ({answer.status})" if answer.status != 200 else ""
    return FetchError(shown(answer.url), kind, _REASONS[kind].format(status))


def is_bomb(text: str) -> bool:
    """Whether to parse HTML would take more than it is worth: tags, or attributes of a tag, without end."""
    if text.count("<") > _MOST_TAGS:
        return True
    tags = (_QUOTED.sub("=", tag[0]) for tag in _TAG.finditer(text))
    attributes = [sum(1 for _ in _APART.finditer(tag)) for tag in tags]
    return max(attributes, default=0) > _MOST_OF_TAG or sum(attributes) > _MOST_ATTRIBUTES


def _page(answer: Answer) -> _Page | None:
    """What a body that is HTML shows; None for feeds and all else."""
    head = answer.body[:_HEAD].lower()
    is_feed = any(
        mark in head for mark in (b"<rss", b"<feed", b"<rdf", b"<urlset", b"<sitemapindex")
    )
    says_html = "html" in answer.headers.get("content-type", "") and not is_feed
    if not (says_html or b"<html" in head or b"<!doctype html" in head):
        return None
    if b"\x00" in answer.body or is_bomb(answer.body.decode("latin-1")):
        return None
    from lxml import etree, html

    try:
        answer.body.decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = None  # As its own <meta> says.
    try:
        page = html.document_fromstring(answer.body, html.HTMLParser(encoding=encoding))
    except (etree.LxmlError, ValueError):
        return None
    title = foreign(page.findtext(".//title") or "")
    password = bool(page.xpath("boolean(//input[@type='password'])"))
    script, article = (page.find(f".//{name}") is not None for name in ("script", "article"))
    etree.strip_elements(page, etree.Comment, *_HIDDEN, with_tail=False)
    seen = 0
    for text in page.itertext():
        seen += len(" ".join(text[: 10 * _WALL].split()))
        if seen >= _WALL:
            break
    return _Page(title, password, script, article, seen)


def shown(url: str) -> str:
    """An address as messages and logs may show it: without what may be secret (user, query, fragment)."""
    try:
        place = urlsplit(url)
        host = place.netloc.rpartition("@")[2]
    except ValueError:
        return foreign(url.partition("?")[0], limit=100)
    query = "?…" if place.query else ""
    return foreign(f"{place.scheme}://{host}{place.path}", limit=200) + query

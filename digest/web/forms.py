"""The pages with forms for readers: how they are served, and unsubscribing with one click (RFC 8058).

A GET never changes anything: programs that check mail open every link. Nothing that is logged or
answered names a token, and no answer shows a whole address, as a mail may be forwarded.
"""

import asyncio
import logging
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from digest.audience.preferences import is_nobody
from digest.audience.recipients import By, change
from digest.audience.store import end_recipient, list_recipients
from digest.config.settings import DigestConfig, Settings
from digest.editions.schedule import boundary_after, gap_after
from digest.editions.store import edition_name
from digest.errors import ConfigError, NotReadyError, StoreError
from digest.feeds.pages import framed, style_bytes
from digest.language.wording import Wording, wording_for
from digest.mail.mime import ONE_CLICK
from digest.mail.tokens import ANSWER, CHOOSE, JOIN, LEAVE, MINE, Purpose, read_token
from digest.model import Recipient, RecipientStatus
from digest.newsroom import Newsroom, make_environment
from digest.web.app import App, Receive, Scope, Send
from digest.web.files import SECURITY

if TYPE_CHECKING:
    from jinja2 import Environment

log = logging.getLogger(__name__)
Result = TypeVar("Result")

FORM_SECONDS = 10.0
"""How long a form may take to arrive."""
LARGEST_FORM = 16_384
"""Bytes; the form of a mail program has under 300."""
MOST_FIELDS = 20
RETRY = {"Retry-After": "60"}
SHORTENED = {4: 24, 6: 48}
"""The bits that are kept of an address, by the version of IP."""


class ReaderForms:
    """The forms of one newsroom; `mounts` has the application of each path, below that of
    web.public_url. `parts` have their own pages; `wake` is called where mail waits that a form asked for, or
    with the name of the verb that is to run.

    `look` and `act` read and write the database, each in a thread of its own, so that waiting for a lock
    stops neither the feeds, nor the service, nor the other pages.
    """

    def __init__(
        self,
        newsroom: Newsroom,
        form_seconds: float = FORM_SECONDS,
        parts: Sequence[Callable[["ReaderForms"], Sequence[Route]]] = (),
        wake: Callable[..., None] = lambda *_: None,
        *,
        places: Sequence[str] = (LEAVE, CHOOSE, JOIN, ANSWER, MINE),
        largest: int = LARGEST_FORM,
    ) -> None:
        self.newsroom, self.wake = newsroom, wake
        self.form_seconds = form_seconds
        self.prefix = urlsplit(newsroom.settings.web.public_url or "").path
        self.mounts: dict[str, App] = {f"{self.prefix}{one}": self for one in places}
        self._reader, self._writer = ThreadPoolExecutor(1, "forms"), ThreadPoolExecutor(1, "left")
        # It logs what strangers post.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        self._app = Starlette(
            routes=[
                *(Route(f"{one}style.css", self.style) for one in places),
                Route(f"{LEAVE}{{token}}", self.leave, methods=["GET", "POST"]),
                *(route for part in parts for route in part(self)),
            ],
            exception_handlers={
                HTTPException: self._refuse,  # type: ignore[dict-item] # gets only this kind
                StoreError: self._busy,
            },
            max_body_size=largest,
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                ours = [one for one in HEADERS if one[0] not in given]
                message["headers"] = [*message["headers"], *ours]
                if message["status"] >= HTTPStatus.BAD_REQUEST:  # the rest of a form is not read
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        await self._app(dict(scope, root_path=self.prefix), receive, secured)

    async def leave(self, request: Request) -> Response:
        """The page of a link in a mail, and the answer to its form or to a mail program's POST."""
        found = await self.look(_reader_of, request.path_params["token"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        reader, edition_id = found
        state = "left" if reader.status is RecipientStatus.ENDED else "ask"
        rarer = rarer_than(self.newsroom, reader) if state == "ask" else None
        if request.method == "POST":
            form, (name, value) = await self.form(request), ONE_CLICK
            if rarer and form.get("rarer") == rarer[0] and self.is_ours(request):
                await self.act(
                    _choose_rarer, reader, rarer[0], By("link", self.network_of(request))
                )
                return await self.page(leave_page, state="rarer", reader=reader, rarer=rarer)
            if value not in form.getlist(name):
                raise HTTPException(HTTPStatus.BAD_REQUEST)
            if state == "ask":
                # A mail provider presses for its user: its network says nothing of them.
                by = By("link", self.network_of(request)) if "page" in form else By("one-click")
                await self.act(_end, reader.id, edition_id, by)
            state = "left"
        state = "gone" if is_nobody(reader) else state
        return await self.page(leave_page, state=state, reader=reader, rarer=rarer)

    async def style(self, _: Request) -> Response:
        """The stylesheet, as the feeds may be on another host."""
        return Response(
            await self._run(self._reader, self._rendered, style_bytes), media_type="text/css"
        )

    async def look(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What a function of the open newsroom, which may only read, and of the arguments returns."""

        def run() -> Result:
            with self.newsroom.open(read_only=True) as newsroom:
                return function(newsroom, *arguments)

        return await self._run(self._reader, run)

    async def act(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """As `look`; the function may write."""

        def run() -> Result:
            with self.newsroom.open() as newsroom:
                return function(newsroom, *arguments)

        return await self._run(self._writer, run)

    def is_ours(self, request: Request) -> bool:
        """Whether a browser says that the form is on a page of this site, or says nothing of where it is;
        behind a proxy the host may be this machine's."""
        if (site := request.headers.get("sec-fetch-site")) is not None:
            return site in ("same-origin", "none")
        origin = request.headers.get("origin")
        public = urlsplit(self.newsroom.settings.web.public_url or "").netloc
        host = "" if origin is None else urlsplit(origin).netloc
        return origin is None or (host != "" and host in (request.headers.get("host"), public))

    @staticmethod
    def network_of(request: Request) -> str:
        """Where a request comes from, shortened. Behind a proxy on this machine that is the last address
        of X-Forwarded-For, which the proxy added; anybody else may write what they like there."""
        peer = request.client.host if request.client else ""
        told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        for text in (peer, told):
            try:
                address = ip_address(text.partition("%")[0])
            except ValueError:
                break
            address = getattr(address, "ipv4_mapped", None) or address
            peer = str(ip_network((address, SHORTENED[address.version]), strict=False))
            if not address.is_loopback:
                break
        return peer or "unknown"

    async def form(
        self, request: Request, *, own: bool = False, most: int = MOST_FIELDS
    ) -> FormData:
        """The form of a POST, of at most so many fields; `own` refuses one that comes from another site's
        page.

        Raises:
            HTTPException: it does not come in time, is no form, or is not from our page.
        """
        if own and not self.is_ours(request):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        try:
            async with asyncio.timeout(self.form_seconds):
                return await request.form(max_files=0, max_fields=most)
        except (TimeoutError, ClientDisconnect):
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None

    async def _refuse(self, _: Request, error: HTTPException) -> Response:
        """The same bytes for each link that does not work, whatever the reason."""
        status = HTTPStatus(error.status_code)
        if status is HTTPStatus.NOT_FOUND:
            return await self.page(leave_page, status, state="no_link")
        return PlainTextResponse(f"{status} {status.phrase}\n", status, headers=error.headers)

    async def _busy(self, _: Request, error: Exception) -> Response:
        log.error("a form was not saved: %s", error)
        return await self.page(leave_page, HTTPStatus.SERVICE_UNAVAILABLE, RETRY, state="busy")

    async def page(
        self, make: Callable[..., bytes], status: int = 200, headers: Any = None, **facts: Any
    ) -> Response:
        """The answer with the page that `make` makes of a template environment, settings and facts."""
        page = await self._run(self._reader, self._rendered, partial(make, **facts))
        return HTMLResponse(page, status, headers)

    def _rendered(self, make: Callable[["Environment", Settings], bytes]) -> bytes:
        """By our templates if the operator's have an error, as readers must be able to leave."""
        settings = self.newsroom.settings
        try:
            return make(self.newsroom.templates, settings)
        except (ConfigError, NotReadyError) as e:
            log.error("a form is shown without web.templates: %s", e)
            return make(make_environment(), settings)

    @staticmethod
    async def _run(
        pool: ThreadPoolExecutor, function: Callable[..., Result], *arguments: Any
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


def _reader_of(newsroom: Newsroom, token: str) -> tuple[Recipient, int] | None:
    """The recipient whom a link to leave names, and the edition that it is in."""
    named = read_token(newsroom.token_keys, token, Purpose.READER)
    if named is None:
        return None
    found = list_recipients(newsroom.db, recipient_id=named.recipient_id)
    return (found[0], named.edition_id) if found else None


def how_often(settings: Settings, digest: DigestConfig, wording: Wording, now: datetime) -> str:
    """How often a digest comes, in words, and when next: every week · next on 7 December 2026."""
    rule, zone = settings.digest_rule(digest), settings.digest_zone(digest)
    first = boundary_after(rule, zone, now)
    later = boundary_after(rule, zone, first)
    days = round((later - first) / timedelta(days=1))
    often = wording.joining.get(f"every_{30 if 27 < days < 32 else days}")
    day = wording.day(first.astimezone(ZoneInfo(zone)).date())
    return " · ".join(filter(None, (often, wording.joining["next"].format(day=day))))


def title_of(digest: DigestConfig, language: str) -> str:
    return digest.title.get(language) or next(iter(digest.title.values()))


def rarer_than(newsroom: Newsroom, reader: Recipient) -> tuple[str, str, str] | None:
    """The digest that comes least often, where the reader gets another: name, title, and how often."""
    settings, now = newsroom.settings, newsroom.now()
    gaps = {
        one.name: gap_after(settings.digest_rule(one), settings.digest_zone(one), now)
        for one in settings.digests
    }
    rarest = max(settings.digests, key=lambda one: gaps[one.name])
    if all(gaps[one] >= gaps[rarest.name] for one in reader.digests if one in gaps):
        return None
    wording = wording_for(reader.choice.language, settings.site.languages)
    often = how_often(settings, rarest, wording, now).partition(" · ")[0]
    return rarest.name, title_of(rarest, wording.language), often


def _choose_rarer(newsroom: Newsroom, reader: Recipient, name: str, by: By) -> None:
    given = {"digests": [name]}
    with newsroom.db.write():
        change(newsroom.db, newsroom.settings, newsroom.now(), reader.address, given, by=by)


def _end(newsroom: Newsroom, recipient_id: int, edition_id: int, by: By) -> None:
    reason = f"the link in {edition_name(newsroom.db, edition_id) or 'a mail of ours'}"
    with newsroom.db.write():
        end_recipient(newsroom.db, recipient_id, reason, newsroom.now(), by.name, by.network)


def masked(address: str) -> str:
    """Enough of an address for its owner to know it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def leave_page(
    environment: "Environment",
    settings: Settings,
    state: str,
    reader: Recipient | None = None,
    rarer: tuple[str, str, str] | None = None,
) -> bytes:
    """In the reader's language: with `state` "ask" the question with its button, and another for the
    `rarer` digest; with "left", "rarer" and "forgotten" what was done; "gone" is for whoever has a mail
    to somebody who was forgotten since; "no_link" and "busy" are for anybody."""
    spoken = settings.site.languages
    wording = wording_for(spoken[0] if reader is None else reader.choice.language, spoken)
    facts = {"site": settings.site.title, "contact": settings.site.contact}
    facts |= {"address": masked("" if reader is None else reader.address)}
    name, facts["digest"], facts["often"] = rarer or ("", "", "")
    texts = {
        key: text.format(**facts, backups=settings.store.keep_backups)
        for key, text in wording.leaving.items()
        if key in (state, f"{state}_title", "rarer_button")
    }
    return framed(
        environment,
        settings,
        wording,
        "web/leave.html",
        title=texts[f"{state}_title"],
        text=texts[state],
        asks=ONE_CLICK if state == "ask" else None,
        rarer=(name, texts["rarer_button"]) if name and state == "ask" else None,
        left=state == "left",
    )


HEADERS = [
    *(
        (name, value.replace(b"form-action 'none'", b"form-action 'self'"))
        for name, value in SECURITY
        if name != b"referrer-policy"
    ),
    (b"referrer-policy", b"same-origin"),  # else a browser does not say that a form is ours
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
]
"""Of every answer: nothing keeps the page or passes its address on."""

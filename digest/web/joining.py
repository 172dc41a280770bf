"""The pages to join: the form, "send me my link", and the page behind the link in the mail that answers.

A form carries when it was shown, signed. One that is too quick, too old or from another site's page, such as
the snippet that newsrooms embed elsewhere, is shown again, filled in, and changes nothing until its button
is pressed here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.audience.recipients import EVERYTHING
from digest.audience.signup import LAPSES, LONGEST_ADDRESS, FormError, answer, ask, check_form
from digest.audience.store import request_by_id
from digest.config.settings import Settings
from digest.errors import LimitError
from digest.feeds.pages import navigation, rendered
from digest.language.text import foreign
from digest.language.wording import OWN_NAMES, Wording, wording_for
from digest.mail.tokens import ANSWER, JOIN, Purpose, read_token, token_for
from digest.newsroom import Newsroom
from digest.store.database import Row
from digest.web.forms import MOST_FIELDS, ReaderForms, how_often, title_of

if TYPE_CHECKING:
    from jinja2 import Environment

QUICKEST, OLDEST = timedelta(seconds=2), timedelta(days=1)
"""How old a form may be: a person needs the first, and by then has forgotten the other."""
TRAP = "website"
"""A field that people do not see; programs fill it in."""
SHORTENED = {4: 24, 6: 48}
"""The bits that are kept of an address, by the version of IP."""
LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Option:
    """A box of a form. `note` says more of it; `language` is that of its text if it is not the page's."""

    value: str
    text: str
    checked: bool
    note: str = ""
    language: str = ""
    theme: str = ""


def network_of(request: Request) -> str:
    """Where a request comes from, shortened. Behind a proxy on this machine that is the last address of
    X-Forwarded-For, which the proxy added; anybody else may write what they like there."""
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


def spoken(request: Request, settings: Settings) -> Wording:
    """The wording of ?lang=, else of the first of the site's languages that the browser asks for
    (RFC 9110 §12.5.4), else of the site."""
    ranges = []
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=") or "1"
        ranges.append((-float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0, tag))
    ranges.sort(key=lambda one: one[0])  # equal ones stay in order
    wanted = [request.query_params.get("lang", ""), *(tag for _, tag in ranges)]
    codes = [one.strip().partition("-")[0].lower() for one in wanted]
    languages = settings.site.languages
    return wording_for(next((code for code in codes if code in languages), languages[0]), languages)


async def asked(forms: ReaderForms, request: Request, kind: str, address: str, **more: Any) -> str:
    """As signup.ask, without keeping others waiting for the DNS; the mail goes out at once."""
    newsroom = forms.newsroom
    await asyncio.to_thread(check_form, newsroom.settings, address, newsroom.now())
    stored = await forms.act(partial(ask, **more), kind, address, network_of(request))
    forms.wake()
    return stored


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The pages to join, as a part of the forms."""
    pages = Joining(forms)
    both = ["GET", "POST"]
    return (
        Route(JOIN, pages.join, methods=both),
        Route(f"{JOIN}link", pages.link, methods=both),
        Route(f"{ANSWER}{{token}}", pages.answer, methods=both),
    )


class Joining:
    def __init__(self, forms: ReaderForms) -> None:
        self.forms = forms

    async def join(self, request: Request) -> Response:
        if not self.forms.newsroom.settings.readers.join:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return await self._form(request, "join")

    async def link(self, request: Request) -> Response:
        return await self._form(request, "link")

    async def _form(self, request: Request, kind: str) -> Response:
        newsroom = self.forms.newsroom
        settings, wording = newsroom.settings, spoken(request, newsroom.settings)
        words, form = wording.joining, FormData()
        show = partial(self.forms.page, join_page, wording=wording, kind=kind)
        said, status = "", HTTPStatus.OK
        if request.method == "POST":
            most = MOST_FIELDS + len(settings.theme_names) + len(settings.digests)
            form = await self.forms.form(request, most=most)
            typed = _text(form, "address", LONGEST_ADDRESS)
            if _text(form, TRAP):
                return await show(sent=typed)
            said = words["check"]
            if self.forms.is_ours(request) and await self.forms.look(
                is_timely, _text(form, "form")
            ):
                try:
                    more: dict[str, Any] = {"language": wording.language}
                    if kind == "join":
                        more["wish"] = wish_of(form, settings, wording)
                    return await show(sent=await asked(self.forms, request, kind, typed, **more))
                except FormError as e:
                    said, status = words[e.key].format(**e.facts), HTTPStatus.UNPROCESSABLE_ENTITY
                except LimitError:
                    said, status = words["many"], HTTPStatus.TOO_MANY_REQUESTS
        stamp = await self.forms.look(stamp_of)
        facts = {"said": said, "form": form, "stamp": stamp, "now": newsroom.now()}
        return await show(status, {"Retry-After": "3600"} if status == 429 else None, **facts)

    async def answer(self, request: Request) -> Response:
        """The page behind the link in a mail: what its button will do, and that it was done."""
        newsroom = self.forms.newsroom
        row = await self.forms.look(request_of, request.path_params["token"])
        wording = spoken(request, newsroom.settings)
        if row is not None and request.method == "POST":
            await self.forms.form(request, own=True)
            row = await self.forms.act(answer, row["id"], network_of(request))
        if row is None:
            page = partial(self.forms.page, answer_page, HTTPStatus.NOT_FOUND)
            return await page(wording=wording, state="lapsed")
        done = request.method == "POST" or row["answered_at"] is not None
        wording = wording_for(row["wish"]["language"], newsroom.settings.site.languages)
        state = f"answer{'ed' if done else ''}_{row['kind']}"
        return await self.forms.page(answer_page, wording=wording, state=state, row=row)


def _text(form: FormData, name: str, limit: int = LONGEST_KEY) -> str:
    value = form.get(name)
    return foreign(value, limit=limit) if isinstance(value, str) else ""


def _texts(form: FormData, name: str) -> list[str]:
    return [foreign(one, limit=LONGEST_KEY) for one in form.getlist(name) if isinstance(one, str)]


def stamp_of(newsroom: Newsroom) -> str:
    """When a form is shown, signed."""
    return token_for(newsroom.token_key, int(newsroom.now().timestamp()), 0, Purpose.FORM)


def is_timely(newsroom: Newsroom, stamp: str) -> bool:
    """Whether our page was shown long enough ago for a person, and not too long ago."""
    if (found := read_token(newsroom.token_keys, stamp, Purpose.FORM)) is None:
        return False
    return (
        QUICKEST
        <= newsroom.now() - datetime.fromtimestamp(found[0], newsroom.now().tzinfo)
        <= OLDEST
    )


def request_of(newsroom: Newsroom, token: str) -> Row | None:
    """The request that a link names, unless it has lapsed."""
    if (named := read_token(newsroom.token_keys, token, Purpose.REQUEST)) is None:
        return None
    return request_by_id(newsroom.db, named.edition_id, newsroom.now() - LAPSES)


def wish_of(form: FormData, settings: Settings, wording: Wording) -> dict[str, Any]:
    """What the form chooses: all themes, or none, are everything; the page's language comes first.

    Raises:
        FormError: no digest is chosen, or something that no page of ours offers.
    """
    names = [one.name for one in settings.digests]
    digests = _texts(form, "digest") if len(names) > 1 else names
    themes, languages = _texts(form, "theme"), _texts(form, "language")
    offered = {*names}, {*settings.theme_names}, {*settings.site.languages}
    if not digests or not all(map(set.issuperset, offered, (digests, themes, languages))):
        raise FormError("no_digest")
    ordered = sorted(languages or [wording.language], key=lambda one: one != wording.language)
    ordered = [one for one in ordered if one in settings.site.languages]
    return {
        "digests": list(dict.fromkeys(digests)),
        "themes": [EVERYTHING] if {*themes} in (set(), offered[1]) else themes,
        "languages": ordered or list(settings.site.languages),
        "words": wording.joining["consent"].format(site=settings.site.title),
    }


def join_page(
    environment: "Environment",
    settings: Settings,
    wording: Wording,
    kind: str,
    *,
    sent: str | None = None,
    said: str = "",
    form: FormData | None = None,
    stamp: str = "",
    now: datetime | None = None,
) -> bytes:
    """The form of a kind ("join" or "link"), filled in as it was sent, with what is `said` of that; or,
    after it was sent, that a mail is under way to the address."""
    form = form or FormData()
    digests: list[Option] = []
    themes: list[Option] = []
    chosen = {what: _texts(form, what) for what in ("digest", "theme", "language")}
    if kind == "join" and now is not None:
        digests = [
            Option(
                one.name,
                title_of(one, wording.language),
                one.name in (chosen["digest"] or [settings.digests[0].name]),
                how_often(settings, one, wording, now),
            )
            for one in settings.digests
        ]
        themes = [
            Option(key, one.title(wording.language), key in (chosen["theme"] or [key]), theme=key)
            for key, one in settings.theme_names.items()
        ]
    languages = [
        Option(
            one,
            OWN_NAMES[one],
            one in (chosen["language"] or [wording.language]),
            language=one if one != wording.language else "",
        )
        for one in settings.site.languages
    ]
    state = kind if sent is None else "sent"
    return _page(
        environment,
        settings,
        wording,
        "web/join.html",
        state,
        sent or "",
        kind=kind,
        said=said,
        typed=_text(form, "address", LONGEST_ADDRESS),
        stamp=stamp,
        trap=TRAP,
        digests=digests,
        themes=themes,
        choices=languages,
    )


def answer_page(
    environment: "Environment",
    settings: Settings,
    wording: Wording,
    state: str,
    *,
    row: Row | None = None,
) -> bytes:
    """What the button will do for a request, that it is done, or that the link has lapsed."""
    local, _, domain = ("" if row is None else row["address"]).rpartition("@")
    return _page(
        environment,
        settings,
        wording,
        "web/answer.html",
        state,
        f"{local[:1]}…@{domain}",  # enough for its owner to know it
        lines=_chosen(settings, wording, row["wish"]) if row and state == "answer_join" else [],
        asks=state.startswith("answer_"),
    )


def _chosen(settings: Settings, wording: Wording, wish: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was wished, as far as it is still offered: each label with its values."""
    language, titles, themes = wording.language, settings.digests, settings.theme_names
    every = wish["themes"] == [EVERYTHING]
    names = [one.title(language) for key, one in themes.items() if key in wish["themes"]]
    return [
        (
            wording.joining["digests"],
            ", ".join(title_of(one, language) for one in titles if one.name in wish["digests"]),
        ),
        (wording.themes, wording.joining["all_themes"] if every else ", ".join(names)),
        (wording.languages, ", ".join(OWN_NAMES[one] for one in wish["languages"])),
    ]


def _page(
    environment: "Environment",
    settings: Settings,
    wording: Wording,
    template: str,
    state: str,
    address: str,
    **values: Any,
) -> bytes:
    """A page with the texts of its state in [joining]: STATE_title, STATE, and STATE_button if it has one."""
    root, site, words = f"{settings.feeds_url}/", settings.site, wording.joining
    language = wording.language if wording.language in site.languages else None
    around = navigation(None, language, wording, settings, root=root, inside=False)
    facts = {"site": site.title, "contact": site.contact, "address": address}
    return rendered(
        environment,
        template,
        site=site,
        wording=wording,
        root=root,
        address=around.home.href,
        navigation=around,
        title=words[f"{state}_title"].format(**facts),
        text=words[state].format(**facts),
        state=state,
        button=words.get(f"{state}_button", ""),
        consent=words["consent"].format(**facts),
        to_link=f"{settings.web.public_url or ''}{JOIN}link?lang={wording.language}",
        **values,
    )

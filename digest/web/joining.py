"""The pages to join: the form, "send me my link", and the page behind the link in the mail that answers.

A form carries when it was shown, signed. One that is too quick, too old or from another site's page, such as
the snippet that newsrooms embed elsewhere, is shown again, filled in, and changes nothing until its button
is pressed here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.audience.recipients import EVERYTHING
from digest.audience.signup import LONGEST_ADDRESS, FormError, answer, ask, check_domain, state_of
from digest.config.settings import Settings
from digest.errors import LimitError
from digest.feeds.pages import framed
from digest.language.text import foreign
from digest.language.wording import OWN_NAMES, Wording, wording_for
from digest.mail.tokens import ANSWER, JOIN, Purpose, read_token, token_for
from digest.newsroom import Newsroom
from digest.store.database import Row
from digest.web.forms import MOST_FIELDS, ReaderForms, how_often, leave_page, masked, title_of

if TYPE_CHECKING:
    from jinja2 import Environment

QUICKEST, OLDEST = timedelta(seconds=2), timedelta(days=1)
"""How old a form may be: a person needs the first, and by then has forgotten the other."""
TRAP = "website"
"""A field that people do not see; programs fill it in."""
LONGEST_KEY = 64
LATER = {"Retry-After": "3600"}
NOTHING = FormData()
LOOKUPS = asyncio.Semaphore(4)
"""Of domains at a time, so that strangers keep no thread from the service; one more is not looked up."""


@dataclass(frozen=True, slots=True)
class Option:
    """A box of a form. `note` says more of it; `language` is that of its text if it is not the page's."""

    value: str
    text: str
    checked: bool
    note: str = ""
    language: str = ""
    theme: str = ""


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
    if not LOOKUPS.locked():
        async with LOOKUPS:
            await asyncio.to_thread(check_domain, newsroom.settings, address, newsroom.now())
    stored = await forms.act(partial(ask, **more), kind, address, forms.network_of(request))
    forms.wake()
    return stored


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The pages to join, as a part of the forms."""
    pages = Joining(forms)
    both = ["GET", "POST"]
    return (
        Route(JOIN, partial(pages.form, kind="join"), methods=both),
        Route(f"{JOIN}link", partial(pages.form, kind="link"), methods=both),
        Route(f"{ANSWER}{{token}}", pages.answer, methods=both),
    )


class Joining:
    def __init__(self, forms: ReaderForms) -> None:
        self.forms = forms

    async def form(self, request: Request, kind: str) -> Response:
        """The form of a kind, "join" or "link", and what becomes of one that is sent."""
        newsroom = self.forms.newsroom
        settings, wording = newsroom.settings, spoken(request, newsroom.settings)
        if settings.web.public_url is None or (kind == "join" and not settings.readers.join):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        show = partial(self.forms.page, join_page, wording=wording, kind=kind, now=newsroom.now())
        form, status, headers = FormData(), HTTPStatus.OK, None
        said, facts = "", dict[str, object](contact=settings.site.contact)
        if request.method == "POST":
            most = MOST_FIELDS + len(settings.theme_names) + len(settings.digests)
            form = await self.forms.form(request, most=most)
            typed = _text(form, "address", LONGEST_ADDRESS)
            if _text(form, TRAP):
                return await show(sent=typed)
            said = "check"
            ours = self.forms.is_ours(request)
            if ours and await self.forms.look(is_timely, _text(form, "form")):
                try:
                    wish = wish_of(form, settings, wording) if kind == "join" else {}
                    more = {"language": wording.language, "wish": wish}
                    return await show(sent=await asked(self.forms, request, kind, typed, **more))
                except FormError as e:
                    said, facts, status = e.key, e.facts, HTTPStatus.UNPROCESSABLE_ENTITY
                except LimitError:
                    said, status, headers = "many", HTTPStatus.TOO_MANY_REQUESTS, LATER
        said = said and wording.joining[said].format(**facts)
        stamp = await self.forms.look(stamp_of)
        return await show(status, headers, said=said, form=form, stamp=stamp)

    async def answer(self, request: Request) -> Response:
        """The page behind the link in a mail: what its button will do, and that it was done."""
        newsroom = self.forms.newsroom
        token = request.path_params["token"]
        state, row, reader = await self.forms.look(state_of, token)
        if request.method == "POST" and row is not None:
            await self.forms.form(request, own=True)
            if state.startswith("answer_"):
                done = await self.forms.act(answer, row["id"], self.forms.network_of(request))
                state, row, reader = await self.forms.look(state_of, token)
                state = state if done else "lapsed"
        if state == "left":
            return await self.forms.page(leave_page, state=state, reader=reader)
        wording = spoken(request, newsroom.settings)
        if row is not None:
            wording = wording_for(row["wish"]["language"], newsroom.settings.site.languages)
        status = {"lapsed": HTTPStatus.NOT_FOUND, "refused": HTTPStatus.CONFLICT}.get(state, 200)
        return await self.forms.page(answer_page, status, wording=wording, state=state, row=row)


def _texts(form: FormData, name: str, limit: int = LONGEST_KEY) -> list[str]:
    return [foreign(one, limit=limit) for one in form.getlist(name) if isinstance(one, str)]


def _text(form: FormData, name: str, limit: int = LONGEST_KEY) -> str:
    return next(iter(_texts(form, name, limit)), "")


def stamp_of(newsroom: Newsroom) -> str:
    """When a form is shown, signed."""
    return token_for(newsroom.token_key, int(newsroom.now().timestamp()), 0, Purpose.FORM)


def is_timely(newsroom: Newsroom, stamp: str) -> bool:
    """Whether our page was shown long enough ago for a person, and not too long ago."""
    if (found := read_token(newsroom.token_keys, stamp, Purpose.FORM)) is None:
        return False
    age = newsroom.now() - datetime.fromtimestamp(found.edition_id, UTC)
    return QUICKEST <= age <= OLDEST


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
    languages.sort(key=lambda one: one != wording.language)
    return {
        "digests": list(dict.fromkeys(digests)),
        "themes": [EVERYTHING] if {*themes} in (set(), offered[1]) else themes,
        "languages": languages or [wording.language],
        "words": wording.joining["consent"].format(site=settings.site.title),
    }


def join_page(
    environment: "Environment",
    settings: Settings,
    wording: Wording,
    kind: str,
    now: datetime,
    *,
    sent: str | None = None,
    said: str = "",
    form: FormData = NOTHING,
    stamp: str = "",
) -> bytes:
    """The form of a kind ("join" or "link"), filled in as it was sent, with what is `said` of that; or,
    after it was sent, that a mail is under way to the address."""
    language, first = wording.language, [settings.digests[0].name]
    digests, themes, languages = (_texts(form, one) for one in ("digest", "theme", "language"))
    return _page(
        environment,
        settings,
        wording,
        "web/join.html",
        kind if sent is None else "sent",
        sent or "",
        kind=kind,
        said=said,
        typed=_text(form, "address", LONGEST_ADDRESS),
        stamp=stamp,
        trap=TRAP,
        digests=[
            Option(one.name, title_of(one, language), one.name in (digests or first), often)
            for one in settings.digests
            for often in [how_often(settings, one, wording, now)]
        ],
        themes=[
            Option(key, one.title(language), not themes or key in themes, theme=key)
            for key, one in settings.theme_names.items()
        ],
        choices=[
            Option(one, OWN_NAMES[one], one in (languages or [language]), language=other)
            for one in settings.site.languages
            for other in [one if one != language else ""]
        ],
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
    lines: list[tuple[str, Sequence[str]]] = []
    if row is not None and state in ("answer_join", "answer_again"):
        wish, language, names = row["wish"], wording.language, settings.theme_names
        themes = [one.title(language) for key, one in names.items() if key in wish["themes"]]
        digests = [
            title_of(one, language) for one in settings.digests if one.name in wish["digests"]
        ]
        lines = [
            (wording.joining["digests"], digests),
            (wording.themes, themes or [wording.joining["all_themes"]]),
            (wording.languages, [OWN_NAMES[one] for one in wish["languages"]]),
        ]
    address = masked(row["address"]) if row is not None else ""
    asks = state.startswith("answer_")
    return _page(
        environment, settings, wording, "web/answer.html", state, address, lines=lines, asks=asks
    )


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
    site, words = settings.site, wording.joining
    facts = {"site": site.title, "contact": site.contact, "address": address}
    return framed(
        environment,
        settings,
        wording,
        template,
        title=words[f"{state}_title"].format(**facts),
        text=words[state].format(**facts),
        state=state,
        button=words.get(f"{state}_button", ""),
        consent=words["consent"].format(**facts),
        to_link=f"{settings.web.public_url or ''}{JOIN}link?lang={wording.language}",
        **values,
    )

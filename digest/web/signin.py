"""Signing in to the desk: by a mailed link that works once, in the browser that asked for it.

The answer to a form, and its work, are the same whether or not the address is an editor's. Of links,
sessions and browsers the database has only hashes.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest.audience.signup import LONGEST_ADDRESS, FormError, check_form, letter_notice
from digest.config.settings import Settings
from digest.errors import LimitError
from digest.feeds.pages import framed
from digest.language.addresses import address_key
from digest.language.wording import Wording
from digest.mail.outgoing import Kind
from digest.mail.store import give_up, queue
from digest.mail.tokens import DESK
from digest.newsroom import Newsroom
from digest.store.database import text_from_moment
from digest.web import store
from digest.web.forms import ReaderForms
from digest.web.joining import LATER, spoken

HOUR = timedelta(hours=1)
OF_BOTH, OF_ADDRESS, IN_ALL = 3, 20, 500
"""Mails with a link within an hour: for one address from one network, and from all, so that nobody keeps an
editor out by asking; and links that are stored in all for who is no editor."""
SESSION, BROWSER = "desk", "desk-asked"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """Who works at the desk; `form` is what each of its forms carries."""

    editor: str
    hashed: str
    form: str


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The link in the mail, as a part of the forms."""
    return (Route(f"{DESK}enter/{{token}}", partial(enter, forms), methods=["GET", "POST"]),)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(newsroom: Newsroom) -> str:
    return urlsafe_b64encode(newsroom.random_bytes()).decode().rstrip("=")


def editor_of(settings: Settings, address: str) -> str:
    """The address as config.toml has it; "" if it is no editor's."""
    editors = {address_key(one): one for one in settings.desk.editors}
    return editors.get(address_key(address), "")


def secret_of(settings: Settings, request: Request, name: str) -> str:
    """The value of our cookie; "" if it is none of ours."""
    value = request.cookies.get(_cookie(settings, name), "")
    return value if _SECRET.fullmatch(value) else ""


def _cookie(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if _is_secure(settings) else name


def _is_secure(settings: Settings) -> bool:
    return (settings.web.public_url or "").startswith("https:")


def keep(
    forms: ReaderForms,
    response: Response,
    name: str,
    value: str,
    same_site: Literal["lax", "strict"] = "strict",
) -> None:
    """Let the browser keep a secret until it is closed; "" deletes it."""
    settings = forms.newsroom.settings
    response.set_cookie(
        _cookie(settings, name),
        value,
        max_age=None if value else 0,
        # "/" is what __Host- asks for.
        path="/" if _is_secure(settings) else f"{forms.prefix}{DESK}",
        secure=_is_secure(settings),
        httponly=True,
        samesite=same_site,
    )


async def session_for(forms: ReaderForms, request: Request) -> Session | None:
    secret = secret_of(forms.newsroom.settings, request, SESSION)
    return await forms.look(_session_of, secret) if secret else None


def _session_of(newsroom: Newsroom, secret: str) -> Session | None:
    settings, hashed = newsroom.settings, hash_of(secret)
    since = newsroom.now() - timedelta(hours=settings.desk.session_hours)
    row = store.open_session(newsroom.db, hashed, since)
    if row is None or not editor_of(settings, row["editor"]):
        return None
    return Session(row["editor"], hashed, form_of(secret))


def form_of(secret: str) -> str:
    """What each form carries that only a browser with this secret gets."""
    return hmac.digest(secret.encode(), b"a form of the desk", "sha256").hex()


def is_form_of(form: Mapping[str, Any], value: str) -> bool:
    return hmac.compare_digest(str(form.get("form", "")).encode(), value.encode())


async def sign_in(
    forms: ReaderForms, request: Request, form: Mapping[str, str] | None, *, ended: bool
) -> Response:
    """The form for an address, and what becomes of one that is sent; or, of a form of the desk, that the
    session has ended."""
    settings, said, status, headers = forms.newsroom.settings, "", HTTPStatus.OK, None
    wording, browser = spoken(request, settings), secret_of(settings, request, BROWSER)
    show = partial(forms.page, framed, template="web/desk_in.html", **_words(wording))
    words = {**wording.joining, **wording.desk}
    typed = (form or {}).get("address", "")[:LONGEST_ADDRESS]
    if ended:
        said, status = "ended", HTTPStatus.FORBIDDEN
    elif form is not None:
        browser = browser or new_secret(forms.newsroom)
        try:
            await forms.act(ask, typed, forms.network_of(request), browser)
        except FormError as e:
            said, status = e.key, HTTPStatus.UNPROCESSABLE_ENTITY
        except LimitError:
            said, status, headers = "many", HTTPStatus.TOO_MANY_REQUESTS, LATER
        else:
            forms.wake()
            answer = await show(state="sent", text=words["sent"])
            # Lax, as the link may be opened from a mail that is read in this browser.
            keep(forms, answer, BROWSER, browser, "lax")
            return answer
    said = said and words[said].format(address=typed, contact=settings.site.contact)
    text = words["in"].format(minutes=settings.desk.link_minutes)
    facts = {"state": "in", "text": text, "said": said, "typed": typed}
    return await show(status=status, headers=headers, **facts)


def ask(newsroom: Newsroom, address: str, network: str, browser: str) -> None:
    """Store a link for this browser, and queue its mail.

    Raises:
        FormError: this is no address.
        LimitError: too many forms came from this network.
    """
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
    address = check_form(address)
    key = hash_of(address_key(address))
    asked = store.links_asked(db, key, network, now - HOUR)
    if asked["of_network"] >= settings.readers.forms_per_network:
        raise LimitError("Too many forms came from this network within an hour.")
    editor = editor_of(settings, address)
    if not editor and asked["in_all"] >= IN_ALL:
        return
    many = asked["of_both"] >= OF_BOTH or asked["of_address"] >= OF_ADDRESS
    silent = "too many for one address" if many else "" if editor else "no editor's address"
    token = new_secret(newsroom)
    hashed, language = hash_of(token), settings.page_languages[0]
    url = f"{settings.web.public_url}{DESK}enter/{token}"
    name, minutes = f"enter.{hashed[:16]}", settings.desk.link_minutes
    notice = letter_notice(newsroom, "desk", name, address, language, url, minutes=minutes)
    row = {"hash": hashed, "editor": editor, "address": key, "network": network}
    row |= {"asked_at": text_from_moment(now), "browser": hash_of(browser)}
    with db.write():
        db.insert("desk_links", row)
        queue(db, [notice], now)
        give_up(db, [Kind.LINK], silent, now, name=notice.name if silent else "")


async def enter(forms: ReaderForms, request: Request) -> Response:
    """The page of a link, and its button."""
    settings = forms.newsroom.settings
    token, browser = request.path_params["token"], secret_of(settings, request, BROWSER)
    state, link = await forms.look(_state_of, token, browser)
    if request.method == "POST":
        if not is_form_of(await forms.form(request, own=True), form_of(browser)):
            state = "elsewhere" if state == "enter" else state
        secret = new_secret(forms.newsroom)
        if state == "enter" and await forms.act(_begin, link, secret):
            answer = RedirectResponse("../", HTTPStatus.SEE_OTHER)
            keep(forms, answer, SESSION, secret)
            keep(forms, answer, BROWSER, "", "lax")
            return answer
        state = "lapsed" if state == "enter" else state
    wording = spoken(request, settings)
    status = {"lapsed": HTTPStatus.NOT_FOUND, "elsewhere": HTTPStatus.FORBIDDEN}.get(state, 200)
    facts = {"template": "web/desk_in.html", "state": state, "text": wording.desk[state]}
    facts["form"] = form_of(browser)
    return await forms.page(framed, status, **facts, **_words(wording))


def _words(wording: Wording) -> dict[str, Any]:
    return {"wording": wording, "title": wording.desk["title"]}


def _state_of(newsroom: Newsroom, token: str, browser: str) -> tuple[str, Any]:
    """ "enter", "elsewhere" or "lapsed", and the link."""
    since = newsroom.now() - timedelta(minutes=newsroom.settings.desk.link_minutes)
    link = store.link_asked(newsroom.db, hash_of(token), since)
    if link is None or not editor_of(newsroom.settings, link["editor"]):
        return "lapsed", None
    ours = hmac.compare_digest(link["browser"], hash_of(browser))
    return ("enter" if ours else "elsewhere"), link


def _begin(newsroom: Newsroom, link: Any, secret: str) -> bool:
    db, now, editor = newsroom.db, newsroom.now(), link["editor"]
    with db.write():
        begun = store.begin_session(db, link["hash"], hash_of(secret), editor, now)
        if begun:
            store.note_act(db, now, editor, "in")
    return begun


def sign_out(newsroom: Newsroom, session: Session) -> None:
    db, now = newsroom.db, newsroom.now()
    with db.write():
        if store.end_sessions(db, now, hashed=session.hashed):
            store.note_act(db, now, session.editor, "out")

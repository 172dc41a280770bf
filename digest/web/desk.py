"""The desk: the page where editors decide. Each button is the verb of a command, by the editor's address, and is
logged in the same write.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from email import message_from_bytes, policy
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from digest.audience.evidence import decide
from digest.editions.compose import Expected, segments
from digest.editions.deliveries import queue_refused
from digest.editions.drafts import Edit, approve, draft_of, edit_draft
from digest.editions.preview import preview_segments
from digest.errors import DigestError, NotFoundError, NotReadyError, StoreError
from digest.feeds.pages import framed
from digest.language.text import foreign
from digest.mail.tokens import DESK
from digest.model import Verdict
from digest.newsroom import Newsroom
from digest.sources import decisions
from digest.sources.store import accept_letter
from digest.stories import linking
from digest.themes.filing import rule, take_back
from digest.web import signin, store
from digest.web.cases import lines_of, values_of, words_mark
from digest.web.forms import ReaderForms
from digest.web.joining import spoken
from digest.web.signin import Session

LARGEST, MOST_FIELDS = 65_536, 40
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'none'; sandbox"
Fields = Mapping[str, str]


def desk_forms(newsroom: Newsroom, wake: Callable[..., None]) -> ReaderForms:
    """The desk of a newsroom that has editors; what takes time there keeps no reader waiting."""
    parts = [routes, signin.routes]
    return ReaderForms(newsroom, parts=parts, wake=wake, places=(DESK,), largest=LARGEST)


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The page and the mails of drafts, as a part of the forms."""
    to_desk = RedirectResponse(f"{forms.prefix}{DESK}", HTTPStatus.PERMANENT_REDIRECT)
    return (
        Route(DESK.rstrip("/"), lambda _: to_desk),
        Route(DESK, partial(page, forms), methods=["GET", "POST"]),
        Route(f"{DESK}mail/{{edition_id:int}}/{{nth:int}}", partial(mail, forms)),
    )


async def page(forms: ReaderForms, request: Request) -> Response:
    """The page, and each of its forms: what was done is said after a redirect to the page."""
    session, form, fields = await signin.session_for(forms, request), None, dict[str, str]()
    if request.method == "POST":
        form = await forms.form(request, own=True, most=MOST_FIELDS)
        fields = {
            name: foreign(value, lines=True, limit=None)
            for name, value in form.items()
            if isinstance(value, str)
        }
    if session is None:
        sent = None if form is None else fields
        return await signin.sign_in(forms, request, sent, ended="act" in fields)
    error, status, wording = "", HTTPStatus.OK, spoken(request, forms.newsroom.settings)
    if form is not None:
        if not hmac.compare_digest(fields.get("form", "").encode(), session.form.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        try:
            return await _answer(forms, session, fields, wording.language)
        except StoreError:
            raise
        except DigestError as e:  # what the command would say
            error, status = str(e), HTTPStatus.CONFLICT
    said = "said" in request.query_params
    values = await forms.look(values_of, session, wording, said, fields)
    return await forms.page(framed, status, template="web/desk.html", error=error, **values)


async def _answer(forms: ReaderForms, session: Session, fields: Fields, language: str) -> Response:
    name, _, value = fields.get("act", "").partition(":")
    if name == "out":
        await forms.act(signin.sign_out, session)
        answer = RedirectResponse("./", HTTPStatus.SEE_OTHER)
        signin.keep(forms, answer, signin.SESSION, "")
        return answer
    if name not in ACTS:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    await forms.act(_do, session, name, value or fields.get("theme", ""), fields)
    forms.wake("send" if name in ("approve", "discard") else "read")
    return RedirectResponse(f"?said&lang={language}", HTTPStatus.SEE_OTHER)


async def mail(forms: ReaderForms, request: Request) -> Response:
    """A mail of a draft as it would be sent, as a page that may do nothing; without either, the desk."""
    try:
        if await signin.session_for(forms, request) is None:
            raise NotFoundError("nobody is signed in")
        body = await forms.look(_mail, *request.path_params.values())
    except (NotFoundError, NotReadyError, IndexError):
        return RedirectResponse(f"{forms.prefix}{DESK}", HTTPStatus.SEE_OTHER)
    return HTMLResponse(body, headers={"content-security-policy": MAIL_POLICY})


def _mail(newsroom: Newsroom, edition_id: int, nth: int) -> str:
    digest, edition = draft_of(newsroom, edition_id)
    wanted = segments(newsroom, digest, edition.window)
    one = [wanted[nth]] if nth or wanted else []
    [shown] = preview_segments(newsroom, digest, edition, one, newsroom.now())
    body = message_from_bytes(shown.message, policy=policy.default).get_body(("html",))
    return "" if body is None else str(body.get_content())


class Act(NamedTuple):
    """What an editor does: about which article, edition, letter or bounce, with the value of the button."""

    newsroom: Newsroom
    editor: str
    about: int
    value: str
    fields: Fields

    @property
    def number(self) -> int:
        digits = self.value.partition("-")[0][:18]
        return int(digits) if digits.isdecimal() else 0


def _do(newsroom: Newsroom, session: Session, name: str, value: str, fields: Fields) -> None:
    """One of ACTS; it is logged within its write, if that changes anything.

    Raises:
        DigestError: what its command would say.
    """
    db, now = newsroom.db, newsroom.now()
    about = Act(newsroom, session.editor, 0, fields.get("about", ""), fields).number
    verb, what = ACTS[name]
    text = what.format(about=about, value=foreign(value, limit=80))

    def note() -> None:
        store.note_act(db, now, session.editor, name, text, about)
        store.use_session(db, session.hashed, now)

    db.along = note
    verb(Act(newsroom, session.editor, about, value, fields))
    if db.along is not None:
        raise NotReadyError("Nothing was changed: somebody has decided this already.")


def _file(act: Act, verdict: Verdict) -> None:
    every = verdict is Verdict.REMOVE and not act.value
    keys = act.newsroom.settings.theme_keys if every else [act.value]
    words = dict.fromkeys(keys, verdict)
    rule(act.newsroom, act.about, words, by=act.editor, moment=act.newsroom.now())


def _link(act: Act, verb: Callable[..., object]) -> None:
    db, pair = act.newsroom.db, [act.about, *filter(None, [act.number])]
    by = {} if verb is linking.take_back else {"by": act.editor}
    ranks = [source.name for source in act.newsroom.settings.sources]
    with db.write():
        of = pair if verb is linking.join_articles else act.about
        verb(db, of, moment=act.newsroom.now(), ranks=ranks, **by)


def _decide(act: Act, confirm: bool) -> None:
    db, now = act.newsroom.db, act.newsroom.now()
    with db.write():
        queue_refused(db, decide(db, confirm, now, ids=[act.about]).refused, now)


def _accept(act: Act) -> None:
    with act.newsroom.db.write():
        accept_letter(act.newsroom.db, act.about)


def _edit(act: Act, **change: Any) -> None:
    edit_draft(act.newsroom, act.about, Edit(**change), act.editor)


def _save(act: Act) -> None:
    """Store the words of a draft, if they are still those that the editor saw."""
    hand = draft_of(act.newsroom, act.about)[1].hand
    if act.fields.get("seen") != words_mark(hand):
        stored = " / ".join([*hand.introduction.values(), *hand.subject.values()])
        raise NotReadyError(
            f"Somebody has changed these words meanwhile, to “{stored}”. Yours are still in the form, and "
            "nothing was saved. Save again to replace theirs."
        )
    named = [(*name.partition("-"), text) for name, text in act.fields.items()]
    words = ("introduction", "subject")
    texts = {key: tuple((code, text) for of, _, code, text in named if of == key) for key in words}
    _edit(act, **texts)


def _up(act: Act) -> None:
    """Move an article before the one above it in its theme, as a mail in the language of the button has
    them; the first one opens the mail."""
    digest, draft = draft_of(act.newsroom, act.about)
    code = act.value.partition("-")[2]
    for _, lines in lines_of(act.newsroom.settings, digest, draft, code):
        ids = [line.id for line in lines]
        if act.number in ids and (at := ids.index(act.number)):
            others = [one for one in draft.hand.order if one not in ids]
            later = [one for one in ids[at + 1 :] if one in draft.hand.order]
            _edit(act, order=(*others, *ids[: at - 1], ids[at], ids[at - 1], *later))
            return
    _edit(act, lead=act.number)


_ADD, _REMOVE = partial(_file, verdict=Verdict.ADD), partial(_file, verdict=Verdict.REMOVE)
_WITHDRAW, _RELEASE = decisions.withdraw, decisions.release
ACTS: dict[str, tuple[Callable[[Act], object], str]] = {
    "keep": (_ADD, "article {about} is under {value}"),
    "not": (_REMOVE, "article {about} is not under {value}"),
    "other": (_REMOVE, "article {about} has no theme"),
    "clear": (lambda act: take_back(act.newsroom, act.about), "themes of article {about} are the classifier’s"),
    "join": (partial(_link, verb=linking.join_articles), "articles {about} and {value} are one story"),
    "split": (partial(_link, verb=linking.split_article), "article {about} is a story of its own"),
    "unlink": (partial(_link, verb=linking.take_back), "the story of article {about} is by likeness"),
    "withdraw": (lambda act: _WITHDRAW(act.newsroom, act.about, by=act.editor), "article {about} is withdrawn"),
    "readmit": (lambda act: _WITHDRAW(act.newsroom, act.about, by=act.editor, keep=True), "article {about} stays"),
    "release": (lambda act: _RELEASE(act.newsroom, act.about, by=act.editor), "article {about} is released"),
    "accept": (_accept, "letter {about} becomes an article"),
    "confirm": (partial(_decide, confirm=True), "bounce {about} is confirmed"),
    "discard": (partial(_decide, confirm=False), "bounce {about} is discarded"),
    "save": (_save, "edition {about} has other words"),
    "up": (_up, "edition {about}: article {value} was moved up"),
    "lead": (lambda act: _edit(act, lead=0), "edition {about}: the lead is ours again"),
    "drop": (lambda act: _edit(act, drop=(act.number,)), "edition {about}: article {value} is left out"),
    "postpone": (lambda act: _edit(act, postpone=(act.number,)), "edition {about}: article {value} is postponed"),
    "restore": (lambda act: _edit(act, restore=(act.number,)), "edition {about}: article {value} is back"),
    "approve": (
        lambda act: approve(act.newsroom, act.about, Expected.parse(act.value), act.editor),
        "edition {about} is approved as {value}",
    ),
}  # fmt: skip
"""Each act of the page: its verb, and what the log says of it."""

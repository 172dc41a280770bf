"""The desk: the page where editors decide. Each button is the verb of a command, by the editor's address, and is
logged in the same write.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import partial
from http import HTTPStatus
from typing import Any

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
from digest.sources.store import accept_letter, open_proposals
from digest.store.articles import find_article
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
        if not signin.is_form_of(fields, session.form):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        try:
            return await _answer(forms, session, fields, wording.language)
        except StoreError:
            raise
        except DigestError as e:
            said = wording.desk.get(f"no_{e.key}", wording.desk["no"])
            error, status = said.format(**e.facts), HTTPStatus.CONFLICT
    done = "said" in request.query_params
    values = await forms.look(values_of, session, wording, done, fields)
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


@dataclass(slots=True)
class Act:
    """What an editor does: about which article, edition, letter or bounce, with the value of the button,
    which is logged.
    """

    newsroom: Newsroom
    editor: str
    about: int
    value: str
    fields: Fields

    @property
    def number(self) -> int:
        return _number(self.value)


def _number(text: str) -> int:
    """0 if it is none of ASCII digits."""
    return int(text[:18]) if text.isascii() and text.isdecimal() else 0


def _do(newsroom: Newsroom, session: Session, name: str, value: str, fields: Fields) -> None:
    """One of ACTS; it is logged within its write, if that changes anything.

    Raises:
        DigestError: what its command would say; where it has a `key`, the page has words for it.
    """
    db, now = newsroom.db, newsroom.now()
    about = _number(fields.get("about", ""))
    act = Act(newsroom, session.editor, about, foreign(value, limit=80), fields)

    def note() -> None:
        store.note_act(db, now, session.editor, name, act.value, about)
        store.use_session(db, session.hashed, now)

    db.along = note
    ACTS[name](act)
    if db.along is not None:
        raise NotReadyError("Nothing was changed.")


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


def _withdraw(act: Act, keep: bool = False, undo: bool = False) -> None:
    """Only what somebody asks for, or to take back what was done."""
    db = act.newsroom.db
    asked = any(act.about in one["named"] for one in open_proposals(db, act.about))
    gone = undo and find_article(db, act.about).withdrawn_at is not None
    if gone or (asked and not undo):
        facts = {"by": act.editor, "why": act.fields.get("reason", "")}
        decisions.withdraw(act.newsroom, act.about, keep=keep or undo, undo=undo, **facts)


def _release(act: Act) -> None:
    if act.about in store.cases(act.newsroom.db, "held", act.newsroom.now()):
        decisions.release(act.newsroom, act.about, by=act.editor)


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
    before = {"introduction": hand.introduction, "subject": hand.subject}
    if act.fields.get("seen") != words_mark(hand):
        stored = " / ".join(text for texts in before.values() for text in texts.values())
        raise NotReadyError("somebody has changed these words", "taken", stored=stored)
    changed = [
        (of, code, text)
        for of, _, code, text in ((*name.partition("-"), text) for name, text in act.fields.items())
        if of in before and text.strip() != before[of].get(code, "")
    ]
    if not changed:
        raise NotReadyError("these words are stored already", "same")
    act.value = " ".join(f"{of}-{code}" for of, code, _ in changed)
    _edit(act, **{key: tuple(one[1:] for one in changed if one[0] == key) for key in before})


def _up(act: Act) -> None:
    """Move an article before the one above it in its theme, as a mail in the language of the button has
    them; the first one opens the mail."""
    digest, draft = draft_of(act.newsroom, act.about)
    act.value, _, code = act.value.partition("-")
    for _, lines in lines_of(act.newsroom.settings, digest, draft, code):
        ids = [line.id for line in lines]
        if act.number in ids and (at := ids.index(act.number)):
            others = [one for one in draft.hand.order if one not in ids]
            later = [one for one in ids[at + 1 :] if one in draft.hand.order]
            _edit(act, order=(*others, *ids[: at - 1], ids[at], ids[at - 1], *later))
            return
    _edit(act, lead=act.number)


_ADD, _REMOVE = partial(_file, verdict=Verdict.ADD), partial(_file, verdict=Verdict.REMOVE)
ACTS: dict[str, Callable[[Act], object]] = {
    "keep": _ADD,
    "add": _ADD,
    "not": _REMOVE,
    "other": _REMOVE,
    "clear": lambda act: take_back(act.newsroom, act.about),
    "join": partial(_link, verb=linking.join_articles),
    "split": partial(_link, verb=linking.split_article),
    "unlink": partial(_link, verb=linking.take_back),
    "withdraw": _withdraw,
    "readmit": partial(_withdraw, keep=True),
    "undo": partial(_withdraw, undo=True),
    "release": _release,
    "accept": _accept,
    "confirm": partial(_decide, confirm=True),
    "discard": partial(_decide, confirm=False),
    "save": _save,
    "up": _up,
    "lead": lambda act: _edit(act, lead=0),
    "drop": lambda act: _edit(act, drop=(act.number,)),
    "postpone": lambda act: _edit(act, postpone=(act.number,)),
    "restore": lambda act: _edit(act, restore=(act.number,)),
    "approve": lambda act: approve(act.newsroom, act.about, Expected.parse(act.value), act.editor),
}
"""Each act of the page with its verb; `did_` and its name is the sentence of [desk] that says it was done."""

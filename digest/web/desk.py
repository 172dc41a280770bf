"""The desk: the page where editors decide. Each button is the verb of a command, by the editor's address, and is
logged in the same write.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from digest.audience.evidence import decide, in_words, list_returns, open_brakes, waiting
from digest.config.urls import article_page
from digest.editions.compose import Expected, approve_by, segments
from digest.editions.deliveries import queue_refused
from digest.editions.drafts import LONGEST_NOTE, Edit, approve, draft_of, edit_draft
from digest.editions.preview import everything, preview_segments
from digest.editions.ranks import rank
from digest.editions.selection import lay_out
from digest.editions.store import draft_row, drafts
from digest.errors import DigestError, NotFoundError, NotReadyError, StoreError
from digest.feeds.pages import framed
from digest.language.text import foreign
from digest.language.wording import Wording
from digest.mail import messages
from digest.mail.tokens import DESK
from digest.model import NEVER, UNSURE, Article, Edition, Hit, Layout, Verdict
from digest.newsroom import Newsroom
from digest.sources import decisions
from digest.sources.store import (
    accept_letter,
    news_since,
    open_proposals,
    poll_rows,
    quiet_since,
    waiting_letters,
)
from digest.store.articles import articles_by_id
from digest.store.database import moment_from_text
from digest.stories import linking
from digest.stories.likeness import LINKED
from digest.themes.filing import rule, scores_of, take_back
from digest.themes.lexicon import lexicon_of
from digest.web import signin, store
from digest.web.forms import ReaderForms, masked, title_of
from digest.web.joining import spoken
from digest.web.signin import Session

SHOWN = 20
"""Of each kind at most; the others are counted."""
LATELY, WEEK = timedelta(days=14), timedelta(days=7)
COMPARED, NEAR, SURE = 20, 0.4, 0.65
"""How many of the newest articles are compared with what is near them; from which score two of them may be about
one event; and below which a link that was made is shown."""
LARGEST, MOST_FIELDS = 65_536, 40
MAIL_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'none'; sandbox"
Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """What an editor may decide. `buttons` are acts with their texts; `ask` is our question, `why` what the
    copy has for it, in English where `foreign`; `other` is another headline with its language. Where `adds`, a theme can be chosen."""

    title: str
    ask: str = ""
    why: str = ""
    language: str = ""
    ours: bool = False
    href: str = ""
    theme: str = ""
    foreign: bool = False
    other: tuple[str, str] = ("", "")
    about: int = 0
    buttons: tuple[tuple[str, str], ...] = ()
    adds: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Cases of one kind, how many there are, and the command that shows all."""

    title: str
    cases: tuple[Case, ...]
    total: int
    command: str


class Line(NamedTuple):
    """An article in a draft; `rank` is 1, 2 or 3; whether it can be moved `up`."""

    id: int
    title: str
    language: str
    ours: bool
    rank: int
    up: bool


class Version(NamedTuple):
    """A draft in one language: its sections (theme, title, lines)."""

    code: str
    language: str
    introduction: str
    subject: str
    sections: tuple[tuple[str, str, tuple[Line, ...]], ...]


class Draft(NamedTuple):
    id: int
    title: str
    key: str
    hash: str
    seen: str
    lead: int | None
    versions: tuple[Version, ...]
    left_out: tuple[tuple[Line, bool], ...]
    mails: tuple[str, ...]


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The desk, as a part of the forms."""
    desk = Desk(forms)
    return (
        Route(DESK.rstrip("/"), desk.slash),
        Route(DESK, desk.page, methods=["GET", "POST"]),
        Route(f"{DESK}mail/{{edition_id:int}}/{{nth:int}}", desk.mail),
    )


def desk_forms(newsroom: Newsroom, wake: Callable[..., None]) -> ReaderForms:
    """The desk of a newsroom that has editors; what takes time there keeps no reader waiting."""
    parts = [routes, signin.routes]
    return ReaderForms(newsroom, parts=parts, wake=wake, places=(DESK,), largest=LARGEST)


class Desk:
    def __init__(self, forms: ReaderForms) -> None:
        self.forms = forms

    async def slash(self, _: Request) -> Response:
        return RedirectResponse(f"{self.forms.prefix}{DESK}", HTTPStatus.PERMANENT_REDIRECT)

    async def page(self, request: Request) -> Response:
        """The page, and each of its forms: what was done is said after a redirect to the page."""
        session = await signin.session_for(self.forms, request)
        form = None
        if request.method == "POST":
            form = await self.forms.form(request, own=True, most=MOST_FIELDS)
        if session is None:
            if form is not None and "act" in form:
                return await signin.sign_in(self.forms, request, form, "ended", 403)
            return await signin.sign_in(self.forms, request, form)
        error, status, fields = "", HTTPStatus.OK, {}
        if form is not None:
            if not hmac.compare_digest(str(form.get("form", "")).encode(), session.form.encode()):
                raise HTTPException(HTTPStatus.FORBIDDEN)
            fields = {
                name: foreign(value, lines=True, limit=None)
                for name, value in form.items()
                if isinstance(value, str)
            }
            try:
                return await self._act(session, fields)
            except StoreError:
                raise
            except DigestError as e:  # what the verb says to whom runs its command
                error, status = str(e), HTTPStatus.CONFLICT
        wording = spoken(request, self.forms.newsroom.settings)
        said = "said" in request.query_params
        values = await self.forms.look(values_of, session, wording, said, fields)
        return await self.forms.page(
            framed, status, template="web/desk.html", error=error, **values
        )

    async def _act(self, session: Session, fields: Fields) -> Response:
        name, _, value = fields.get("act", "").partition(":")
        if name == "out":
            await self.forms.act(_sign_out, session)
            answer = RedirectResponse("./", HTTPStatus.SEE_OTHER)
            signin.keep(self.forms, answer, signin.SESSION, "")
            return answer
        if name not in ACTS:
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        await self.forms.act(_do, session, name, value, fields)
        self.forms.wake("send" if name in ("approve", "discard") else "read")
        return RedirectResponse("?said", HTTPStatus.SEE_OTHER)

    async def mail(self, request: Request) -> Response:
        """A mail of a draft as it would be sent, as a page that may do nothing."""
        if await signin.session_for(self.forms, request) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        names = request.path_params
        try:
            body = await self.forms.look(_mail, names["edition_id"], names["nth"])
        except (NotFoundError, NotReadyError, IndexError):
            raise HTTPException(HTTPStatus.NOT_FOUND) from None
        return HTMLResponse(body, headers={"content-security-policy": MAIL_POLICY.decode()})


def _mail(newsroom: Newsroom, edition_id: int, nth: int) -> str:
    digest, edition = draft_of(newsroom, edition_id)
    wanted = segments(newsroom, digest, edition.window)
    one = [wanted[nth]] if nth or wanted else []
    [shown] = preview_segments(newsroom, digest, edition, one, newsroom.now())
    body = message_from_bytes(shown.message, policy=policy.default).get_body(("html",))
    return "" if body is None else str(body.get_content())


def _sign_out(newsroom: Newsroom, session: Session) -> None:
    db, now = newsroom.db, newsroom.now()
    with db.write():
        if store.end_sessions(db, now, hashed=session.hashed):
            store.note_act(db, now, session.editor, "out", "signed out")


class Done(NamedTuple):
    """One act: by whom, what it names, and the fields of its form."""

    newsroom: Newsroom
    editor: str
    value: str
    about: int
    fields: Fields

    @property
    def ranks(self) -> list[str]:
        return [source.name for source in self.newsroom.settings.sources]

    @property
    def by(self) -> dict[str, Any]:
        return {"by": self.editor, "moment": self.newsroom.now()}


def _do(newsroom: Newsroom, session: Session, name: str, value: str, fields: Fields) -> None:
    """One of ACTS; it is logged within its write, if that changes anything.

    Raises:
        DigestError: what its command would say.
    """
    db, now = newsroom.db, newsroom.now()
    number = fields.get("about", "")[:18]
    about = int(number) if number.isdecimal() and number.isascii() else 0
    value = value or fields.get("theme", "")
    verb, what = ACTS[name]
    text = what.format(about=about, value=foreign(value, limit=80))

    def note() -> None:
        store.note_act(db, now, session.editor, name, text, about)
        store.use_session(db, session.hashed, now)

    db.along = note
    verb(Done(newsroom, session.editor, value, about, fields))
    if db.along is not None:
        raise NotReadyError("Nothing was changed: somebody has decided this already.")


def _file(done: Done, verdict: Verdict) -> None:
    rule(done.newsroom, done.about, {done.value: verdict}, **done.by)


def _no_theme(done: Done) -> None:
    words = dict.fromkeys(done.newsroom.settings.theme_keys, Verdict.REMOVE)
    rule(done.newsroom, done.about, words, **done.by)


def _link(done: Done, verb: Callable[..., object]) -> None:
    """A verb of stories.linking on an article, or on it and another."""
    db = done.newsroom.db
    by = {} if verb is linking.take_back else {"by": done.editor}
    with db.write():
        ids = [done.about, *(int(one) for one in (done.value[:18],) if one.isdecimal())]
        what = ids if verb is linking.join_articles else done.about
        verb(db, what, moment=done.newsroom.now(), ranks=done.ranks, **by)


def _withdraw(done: Done, *, keep: bool) -> None:
    decisions.withdraw(done.newsroom, done.about, by=done.editor, keep=keep)


def _decide(done: Done, *, confirm: bool) -> None:
    db, now = done.newsroom.db, done.newsroom.now()
    with db.write():
        queue_refused(db, decide(db, confirm, now, ids=[done.about]).refused, now)


def _accept(done: Done) -> None:
    with done.newsroom.db.write():
        accept_letter(done.newsroom.db, done.about)


def _save(done: Done) -> None:
    """Store the words of a draft, if they are still those that the editor saw."""
    newsroom, fields = done.newsroom, done.fields
    row = draft_row(newsroom.db, done.about)
    _, draft = draft_of(newsroom, done.about)
    if fields.get("seen") != _seen(draft):
        stored = " / ".join([*draft.hand.introduction.values(), *draft.hand.subject.values()])
        raise NotReadyError(
            f"{(row or {}).get('edited_by')} has changed these words meanwhile, to “{stored}”. Yours are still "
            "in the form, and nothing was saved. Save again to replace theirs."
        )
    texts: dict[str, Any] = {
        part: tuple(
            (name.removeprefix(f"{part}-"), value)
            for name, value in fields.items()
            if name.startswith(f"{part}-")
        )
        for part in ("introduction", "subject")
    }
    edit_draft(newsroom, done.about, Edit(**texts), done.editor)


def _place(done: Done, key: str) -> None:
    """Lead with an article, leave it out, or take that back."""
    ids = int(done.value[:18]) if done.value.isdecimal() else 0
    change: dict[str, Any] = {key: ids if key == "lead" else (ids,)}
    edit = Edit(**change)
    edit_draft(done.newsroom, done.about, edit, done.editor)


def _up(done: Done) -> None:
    """Move an article before the one above it in its theme, as a mail in this language has them; the first
    one opens the mail."""
    number, _, code = done.value.partition("-")
    digest, draft = draft_of(done.newsroom, done.about)
    choice = everything(done.newsroom.settings, digest, code)
    layout = lay_out(draft.placements, choice, per_theme=digest.per_theme, hand=draft.hand)
    for _, lines in _sections(draft, layout):
        ids = [line.id for line in lines]
        if (at := [str(one) for one in ids].index(number) if number in map(str, ids) else -1) < 0:
            continue
        if at == 0:
            edit = Edit(lead=ids[at])
        else:
            others = tuple(one for one in draft.hand.order if one not in ids)
            later = [one for one in ids[at + 1 :] if one in draft.hand.order]
            edit = Edit(order=(*others, *ids[: at - 1], ids[at], ids[at - 1], *later))
        edit_draft(done.newsroom, done.about, edit, done.editor)
        return
    raise NotFoundError(f"article {number} is not in edition {done.about}. Nothing was changed.")


ACTS: dict[str, tuple[Callable[[Done], object], str]] = {
    "keep": (partial(_file, verdict=Verdict.ADD), "article {about} is under {value}"),
    "add": (partial(_file, verdict=Verdict.ADD), "article {about} is under {value}"),
    "not": (partial(_file, verdict=Verdict.REMOVE), "article {about} is not under {value}"),
    "other": (_no_theme, "article {about} has no theme"),
    "clear": (
        lambda done: take_back(done.newsroom, done.about),
        "the themes of article {about} are the classifier’s again",
    ),
    "join": (
        partial(_link, verb=linking.join_articles),
        "articles {about} and {value} are one story",
    ),
    "split": (partial(_link, verb=linking.split_article), "article {about} is a story of its own"),
    "unlink": (
        partial(_link, verb=linking.take_back),
        "the story of article {about} is that of its likeness again",
    ),
    "withdraw": (partial(_withdraw, keep=False), "article {about} is withdrawn"),
    "readmit": (partial(_withdraw, keep=True), "article {about} stays published"),
    "release": (
        lambda done: decisions.release(done.newsroom, done.about, by=done.editor),
        "the embargo of article {about} is over",
    ),
    "accept": (_accept, "letter {about} becomes an article"),
    "confirm": (partial(_decide, confirm=True), "bounce {about} is confirmed"),
    "discard": (partial(_decide, confirm=False), "bounce {about} is discarded"),
    "save": (_save, "the words of edition {about} were changed"),
    "up": (_up, "edition {about}: article {value} was moved up"),
    "lead": (partial(_place, key="lead"), "edition {about}: the lead is ours again"),
    "drop": (partial(_place, key="drop"), "edition {about}: article {value} is left out"),
    "postpone": (partial(_place, key="postpone"), "edition {about}: article {value} is postponed"),
    "restore": (partial(_place, key="restore"), "edition {about}: article {value} is back"),
    "approve": (
        lambda done: approve(done.newsroom, done.about, Expected.parse(done.value), done.editor),
        "edition {about} is approved as {value}",
    ),
}
"""Each act of the page: its verb, and what the log says of it."""
UNDONE_BY = {
    **dict.fromkeys(("keep", "add", "not", "other"), "clear"),
    **dict.fromkeys(("join", "split"), "unlink"),
    "withdraw": "readmit",
}


def _seen(draft: Edition) -> str:
    """What tells whether the words of a draft have changed."""
    return signin.hash_of(repr((draft.hand.introduction, draft.hand.subject)))[:16]


def _sections(draft: Edition, layout: Layout) -> list[tuple[str, list[Line]]]:
    """The articles that a mail shows, in its order, by theme; what leads all of it comes first alone."""
    placed = {one.article.id: one.article for part in layout.sections for one in part.shown}
    theme = {one.article.id: part.theme for part in layout.sections for one in part.shown}
    sections: list[tuple[str, list[Line]]] = []
    for number, ranked in rank(draft, layout).items():
        article, leads = placed[number], ranked.rank == 1
        key = "" if leads else theme[number]
        foreign_one = article.language != layout.choice.language
        if not sections or sections[-1][0] != key:
            sections.append((key, []))
        before = sections[-1][1]
        up = not leads and (
            not foreign_one or bool(before and before[-1].language == article.language)
        )
        line = Line(number, article.title, article.language, article.title_made, ranked.rank, up)
        sections[-1][1].append(line)
    return sections


class View:
    """What the page shows of one snapshot of the newsroom, in a wording."""

    def __init__(self, newsroom: Newsroom, wording: Wording) -> None:
        self.newsroom, self.wording, self.words = newsroom, wording, wording.desk
        self.db, self.settings, self.now = newsroom.db, newsroom.settings, newsroom.now()
        self.since = self.now - LATELY
        self.zone = ZoneInfo(self.settings.site.time_zone)

    def at(self, moment: datetime | str) -> str:
        at = moment_from_text(moment) if isinstance(moment, str) else moment
        local = at.astimezone(self.zone)
        return f"{self.wording.day(local.date())}, {local:%-H:%M}"

    def say(self, key: str, **facts: object) -> str:
        return self.words[key].format(**facts)

    def number(self, value: float) -> str:
        return f"{value:.2f}".replace(".", "," if self.wording.language == "ru" else ".")

    def case(self, article: Article, **more: Any) -> Case:
        """A case about an article. One that readers may not see yet has no page."""
        open_now = article.opens_at is None or article.opens_at <= self.now
        return Case(
            article.title,
            language=article.language if article.language != self.wording.language else "",
            ours=article.title_made,
            href=article_page(self.settings, article) if open_now else "",
            **{"about": article.id, **more},
        )

    def part(self, key: str, command: str, ids: Sequence[Any], cases: Iterable[Case]) -> Part:
        return Part(self.words[key], tuple(cases), len(ids), command)

    def articles(self, ids: Sequence[int]) -> dict[int, Article]:
        return {one.id: one for one in articles_by_id(self.db, ids)}

    def title(self, theme: str) -> str:
        return self.settings.theme_name(theme).title(self.wording.language)

    def quoted(self, article: Article) -> tuple[str, str]:
        return self.say("quoted", text=article.title), article.language

    def terms(self, hits: Iterable[Hit]) -> str:
        """The words of the copy that counted, the heaviest first."""
        heaviest = sorted(hits, key=lambda hit: -hit.weight)
        forms = dict.fromkeys(hit.form for hit in heaviest if hit.weight > 0)
        return ", ".join(self.say("quoted", text=one) for one in list(forms)[:4])

    def themes(self) -> Part:
        ids = store.to_decide(self.db, self.since, UNSURE)
        return self.part("decide", "digest articles list", ids, self._themes(ids[:SHOWN]))

    def _themes(self, ids: Sequence[int]) -> Iterable[Case]:
        lexicon = lexicon_of(self.settings.themes)
        for article in articles_by_id(self.db, ids):
            for match in (one for one in article.matches if one.unsure):
                title, least = self.title(match.theme), match.threshold
                why = self.say(
                    "unsure",
                    score=self.number(match.score),
                    terms=self.terms(match.hits),
                    least=self.number(least),
                    sure=self.number(least * UNSURE),
                )
                buttons = (
                    (f"keep:{match.theme}", self.words["keep"]),
                    (f"not:{match.theme}", self.say("not", theme=title)),
                )
                yield self.case(
                    article, ask=f"{title}?", why=why, theme=match.theme, buttons=buttons
                )
            if not article.matches:
                scores = scores_of(lexicon, article)
                near = max(scores, key=lambda one: one.score / one.threshold, default=None)
                why = self.words["nothing_near"]
                if near is not None and near.score > 0:
                    why = self.say(
                        "near",
                        theme=self.title(near.theme),
                        score=self.number(near.score),
                        least=self.number(near.threshold),
                        terms=self.terms(near.hits),
                    )
                leaves = (("other", self.title("other")),)
                yield self.case(
                    article, ask=self.words["no_theme"], why=why, buttons=leaves, adds=True
                )

    def stories(self) -> Part:
        links = store.fresh_links(self.db, self.since, SURE)
        shown = links[:SHOWN]
        ids = [one[key] for one in shown for key in ("article_id", "other_id")]
        known = self.articles(ids)
        cases = [
            self.case(
                known[one["other_id"]],
                ask=self.words["same"],
                other=self.quoted(known[one["article_id"]]),
                why=self._reasons(one["score"], one["reasons"]),
                foreign=True,
                buttons=((f"join:{one['article_id']}", self.words["together"]), ("split", self.words["split"])),
            )
            for one in shown
        ]  # fmt: skip
        near = list(self._near())
        known = self.articles([one for pair in near for one in (pair.article_id, pair.other_id)])
        cases += [
            self.case(
                known[pair.article_id],
                ask=self.words["perhaps"],
                other=self.quoted(known[pair.other_id]),
                why=self._reasons(pair.comparison.score, pair.comparison.reasons),
                foreign=True,
                buttons=((f"join:{pair.other_id}", self.words["join"]),),
            )
            for pair in near
        ]
        return self.part("stories", "digest stories list", [*links, *near], cases)

    def _reasons(self, score: float, reasons: Sequence[str]) -> str:
        return f"{score:.2f} of {LINKED:.2f} needed: {'; '.join(reasons)}."

    def _near(self) -> Iterable[linking.Pair]:
        """The newest articles with what is nearly alike enough, each two of them once."""
        seen: set[frozenset[int]] = set()
        for number in store.recent_ids(self.db, self.since, COMPARED):
            for pair in linking.explain_article(self.db, number):
                ids = frozenset((pair.article_id, pair.other_id))
                fits = NEAR <= pair.comparison.score < LINKED and not pair.same_story
                if fits and pair.correction is None and ids not in seen and len(seen) < SHOWN:
                    seen.add(ids)
                    yield pair

    def asked(self) -> Part:
        """Kills and corrections, letters of senders that are not listed."""
        rows, letters = open_proposals(self.db), waiting_letters(self.db)
        known = self.articles([one["named"][0] for one in rows[:SHOWN] if one["named"]])
        cases = []
        for one in rows[:SHOWN]:
            ask = self.say(one["kind"], document=one["document"])
            why = self.say("quoted", text=one["words"])
            if not one["named"]:
                cases.append(Case(one["title"] or one["number"] or one["document"], ask, why))
                continue
            buttons = (("withdraw", self.words["withdraw"]), ("readmit", self.words["stay"]))
            cases.append(self.case(known[one["named"][0]], ask=ask, why=why, buttons=buttons))
        for row in letters[:SHOWN]:
            head = messages.parse(bytes(row["data"]))
            subject, sender = (messages.header(head, name) for name in ("Subject", "From"))
            accepts = (("accept", self.words["accept"]),)
            ask = self.say("letter", sender=sender)
            cases.append(Case(subject or row["name"], ask, about=row["id"], buttons=accepts))
        return self.part("asked", "digest sources letters", [*rows, *letters], cases)

    def made(self) -> Part:
        ids = store.made_titles(self.db, self.since)
        cases = [self.case(one) for one in articles_by_id(self.db, ids[:SHOWN])]
        return self.part("made", "digest articles list", ids, cases)

    def held(self) -> Part:
        ids, editions = store.held_back(self.db, self.now), store.held_editions(self.db)
        cases = []
        for one in articles_by_id(self.db, ids[:SHOWN]):
            until = one.opens_at or NEVER
            ask = self.say("until", at=self.at(until)) if until != NEVER else self.words["never"]
            why = self.say("quoted", text=one.embargo.words) if one.embargo else ""
            buttons = (("release", self.words["release"]),)
            cases.append(self.case(one, ask=ask, why=why, buttons=buttons))
        cases += [
            Case(f"{row['digest']} no. {row['number']}", f"digest editions release {row['id']}", row["note"], foreign=True)
            for row in editions[:SHOWN]
        ]  # fmt: skip
        return self.part("held", "digest status", [*ids, *editions], cases)

    def bounces(self) -> Part:
        rows, brakes = list_returns(self.db, state="waits", limit=SHOWN), open_brakes(self.db)
        choices = (("confirm", self.words["confirm"]), ("discard", self.words["discard"]))
        cases = [
            Case(
                masked(row["address"]) if row["address"] else row["kind"],
                self.at(row["read_at"]),
                in_words(row),
                foreign=True,
                about=row["id"],
                buttons=choices,
            )
            for row in rows
        ]
        cases += [
            Case(
                f"{row['digest']} no. {row['number']}: {row['provider']}",
                self.say("braked", dead=row["dead"], queued=row["queued"]),
                f"digest bounces confirm --edition {row['edition_id']} --at {row['provider']}",
                foreign=True,
            )
            for row in brakes[:SHOWN]
        ]
        total = range(waiting(self.db)[0] + len(brakes))
        return self.part("bounces", "digest bounces list --state waits", total, cases)

    def sources(self) -> list[tuple[str, str, str, str, int]]:
        """Title, last answer, what is wrong, the error, and new documents of each source; those with
        something wrong first."""
        polls, rows = poll_rows(self.db), []
        for source in self.settings.sources:
            row = polls.get(source.name) or {}
            said, failing = "", row.get("failing_since")
            quiet = quiet_since(self.db, source.name, self.now) if source.is_online else None
            if row.get("ended_at"):
                said = self.words["ended_source"]
            elif failing:
                said = self.say("failing", at=self.at(failing))
            elif quiet:
                said = self.say("quiet", at=self.at(quiet))
            read = self.at(row["answered_at"]) if row.get("answered_at") else ""
            new = news_since(self.db, source.name, self.now - WEEK)
            error = row.get("error") or ""
            rows.append((source.title or source.name, read, said, error, new))
        return sorted(rows, key=lambda one: not (one[2] or one[3]))

    def draft(self, row: Mapping[str, Any], fields: Fields) -> Draft:
        newsroom, settings = self.newsroom, self.settings
        digest, edition = draft_of(newsroom, row["id"])
        wanted = segments(newsroom, digest, edition.window)
        typed = fields if fields.get("about") == str(row["id"]) else {}
        hand, versions = edition.hand, []
        for code in settings.digest_languages(digest):
            choice = everything(settings, digest, code)
            layout = lay_out(edition.placements, choice, per_theme=digest.per_theme, hand=hand)
            versions.append(
                Version(
                    code,
                    self.wording.in_language[code],
                    typed.get(f"introduction-{code}", hand.introduction.get(code, "")),
                    typed.get(f"subject-{code}", hand.subject.get(code, "")),
                    tuple(
                        (theme, self.title(theme) if theme else "", tuple(some))
                        for theme, some in _sections(edition, layout)
                    ),
                )
            )
        late = self.at(approve_by(newsroom, row["digest"], edition.window.ends_at))
        state = "overdue" if row["status"] == "held" else "waits"
        return Draft(
            row["id"],
            self.say("draft", title=title_of(digest, self.wording.language), number=edition.number),
            self.say(
                "about",
                state=self.say(state, at=late),
                articles=self.wording.count(self.wording.articles, len(edition.placements)),
                recipients=sum(one.recipients for one in wanted),
                versions=len(wanted),
                hash=edition.hash,
            ),
            edition.hash,
            _seen(edition),
            hand.lead,
            tuple(versions),
            tuple(
                (Line(one.id, one.title, one.language, one.title_made, 3, False), one.id in hand.carried)
                for one in articles_by_id(self.db, hand.left_out)
            ),
            tuple(
                f"{', '.join(self.wording.in_language[code] for code in one.choice.languages)}: "
                f"{', '.join(map(self.title, one.choice.themes)) or self.words['everything']} ({one.recipients})"
                for one in wanted[:SHOWN]
            )
            or (self.words["everything"],),
        )  # fmt: skip

    def last(self) -> list[tuple[str, str, str, str, int | None]]:
        """What was done last: when, by whom, what, and the act that takes it back with its article."""
        rows, taken = store.acts(self.db, SHOWN), set()
        lines = []
        for row in rows:
            undo = UNDONE_BY.get(row["act"], "")
            taken.add((row["act"], row["about"]))
            undo = "" if (undo, row["about"]) in taken else undo
            lines.append((self.at(row["made_at"]), row["editor"], row["what"], undo, row["about"]))
        return lines


def values_of(
    newsroom: Newsroom, session: Session, wording: Wording, said: bool, fields: Fields
) -> dict[str, Any]:
    """What `web/desk.html` shows."""
    with newsroom.db.snapshot():
        view = View(newsroom, wording)
        open_since = view.now - timedelta(hours=view.settings.desk.session_hours)
        others = {one["editor"] for one in store.open_sessions(newsroom.db, open_since)}
        last = view.last()
        return {
            "wording": wording,
            "words": wording.desk,
            "title": wording.desk["title"],
            "signed_in": view.say("signed_in", editor=session.editor),
            "others": ", ".join(sorted(others - {session.editor})),
            "form": session.form,
            "said": last[0][2] if said and last else "",
            "drafts": [view.draft(row, fields) for row in drafts(newsroom.db)],
            "parts": [
                view.themes(), view.stories(), view.asked(), view.made(), view.held(), view.bounces()
            ],
            "sources": view.sources(),
            "last": last,
            "themes": [(key, view.title(key)) for key in view.settings.theme_keys],
            "longest": LONGEST_NOTE,
        }  # fmt: skip

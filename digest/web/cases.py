"""What the desk shows: drafts as they would be approved, and cases with the evidence of the copy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from digest.audience.evidence import in_words, list_returns, open_brakes, waiting
from digest.config.settings import DigestConfig, Settings
from digest.config.urls import article_page
from digest.editions.compose import approve_by, segments
from digest.editions.drafts import LONGEST_NOTE, draft_of
from digest.editions.preview import everything
from digest.editions.ranks import rank
from digest.editions.selection import lay_out
from digest.editions.store import drafts
from digest.feeds.pages import Link
from digest.language.wording import Wording
from digest.mail import messages
from digest.model import NEVER, OTHER, UNSURE, Article, Edition, Hand, Match, ThemeScore
from digest.newsroom import Newsroom
from digest.sources.store import news_since, open_proposals, poll_rows, quiet_since, waiting_letters
from digest.store.articles import articles_by_id
from digest.store.database import moment_from_text
from digest.stories.likeness import LINKED
from digest.stories.linking import explain_article
from digest.themes.filing import scores_of
from digest.themes.lexicon import lexicon_of
from digest.web import store
from digest.web.forms import masked, title_of
from digest.web.signin import Session
from digest.web.site import in_own

SHOWN = 20
"""Of each kind at most; the others are counted."""
LATELY, WEEK = timedelta(days=14), timedelta(days=7)
COMPARED, NEAR = 20, 0.4
"""How many of the newest articles are compared with what is near them, and from which score two of them may be
about one event."""
UNDONE_BY = {
    **dict.fromkeys(("keep", "add", "not", "other"), "clear"),
    **dict.fromkeys(("join", "split"), "unlink"),
    "withdraw": "undo",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What an editor may decide. `buttons` are acts with their texts; `ask` is our question, `other` the
    headline that it is about, with its language; `why` is what the copy has for it, in English where
    `foreign`. Where it `adds`, a theme can be chosen."""

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


class Line(NamedTuple):
    """An article in a draft; `rank` is 1, 2 or 3; whether it can be moved `up`."""

    id: int
    title: str
    language: str
    ours: bool
    rank: int
    up: bool


def words_mark(hand: Hand) -> str:
    """What changes with the words of a draft."""
    return sha256(repr((hand.introduction, hand.subject)).encode()).hexdigest()[:16]


def lines_of(
    settings: Settings, digest: DigestConfig, draft: Edition, code: str
) -> list[tuple[str, list[Line]]]:
    """What a mail in this language shows, in its order: the lead under "", then each theme."""
    choice = everything(settings, digest, code)
    layout = lay_out(draft.placements, choice, per_theme=digest.per_theme, hand=draft.hand)
    placed = {
        one.article.id: (one.article, part.theme) for part in layout.sections for one in part.shown
    }
    sections: list[tuple[str, list[Line]]] = []
    for number, ranked in rank(draft, layout).items():
        article, theme = placed[number]
        theme = "" if ranked.rank == 1 else theme
        if not sections or sections[-1][0] != theme:
            sections.append((theme, []))
        lines, language = sections[-1][1], article.language
        up = language == choice.language or any(one.language == language for one in lines[-1:])
        made = article.title_made
        lines.append(Line(number, article.title, language, made, ranked.rank, up and theme != ""))
    return sections


def sentence(settings: Settings, wording: Wording, row: Mapping[str, Any]) -> str:
    """What was done, as a row of the log has it."""
    words, value = wording.desk, row["what"]
    theme = settings.theme_name(value).title(wording.language)
    texts = [one.partition("-") for one in value.split() if row["act"] == "save"]
    named = ", ".join(f"{words[key]} ({wording.language_name(code)})" for key, _, code in texts)
    facts = {"about": row["about"], "value": value, "theme": theme, "texts": named}
    return words[f"did_{row['act']}"].format(**facts)


class View:
    """What the page shows of one snapshot of the newsroom, in a wording."""

    def __init__(self, newsroom: Newsroom, wording: Wording) -> None:
        self.newsroom, self.wording, self.words = newsroom, wording, wording.desk
        self.db, self.settings, self.now = newsroom.db, newsroom.settings, newsroom.now()
        self.since = self.now - LATELY

    def at(self, moment: datetime | str) -> str:
        at = moment_from_text(moment) if isinstance(moment, str) else moment
        local = at.astimezone(ZoneInfo(self.settings.site.time_zone))
        return f"{self.wording.day(local.date())}, {local:%-H:%M}"

    def say(self, key: str, **facts: object) -> str:
        return self.words[key].format(**facts)

    def buttons(self, *keys: str) -> tuple[tuple[str, str], ...]:
        return tuple((key, self.words[key]) for key in keys)

    def theme(self, key: str) -> str:
        return self.settings.theme_name(key).title(self.wording.language)

    def case(self, article: Article, **more: Any) -> Case:
        """A case about an article. One that readers may not see yet has no page."""
        seen = not article.is_embargoed(self.now)
        href = article_page(self.settings, article) if seen else ""
        facts = {"about": article.id, "ours": article.title_made, "href": href, **more}
        return Case(article.title, language=article.language, **facts)

    def part(
        self, key: str, command: str, found: Sequence[object], cases: Iterable[Case]
    ) -> tuple[str, list[Case], int, str]:
        """Cases of one kind, how many there are, and the command that shows all."""
        return self.words[key], list(cases), len(found), command

    def evidence(self, of: Match | ThemeScore) -> str:
        """The score, and the words of the copy that counted most."""
        heaviest = sorted(of.hits, key=lambda hit: -hit.weight)
        forms = dict.fromkeys(hit.form for hit in heaviest if hit.weight > 0)
        terms = ", ".join(self.say("quoted", text=one) for one in [*forms][:4])
        numbers = {"score": of.score, "least": of.threshold, "sure": of.threshold * UNSURE}
        said = {key: self.wording.number(one, "0.00") for key, one in numbers.items()}
        return self.say("evidence", terms=terms, **said)

    def themes(self, ids: Sequence[int]) -> Iterable[Case]:
        lexicon = lexicon_of(self.settings.themes)
        for article in articles_by_id(self.db, ids):
            for match in (one for one in article.matches if one.unsure):
                key, title = match.theme, self.theme(match.theme)
                keep, drop = (f"keep:{key}", self.words["keep"]), self.say("not", theme=title)
                facts = {"why": self.evidence(match), "buttons": (keep, (f"not:{key}", drop))}
                yield self.case(article, ask=f"{title}?", theme=key, **facts)
            if not article.matches:
                scores = [one for one in scores_of(lexicon, article) if one.score > 0]
                near = max(scores, key=lambda one: one.score / one.threshold, default=None)
                why = ""
                if near is not None:
                    why = self.say("near", theme=self.theme(near.theme)) + self.evidence(near)
                leave = ("other", self.theme(OTHER))
                ask = self.words["no_theme"]
                yield self.case(article, ask=ask, why=why, buttons=(leave,), adds=True)

    def stories(self) -> tuple[int, list[Case]]:
        """The links of new articles, and the newest articles with what is nearly alike enough."""
        rows = [
            (one["other_id"], one["article_id"], one["score"], one["reasons"], "same")
            for one in store.fresh_links(self.db, self.since)
        ]
        near: dict[frozenset[int], Any] = {}
        for number in store.cases(self.db, "stories", self.since, COMPARED):
            for pair in explain_article(self.db, number):
                alike = pair.comparison
                if NEAR <= alike.score < LINKED and not pair.same_story and not pair.correction:
                    two = pair.article_id, pair.other_id
                    near.setdefault(frozenset(two), (*two, alike.score, alike.reasons, "perhaps"))
        shown = [*rows[:SHOWN], *[*near.values()][:SHOWN]]
        articles = articles_by_id(self.db, sorted({one for row in shown for one in row[:2]}))
        known, cases = {one.id: one for one in articles}, []
        for one, other, score, reasons, ask in shown:
            split = self.buttons("split") if ask == "same" else ()
            buttons = ((f"join:{other}", self.words[f"join_{ask}"]), *split)
            why = f"{score:.2f} of {LINKED:.2f} needed: {'; '.join(reasons)}."
            title = self.say("quoted", text=known[other].title), known[other].language
            facts = {"ask": self.words[ask], "other": title, "why": why, "foreign": True}
            cases.append(self.case(known[one], buttons=buttons, **facts))
        return len(rows) + len(near), cases

    def proposals(self, rows: Sequence[Mapping[str, Any]]) -> Iterable[Case]:
        for one in rows:
            ask = self.say(one["kind"], document=one["document"])
            why = self.say("quoted", text=one["words"])
            for article in articles_by_id(self.db, one["named"][:1]):
                buttons = self.buttons("withdraw", "readmit")
                yield self.case(article, ask=ask, why=why, buttons=buttons)
            if not one["named"]:
                yield Case(one["title"] or one["number"] or one["document"], ask, why)

    def letters(self, rows: Sequence[Mapping[str, Any]]) -> Iterable[Case]:
        for row in rows:
            head = messages.parse(bytes(row["data"]))
            subject, sender = (messages.header(head, name) for name in ("Subject", "From"))
            ask = self.say("letter", sender=sender)
            yield Case(subject or row["name"], ask, about=row["id"], buttons=self.buttons("accept"))

    def held(self, ids: Sequence[int]) -> Iterable[Case]:
        for one in articles_by_id(self.db, ids):
            until = one.opens_at or NEVER
            ask = self.say("until", at=self.at(until)) if until != NEVER else self.words["never"]
            why = self.say("quoted", text=one.embargo.words) if one.embargo else ""
            yield self.case(one, ask=ask, why=why, buttons=self.buttons("release"))

    def bounces(self) -> Iterable[Case]:
        choices = self.buttons("confirm", "discard")
        for row in list_returns(self.db, state="waits", limit=SHOWN):
            who, why = masked(row["address"]) if row["address"] else row["kind"], in_words(row)
            facts = {"about": row["id"], "buttons": choices, "foreign": True}
            yield Case(who, self.at(row["read_at"]), why, **facts)

    def told(self, rows: Iterable[Mapping[str, Any]], command: str) -> Iterable[Case]:
        """What only a command decides: held editions, and brakes."""
        for row in rows:
            title, why = f"{row['digest']} no. {row['number']}", row.get("note") or ""
            yield Case(title, command.format(**row), why, foreign=True)

    def parts(self) -> Iterable[tuple[str, list[Case], int, str]]:
        db, since = self.db, self.since
        ids, made = store.cases(db, "themes", since), store.cases(db, "made", since)
        yield self.part("decide", "digest articles list", ids, self.themes(ids[:SHOWN]))
        total, cases = self.stories()
        yield self.part("stories", "digest stories list", range(total), cases)
        asked, letters = open_proposals(db), waiting_letters(db)
        yield self.part("asked", "digest status", asked, self.proposals(asked[:SHOWN]))
        yield self.part("letters", "digest sources letters", letters, self.letters(letters[:SHOWN]))
        cases = [self.case(one) for one in articles_by_id(db, made[:SHOWN])]
        yield self.part("made", "digest articles list", made, cases)
        ids, stopped = store.cases(db, "held", self.now), store.held_editions(db)
        cases = [*self.held(ids[:SHOWN]), *self.told(stopped, "digest editions release {id}")]
        yield self.part("held", "digest status", [*ids, *stopped], cases)
        brakes, total = open_brakes(db), waiting(db)[0]
        command = "digest bounces confirm --edition {edition_id} --at {provider}"
        cases = [*self.bounces(), *self.told(brakes, command)]
        command = "digest bounces list --state waits"
        yield self.part("bounces", command, range(total + len(brakes)), cases)

    def sources(self) -> list[tuple[str, str, str, str, int]]:
        """Title, last answer, what is wrong, the error, and new documents of each source; those with
        something wrong first."""
        polls, rows = poll_rows(self.db), []
        for source in self.settings.sources:
            row = polls.get(source.name) or {}
            quiet = quiet_since(self.db, source.name, self.now) if source.is_online else None
            states = (
                ("ended", row.get("ended_at")),
                ("failing", row.get("failing_since")),
                ("quiet", quiet),
            )
            said = [self.say(f"{key}_source", at=self.at(since)) for key, since in states if since]
            read = self.at(row["answered_at"]) if row.get("answered_at") else ""
            new = news_since(self.db, source.name, self.now - WEEK)
            title = source.title or source.name
            rows.append((title, read, " ".join(said[:1]), row.get("error") or "", new))
        return sorted(rows, key=lambda one: not (one[2] or one[3]))

    def draft(self, row: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
        """A draft as it would be approved now, with the words that somebody typed and could not save."""
        settings, names = self.settings, self.wording.in_language
        digest, edition = draft_of(self.newsroom, row["id"])
        wanted, hand = segments(self.newsroom, digest, edition.window), edition.hand
        typed = fields if fields.get("about") == str(row["id"]) else {}
        words = {"introduction": hand.introduction, "subject": hand.subject}
        state = "overdue" if row["status"] == "held" else "waits"
        late = self.at(approve_by(self.newsroom, row["digest"], edition.window.ends_at))
        mails = [
            f"{', '.join(names[code] for code in one.choice.languages)}: "
            f"{', '.join(map(self.theme, one.choice.themes))} ({one.recipients})"
            for one in wanted[:SHOWN]
        ]
        versions = [
            {"code": code, "language": names[code]}
            | {key: typed.get(f"{key}-{code}", text.get(code, "")) for key, text in words.items()}
            | {"sections": [(key, key and self.theme(key), lines) for key, lines in sections]}
            for code in settings.digest_languages(digest)
            for sections in [lines_of(settings, digest, edition, code)]
        ]
        facts = {
            "title": title_of(digest, self.wording.language),
            "number": edition.number,
            "state": self.say(state, at=late),
            "articles": self.wording.count(self.wording.articles, len(edition.placements)),
            "recipients": sum(one.recipients for one in wanted),
            "versions": len(wanted),
        }
        left_out = articles_by_id(self.db, hand.left_out)
        return {
            "id": row["id"],
            "title": self.say("draft", **facts),
            "about": self.say("about", **facts),
            "hash": edition.hash,
            "seen": words_mark(hand),
            "lead": hand.lead,
            "versions": versions,
            "left_out": [(one, one.id in hand.carried) for one in left_out],
            "mails": mails or [self.words["everything"]],
        }

    def last(self) -> list[tuple[str, str, str, str, int | None]]:
        """What was done last: when, by whom, what, and the act that takes it back with its article."""
        taken, lines = set(), []
        for row in store.acts(self.db, SHOWN):
            undo, about = UNDONE_BY.get(row["act"], ""), row["about"]
            taken.add((row["act"], about))
            undo = "" if (undo, about) in taken else undo
            what = sentence(self.settings, self.wording, row)
            lines.append((self.at(row["made_at"]), row["editor"], what, undo, about))
        return lines


def values_of(
    newsroom: Newsroom, session: Session, wording: Wording, said: bool, fields: Mapping[str, str]
) -> dict[str, Any]:
    """What `web/desk.html` shows."""
    with newsroom.db.snapshot():
        view = View(newsroom, wording)
        since = view.now - timedelta(hours=view.settings.desk.session_hours)
        others = {one["editor"] for one in store.open_sessions(newsroom.db, since)}
        last = view.last()
        return {
            "wording": wording,
            "title": wording.desk["title"],
            "day": view.now.astimezone(ZoneInfo(view.settings.site.time_zone)).date(),
            "languages": [
                Link(in_own(one), f"?lang={one}", one, target=one)
                for one in view.settings.page_languages
                if one != wording.language
            ],
            "signed_in": view.say("signed_in", editor=session.editor),
            "others": ", ".join(sorted(others - {session.editor})),
            "form": session.form,
            "said": last[0][2] if said and last else "",
            "drafts": [view.draft(row, fields) for row in drafts(newsroom.db)],
            "parts": list(view.parts()),
            "sources": view.sources(),
            "last": last,
            "themes": [(key, view.theme(key)) for key in view.settings.theme_keys],
            "longest": LONGEST_NOTE,
        }

"""The verb `look`: finds in new articles what readers follow, and queues one mail for each find.

articles since the last look | find every phrase at once | render | mail, finds and look in one write
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest.audience.follows import phrase_words
from digest.audience.store import Follow, follows_of, last_look, not_looked_for, note_look
from digest.config import urls
from digest.config.settings import Settings
from digest.editions.mail import Footer, Link, Stroke, mark, render_parts
from digest.language.text import ELLIPSIS, cut, cut_at_word, sentence_spans
from digest.language.wording import wording_for
from digest.language.words import is_cyrillic, other_forms
from digest.mail.notices import notice_mail
from digest.mail.outgoing import Kind, Notice
from digest.mail.store import queue
from digest.mail.tokens import change_url, leave_urls, tokens_for
from digest.model import Article, Receipt, RenderedMail, Window
from digest.newsroom import EPOCH, Newsroom
from digest.store.articles import articles_in_window, window_mark
from digest.themes.lexicon import russian_forms
from digest.themes.scan import Finder, Slot, Word

PAUSE = timedelta(hours=1)
"""After a mail about something, what is found of it waits so long, and then comes together."""
MOST_SHOWN = 20
"""Articles in one mail; the rest is counted."""
AROUND = 150
"""Characters that are shown before and after the words."""
LONGEST_NAME = 60
BATCH = 100
"""Mails that are queued in one write."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How many articles were looked at, for how many follows, and how many mails that made."""

    articles: int = 0
    follows: int = 0
    mails: int = 0


class Evidence(NamedTuple):
    """The words that name it, with what is before and after them; of a story's article only `before`."""

    before: str
    words: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}[{self.words}]{self.after}" if self.words else self.before


class Find(NamedTuple):
    """An article that names it: in its title, or in a sentence of its text, if readers see that."""

    article: Article
    title: Evidence
    sentence: Evidence


Places = dict[str, tuple[str, int, int]]
"""Where an article has phrases, by their keys: "title" or "text", start and end."""


def look(newsroom: Newsroom, *, dry_run: bool = False) -> Looked:
    """Look for what readers follow in the articles that were first seen since the last look, and queue
    one mail for each phrase or story that was found, with all of its articles.

    What nobody can be mailed about now is not kept for later. If anything came in or changed meanwhile,
    the rest is done again. `dry_run` only counts.
    """
    db, queued = newsroom.db, 0
    while True:
        version, now, since = db.version(), newsroom.now(), last_look(db)
        window = Window(since or now, now)
        before = window_mark(db, window)
        articles = articles_in_window(db, window, newsroom.settings.site.languages)
        newest = max((one.first_seen_at for one in articles), default=EPOCH)
        follows = [
            one
            for one in follows_of(db, now)
            if one.looked_until <= newest and not _waits(one, now)
        ]
        if not follows:
            return Looked(mails=queued)
        wanted = [one for one in follows if one.wanted]
        found = _finds(newsroom.settings, wanted, articles)
        looked = Looked(len(articles), len(wanted), queued + len(found))
        if dry_run:
            return looked
        order = sorted(
            (one for one in wanted if one.id in found),
            key=lambda one: (one.key, one.language, one.languages, one.id),
        )
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        make = _maker(newsroom, found, now)
        for batch in [[one for one in follows if one.id not in found], *batches]:
            notices = {one.id: make(one) for one in batch if one.id in found}
            finds = [
                (i, one.article.id, str(one.sentence if one.sentence.before else one.title))
                for i in notices
                for one in found[i]
            ]
            with db.write():
                if db.version() != version and window_mark(db, window) != before:
                    break
                same = not_looked_for(db, batch)
                queued += queue(db, [notices[i] for i in notices.keys() & same], now)
                note_look(db, same, now, [one for one in finds if one[0] in same])
        else:
            return looked


def receipts(newsroom: Newsroom, window: Window) -> dict[int, tuple[Receipt, ...]]:
    """For each active recipient who follows anything, what became of that in a window: of the articles
    first seen in it, and since they follow it, in languages that they read.

    It depends on the articles alone, and not on when anybody looked, so that a dry run shows the same
    as is sent. What had no article to look at has none.
    """
    db = newsroom.db
    follows = [
        one
        for one in follows_of(db, window.ends_at - timedelta.resolution)
        if one.wanted and one.made_at < window.ends_at
    ]
    if not follows:
        return {}
    articles = articles_in_window(db, window, newsroom.settings.site.languages)
    seen: defaultdict[str, list[datetime]] = defaultdict(list)
    for article in sorted(articles, key=lambda one: one.first_seen_at):
        seen[article.language].append(article.first_seen_at)
    follows = [replace(one, looked_until=one.made_at) for one in follows]
    named = {number: len(finds) for number, finds in _named(follows, articles).items()}
    lines: defaultdict[int, list[Receipt]] = defaultdict(list)
    for one in follows:
        looked = sum(len(seen[i]) - bisect_left(seen[i], one.made_at) for i in one.languages)
        if looked:
            what = cut_at_word(one.what, LONGEST_NAME)
            lines[one.recipient_id].append(Receipt(what, looked, named.get(one.id, 0)))
    return {recipient_id: tuple(each) for recipient_id, each in lines.items()}


def _waits(follow: Follow, now: datetime) -> bool:
    return follow.mailed_at is not None and abs(now - follow.mailed_at) < PAUSE


_forms = lru_cache(maxsize=50_000)(russian_forms)


@lru_cache(maxsize=2)
def phrase_finder(phrases: tuple[str, ...]) -> Finder:
    """Finds phrases: their words in this order, each beside the next, in any form. Remembered, since the
    forms of 10,000 take seconds."""
    terms = (
        (number, "ru" if is_cyrillic(one) else "en", tuple(map(_slot, phrase_words(one))))
        for number, one in enumerate(phrases)
    )
    return Finder(terms, _forms)


def _slot(word: str) -> Slot:
    return Slot(frozenset({Word(word), *(Word(one, exact=True) for one in other_forms(word))}))


def _named(
    follows: Sequence[Follow], articles: Sequence[Article]
) -> dict[int, list[tuple[Article, Places]]]:
    """The articles that name what is followed, in order, by the follow's id: first seen since it was last
    looked for, in a language that the reader reads."""
    by_key: defaultdict[str, list[Follow]] = defaultdict(list)
    by_story: defaultdict[int, list[Follow]] = defaultdict(list)
    for one in follows:
        if one.phrase is not None:
            by_key[one.key].append(one)
        elif one.story_id is not None:
            by_story[one.story_id].append(one)
    phrases = tuple(sorted(by_key))
    named: defaultdict[int, list[tuple[Article, Places]]] = defaultdict(list)
    for article in sorted(articles, key=lambda one: (one.first_seen_at, one.id)):
        places: Places = {}
        for where in ("text", "title") if phrases else ():
            for start, end, number in phrase_finder(phrases).find_written(getattr(article, where)):
                places.setdefault(phrases[number], (where, start, end))
        groups = [by_key[key] for key in places] + [by_story.get(article.story_id or 0, [])]
        for one in (one for group in groups for one in group):
            new = article.first_seen_at >= one.looked_until and article.id != one.article_id
            if new and article.language in one.languages:
                named[one.id].append((article, places))
    return named


def _finds(
    settings: Settings, follows: Sequence[Follow], articles: Sequence[Article]
) -> dict[int, list[Find]]:
    """The finds of each follow, with their evidence."""
    keys = {one.id: one.key for one in follows}
    made: dict[tuple[int, str], Find] = {}
    finds: dict[int, list[Find]] = {}
    for number, named in _named(follows, articles).items():
        for article, places in named:
            one = article.id, keys[number]
            if one not in made:
                made[one] = _evidence(settings, article, places.get(one[1]))
            finds.setdefault(number, []).append(made[one])
    return finds


def _evidence(settings: Settings, article: Article, place: tuple[str, int, int] | None) -> Find:
    """What readers may see of the title and of the sentence that names it; without a place, of its lead."""
    shown = settings.as_shown(article)
    title = Evidence(shown.title)
    if place is None:
        return Find(article, title, Evidence(cut(shown.lead, 2 * AROUND)))
    where, start, end = place
    if where == "title":
        return Find(
            article, _around(article.title, 0, start, end, len(article.title)), Evidence("")
        )
    first, last = next(span for span in sentence_spans(article.text) if start < span[1])
    first = min(first, start)
    if article.text[first:last] not in shown.text:
        return Find(article, title, Evidence(""))
    return Find(article, title, _around(article.text, first, start, end, max(last, end)))


def _around(text: str, first: int, start: int, end: int, last: int) -> Evidence:
    """The words and what is around them from `first` to `last`, cut between words."""
    before, after = (" ".join(one.split()) for one in (text[first:start], text[end:last]))
    if len(before) > AROUND:
        before = ELLIPSIS + before[-AROUND:].partition(" ")[2]
    if len(after) > AROUND:
        after = cut_at_word(after, AROUND)
    spaces = [" " * text[i : i + 1].isspace() for i in (start - 1, end)]
    return Evidence(before + spaces[0] * bool(before), text[start:end], spaces[1] + after)


@dataclass(frozen=True, slots=True)
class AlertItem:
    """An article in an alert: `title` and `sentence` in three parts, of which the middle one names it, or
    is empty; `language` is None if it is that of the mail."""

    title: Evidence
    url: str
    notes: tuple[str, ...]
    sentence: Evidence
    language: str | None


@dataclass(frozen=True, slots=True)
class Alert:
    """The mail about what a reader follows. `found` says what was found in how many articles, `more` how
    many are not shown, "" for none; `parts` and `key` are empty: an edition has them."""

    language: str
    subject: str
    preheader: str
    newsroom: str
    mark: tuple[Stroke, ...]
    title: str
    window: str
    found: str
    items: tuple[AlertItem, ...]
    more: str
    footer: Footer
    parts: tuple[()] = ()
    key: str = ""


def view_alert(settings: Settings, follow: Follow, finds: Sequence[Find], now: datetime) -> Alert:
    """All that its templates print; equal for readers of one language who follow the same."""
    wording = wording_for(follow.language, settings.site.languages)
    texts, of_story = wording.following, follow.phrase is None
    what = cut_at_word(follow.what or wording.untitled, LONGEST_NAME)
    items = []
    for article, title, sentence in finds[:MOST_SHOWN]:
        day = article.published.day
        notes = [settings.source_title(article.source), *([wording.day(day)] if day else [])]
        language = None if article.language == wording.language else article.language
        named = title if "".join(title) else Evidence(wording.untitled)
        url = urls.article_url(settings, article)
        items.append(AlertItem(named, url, tuple(notes), sentence, language))
    headline = cut_at_word("".join(items[0].title), LONGEST_NAME)
    subject = texts["subject_story" if of_story else "subject"]
    more = len(finds) - len(items)
    subject = wording.headline_and_more(
        subject.format(what=what, headline=headline), len(finds) - 1
    )
    form = wording.found_story if of_story else wording.found_phrase
    return Alert(
        language=wording.language,
        subject=subject,
        preheader="".join(items[0].sentence) or items[0].notes[0],
        newsroom=settings.site.title,
        mark=mark(settings.site.title),
        title=texts["title"],
        window=wording.day(now.astimezone(ZoneInfo(settings.site.time_zone)).date()),
        found=wording.count(form, len(finds), what=what),
        items=tuple(items),
        more=wording.count(wording.more_subject, more) if more else "",
        footer=Footer(
            why=texts["why_story" if of_story else "why"].format(what=what),
            change=Link(texts["stop"], change_url(settings)),
            leave=Link(wording.leave, leave_urls(settings)[0]),
            newsroom=settings.site.title,
            postal_address=settings.site.postal_address,
            contact=Link(settings.site.contact, f"mailto:{settings.site.contact}"),
        ),
    )


def _maker(
    newsroom: Newsroom, found: dict[int, list[Find]], now: datetime
) -> Callable[[Follow], Notice]:
    """Makes the mail of a follow; that of several readers who follow the same is rendered once."""
    settings, key = newsroom.settings, newsroom.token_key
    last: tuple[object, RenderedMail] | None = None

    def make(follow: Follow) -> Notice:
        nonlocal last
        finds = found[follow.id]
        same = follow.what, follow.language, tuple(one.article.id for one in finds)
        if last is None or last[0] != same:
            view = view_alert(settings, follow, finds, now)
            html, text = render_parts(settings, newsroom.templates, "alert", view)
            last = same, RenderedMail(view.subject, view.preheader, text, html)
        return notice_mail(
            settings,
            Kind.ALERT,
            f"alert.{follow.id}.{max(one.article.id for one in finds)}",
            now,
            last[1],
            follow.address,
            language=wording_for(follow.language, settings.site.languages).language,
            tokens=tokens_for(key, 0, follow.recipient_id),
        )

    return make

"""The verb `look`: finds in new articles what readers follow, and queues one mail for each find."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from html import escape
from zoneinfo import ZoneInfo

from digest.audience.follows import phrase_words
from digest.audience.store import Follow, follows_of, last_look, not_looked_for, note_look
from digest.config import urls
from digest.config.settings import Settings
from digest.editions.mail import Footer, Item, Link, Mail, Part
from digest.language.text import ELLIPSIS, cut, cut_at_word, name_mark, sentence_spans
from digest.language.wording import wording_for
from digest.language.words import is_cyrillic, other_forms
from digest.mail.letters import render_parts
from digest.mail.notices import notice_mail
from digest.mail.outgoing import Kind
from digest.mail.store import queue
from digest.mail.tokens import change_url, leave_urls, tokens_for
from digest.model import OTHER, Article, Receipt, RenderedMail, Window
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
Place = tuple[str, int, int]
"""Where an article names a phrase: "title" or "text", start and end."""


def look(newsroom: Newsroom, *, dry_run: bool = False) -> int:
    """Look for what readers follow in the articles first seen since the last look; queue one mail for each
    phrase or story that was found, with all of its articles; how many. `dry_run` only counts.

    What nobody can be mailed about now is not kept for later. A mail, its finds and the look are one write;
    if anything came in or changed before it, the rest is done again.
    """
    db, settings, queued = newsroom.db, newsroom.settings, 0
    while True:
        version, now = db.version(), newsroom.now()
        window = Window(last_look(db) or now, now)
        before = window_mark(db, window)
        articles = {a.id: a for a in articles_in_window(db, window, settings.site.languages)}
        newest = max((one.first_seen_at for one in articles.values()), default=EPOCH)
        follows = [
            one
            for one in (follows_of(db, now) if articles else ())
            if one.looked_until <= newest
            and (one.mailed_at is None or abs(now - one.mailed_at) >= PAUSE)
        ]
        found, places = _find([one for one in follows if one.wanted], articles.values())
        if dry_run or not follows:
            return queued + len(found)
        key, tell = newsroom.token_key, _teller(newsroom, articles, places, now)
        order = sorted(
            (one for one in follows if one.id in found),
            key=lambda one: (one.key, one.what, one.language, found[one.id]),
        )
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        for batch in [[one for one in follows if one.id not in found], *batches]:
            notices, finds = {}, []
            for one in batch:
                if not (ids := tuple(found.get(one.id, ()))):
                    continue
                mail, evidence = tell(one.key, one.what, one.language, ids)
                notices[one.id] = notice_mail(
                    settings,
                    Kind.ALERT,
                    f"alert.{one.id}.{max(ids)}",
                    now,
                    mail,
                    one.address,
                    language=wording_for(one.language, settings.site.languages).language,
                    tokens=tokens_for(key, 0, one.recipient_id),
                )
                finds += [(one.id, *each) for each in zip(ids, evidence, strict=True)]
            with db.write():
                if db.version() != version and window_mark(db, window) != before:
                    break
                same = not_looked_for(db, batch)
                queued += queue(db, [notices[i] for i in notices.keys() & same], now)
                note_look(db, same, now, [find for find in finds if find[0] in same])
        else:
            return queued


def receipts(newsroom: Newsroom, window: Window) -> dict[int, tuple[Receipt, ...]]:
    """For each recipient who gets mail and follows anything, what became of that in a window: of the
    articles first seen in it, and since they follow it, in languages that they read.

    It depends on the articles alone, and not on when anybody looked, so that a dry run shows the same
    as is sent. What had no article to look at has none.
    """
    follows = [
        replace(one, looked_until=one.made_at)
        for one in follows_of(newsroom.db, window.ends_at - timedelta.resolution)
        if one.wanted and one.made_at < window.ends_at
    ]
    if not follows:
        return {}
    articles = articles_in_window(newsroom.db, window, newsroom.settings.site.languages)
    seen: defaultdict[str, list[datetime]] = defaultdict(list)
    for article in sorted(articles, key=lambda one: one.first_seen_at):
        seen[article.language].append(article.first_seen_at)
    found, _ = _find(follows, articles)
    lines: defaultdict[int, tuple[Receipt, ...]] = defaultdict(tuple)
    for one in follows:
        if looked := sum(len(seen[i]) - bisect_left(seen[i], one.made_at) for i in one.languages):
            receipt = Receipt(
                cut_at_word(one.what, LONGEST_NAME), looked, len(found.get(one.id, ()))
            )
            lines[one.recipient_id] += (receipt,)
    return dict(lines)


_forms = lru_cache(maxsize=50_000)(russian_forms)


@lru_cache(maxsize=2)
def phrase_finder(phrases: tuple[str, ...]) -> Finder:
    """Finds phrases by their numbers: their words in this order, each beside the next, in any form.
    Remembered, since the forms of 10,000 take seconds."""

    def slot(word: str) -> Slot:
        return Slot(frozenset({Word(word), *(Word(one, exact=True) for one in other_forms(word))}))

    terms = (
        (number, "ru" if is_cyrillic(one) else "en", tuple(map(slot, phrase_words(one))))
        for number, one in enumerate(phrases)
    )
    return Finder(terms, _forms)


def _find(
    follows: Sequence[Follow], articles: Iterable[Article]
) -> tuple[dict[int, list[int]], dict[tuple[str, int], Place]]:
    """For each follow, the articles that name it, by their ids: first seen since it was last looked for, in
    a language that the reader reads; and where an article names a phrase, by its key."""
    of: defaultdict[str | int | None, list[Follow]] = defaultdict(list)
    for one in follows:
        of[one.key if one.phrase else one.story_id].append(one)
    phrases = tuple(sorted(key for key in of if isinstance(key, str)))
    finder = phrase_finder(phrases)
    found: defaultdict[int, list[int]] = defaultdict(list)
    places: dict[tuple[str, int], Place] = {}
    for article in sorted(articles, key=lambda one: (one.first_seen_at, one.id)):
        named: dict[str | int, Place | None] = {article.story_id: None} if article.story_id else {}
        for where in ("text", "title"):
            for start, end, number in finder.find_written(getattr(article, where)):
                named.setdefault(phrases[number], (where, start, end))
        for key, place in named.items():
            if isinstance(key, str) and place:
                places[key, article.id] = place
            for one in of.get(key, ()):
                new = article.first_seen_at >= one.looked_until and article.id != one.article_id
                if new and article.language in one.languages:
                    found[one.id].append(article.id)
    return found, places


class Marked(str):
    """A sentence with the words that name something: *so* in text, bold in HTML."""

    html: str

    def __new__(cls, before: str, words: str, after: str) -> "Marked":
        self = super().__new__(cls, f"{before}*{words}*{after}")
        self.html = f"{escape(before)}<b>{escape(words)}</b>{escape(after)}"
        return self

    def __html__(self) -> str:
        return self.html


def evidence_of(settings: Settings, article: Article, place: Place | None) -> str:
    """The sentence that names it, as far as readers may see it, "" if only the title does; without a place
    the beginning of the article."""
    shown = settings.as_shown(article)
    if place is None:
        return cut(shown.lead, 2 * AROUND)
    where, start, end = place
    first, last = next(span for span in sentence_spans(getattr(article, where)) if start < span[1])
    if where == "title" or article.text[first:last] not in shown.text:
        return ""
    before, after = article.text[min(first, start) : start], article.text[end : max(last, end)]
    if len(before) > AROUND:
        before = ELLIPSIS + before[-AROUND:].partition(" ")[2]
    if len(after) > AROUND:
        after = cut_at_word(f".{after}", AROUND)[1:]  # with the space after the words
    return Marked(before, article.text[start:end], after)


def _teller(
    newsroom: Newsroom,
    articles: Mapping[int, Article],
    places: Mapping[tuple[str, int], Place],
    now: datetime,
) -> Callable[[str, str, str, tuple[int, ...]], tuple[RenderedMail, list[str]]]:
    """Renders the mail about these articles, and gives the evidence of each; once for all who follow the
    same."""
    settings = newsroom.settings

    @lru_cache(maxsize=1)
    def tell(
        key: str, what: str, language: str, ids: tuple[int, ...]
    ) -> tuple[RenderedMail, list[str]]:
        named = [
            (articles[i], evidence_of(settings, articles[i], places.get((key, i)))) for i in ids
        ]
        view = view_alert(settings, what, language, named, now, is_story=key[0] == "/")
        html, text = render_parts(settings, newsroom.templates, "edition", view)
        mail = RenderedMail(view.subject, view.preheader, text, html)
        return mail, [sentence or article.title for article, sentence in named]

    return tell


def view_alert(
    settings: Settings,
    what: str,
    language: str,
    named: Sequence[tuple[Article, str]],
    now: datetime,
    *,
    is_story: bool = False,
) -> Mail:
    """The mail about a phrase or story and the articles that name it, each with its sentence, as a small
    edition of one part."""
    site, wording = settings.site, wording_for(language, settings.site.languages)
    what, texts = cut_at_word(what or wording.untitled, LONGEST_NAME), wording.following
    title = texts["story" if is_story else "phrase"].format(what=what)
    items = []
    for article, sentence in named[:MOST_SHOWN]:
        day = article.published.day
        items.append(
            Item(
                title=article.title or wording.untitled,
                url=urls.article_url(settings, article),
                lead=sentence,
                language=None if article.language == wording.language else article.language,
                made=article.title_made,
                first=False,
                rank=2,
                notes=(settings.source_title(article.source), *([wording.day(day)] if day else [])),
                under={},
                also=(),
            )
        )
    count = wording.count(wording.articles, len(named))
    more = wording.count(wording.more_subject, len(named) - len(items))
    other = settings.theme_name(OTHER)
    part = Part(
        key=OTHER,
        anchor="found",
        title=title,
        count=count,
        tally=count,
        bars=(),
        colour=other.colour,
        colour_dark=other.colour_dark,
        items=tuple(items),
        more=Link(more, urls.feed_url(settings, "html")) if len(named) > len(items) else None,
    )
    subject = f"{title}: {cut_at_word(items[0].title, LONGEST_NAME)}"
    return Mail(
        language=wording.language,
        subject=wording.headline_and_more(subject, len(named) - 1),
        preheader=items[0].lead or items[0].notes[0],
        newsroom=site.title,
        mark=name_mark(site.title),
        title=texts["title"],
        number=texts["title"],
        window=wording.day(now.astimezone(ZoneInfo(site.time_zone)).date()),
        holds=count,
        note="",
        note_html="",
        signature="",
        corrections_title="",
        corrections=(),
        receipts_title="",
        receipts=(),
        nothing="",
        small=True,
        parts=(part,),
        key="",
        footer=Footer(
            why=texts["why_story" if is_story else "why"].format(what=what),
            change=Link(texts["stop"], change_url(settings)),
            leave=Link(wording.leave, leave_urls(settings)[0]),
            newsroom=site.title,
            postal_address=site.postal_address,
            contact=Link(site.contact, f"mailto:{site.contact}"),
        ),
    )

"""The page of a story: its tellings side by side, what they share at its exact place in each, what only one
has, how it grew, and what is close but another event."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from markupsafe import Markup

from digest.editions.store import editions_with
from digest.errors import NotFoundError
from digest.feeds.pages import Link
from digest.language.text import ELLIPSIS, NO_BREAK, cut_at_word, sentence_spans
from digest.language.wording import LANGUAGES, OWN_NAMES, Wording, wording_for
from digest.model import OTHER, Article, Verdict
from digest.store.articles import (
    article_versions,
    articles_by_id,
    changed_parts,
    find_article,
    siblings_of,
)
from digest.store.database import moment_from_text
from digest.stories import store as stories
from digest.stories.likeness import LINKED
from digest.stories.linking import Pair, explain_article
from digest.stories.sharing import Shared, Telling, compare_tellings
from digest.web.reading import id_in
from digest.web.site import Asked, Page, Place, moved

COLUMNS = 4
"""Tellings beside each other; of more only the first two are, and the others are listed."""
SHOWN = 1_200
"""Characters of a text that are shown, up to the end of a sentence."""
CLOSE = 2
_LISTED = 50
_COPIED = re.compile(r"(\d+)% word for word")


@dataclass(frozen=True, slots=True)
class Column:
    """One telling as the page shows it: `paragraphs` with what is shared marked, `words` in its language."""

    link: Link
    made: bool
    spoken: str
    source: str
    day: tuple[str, str] | None
    kind: str
    credit: str
    read: str
    paragraphs: tuple[Markup, ...]


def story(asked: Asked) -> Page:
    """The story that an article is in; under its lead's id, so that each story has one address."""
    db, settings, wording = asked.db, asked.settings, asked.wording
    number = id_in(asked.names["article"])
    assert number is not None, "the path has one"  # noqa: S101
    own = find_article(db, number)
    if own.opens_at is not None and own.opens_at > asked.now:
        raise NotFoundError(f"article {number} is embargoed")
    siblings = siblings_of(db, [number], asked.now).get(number, [])
    if own.withdrawn_at is not None or own.story_id is None or not siblings:
        return moved(asked.to.article(number))
    lead = stories.lead_article(db, own.story_id)
    if lead != number and siblings[0].id == lead:
        return moved(asked.to.story(lead))
    ids = [number, *(one.id for one in siblings)]
    if lead != number and min(ids) != number:  # the lead is withdrawn or embargoed
        return moved(asked.to.story(min(ids)))
    # The second column is in another language where there is one.
    siblings.sort(key=lambda one: one.language == own.language)
    ids = [number, *(one.id for one in siblings[:_LISTED])]
    beside = len(ids) if len(ids) <= COLUMNS else 2
    full = articles_by_id(db, ids)
    shown = [settings.as_shown(one) for one in full]
    tellings = [_telling(one) for one in shown[:beside]]
    sharing = compare_tellings(tellings)
    links = [row for row in stories.links_within(db, ids) if number in row.values()]
    best = next((one for one in own.themes if one in settings.theme_keys), OTHER)
    spoken = dict.fromkeys(one.language for one in full)
    columns = [_column(asked, one, at, sharing.shared) for at, one in enumerate(shown[:beside])]
    names = [
        Link(one.spoken if len(spoken) > 1 else one.source, "", one.link.language)
        for one in columns
    ]
    return asked.page(
        "web/story.html",
        lambda to: to.story(number),
        theme=best,
        key=best,
        label=Link(settings.theme_name(best).title(asked.language), asked.to.theme(best)),
        title=own.title,
        heading=wording.story[f"languages_{len(spoken)}"]
        if f"languages_{len(spoken)}" in wording.story
        else _counted(wording, "told", len(ids)),
        day=_day(wording, own),
        count=wording.count(wording.articles, len(ids)),
        languages_of=", ".join(wording.language_name(one) for one in spoken),
        columns=columns,
        rest=[_column(asked, one, -1, ()) for one in shown[beside:]],
        verdict=_verdict(asked, sharing.shared, links),
        shared=sharing.shared,
        names=names,
        only=[
            (name, quotes, not all(one.complete for one in shown[:beside] if one is not shown[at]))
            for at, (name, quotes) in enumerate(zip(names, sharing.only, strict=True))
            if quotes
        ],
        history=_history(asked, full, links),
        close=_close(asked, number, ids),
    )


def _telling(article: Article) -> Telling:
    came = article.received_at or article.first_seen_at
    day = article.published.day or came.date()
    return Telling(article.title, article.text, article.language, day)


def _day(wording: Wording, article: Article) -> tuple[str, str] | None:
    day = article.published.day
    return None if day is None else (day.isoformat(), wording.day(day))


def _column(asked: Asked, article: Article, at: int, shared: Sequence[Shared]) -> Column:
    """The telling number `at` of those compared, described in its own language if it has a wording."""
    settings, language = asked.settings, article.language
    words = wording_for(language) if language in LANGUAGES else asked.wording
    return Column(
        Link(article.title, asked.to.article(article.id), language),
        article.title_made,
        OWN_NAMES.get(language, language),
        settings.source_title(article.source),
        _day(words, article),
        words.full_text if article.complete else words.teaser,
        settings.credit(article),
        words.story["article"],
        tuple(_paragraphs(article, at, shared)) if at >= 0 else (),
    )


def _paragraphs(article: Article, at: int, shared: Sequence[Shared]) -> list[Markup]:
    """The beginning of a text, in which each thing that is shared is marked with its letter."""
    text = article.text
    ends = [end for _, end in sentence_spans(text[: SHOWN + 1]) if end <= SHOWN]
    end = len(text) if len(text) <= SHOWN else ends[-1] if ends else 0
    after = "" if article.complete or text[-1:] in ".!?…" else ELLIPSIS
    if not end:
        end, after = len(cut_at_word(text, SHOWN)) - 1, ELLIPSIS
    spans = sorted((*span, one.letter) for one in shared if (span := one.spans[at]))
    marked, start = Markup(""), 0
    for first, last, letter in spans:
        if last <= end:
            same = Markup('<span class="same">{}<sup>{}</sup></span>').format(
                text[first:last], letter
            )
            marked, start = marked + text[start:first] + same, last
    marked += text[start:end] + (after if end == len(text) or not ends else "")
    return [one for one in marked.split("\n\n") if one.strip()]


def _counted(wording: Wording, kind: str, number: int) -> str:
    start = f"{kind}_"
    forms = {
        key.removeprefix(start): one for key, one in wording.story.items() if key.startswith(start)
    }
    return wording.count(forms, number)


def _verdict(
    asked: Asked, shared: Sequence[Shared], links: Sequence[Mapping[str, object]]
) -> list[str]:
    """Why they are one story, a sentence each."""
    wording, words = asked.wording, asked.wording.story
    kinds = Counter(one.kind for one in shared)
    said = []
    if kinds:
        what = ", ".join(_counted(wording, kind, n) for kind, n in kinds.items())
        said.append(words["in_common"].format(what=what))
    if any(row["kind"] == "translation" for row in links):
        said.append(words["so_translation"])
    copied = [
        int(found[1])
        for row in links
        for reason in _texts(row["reasons"])
        if (found := _COPIED.fullmatch(reason))
    ]
    if copied:
        said.append(words["word_for_word"].format(n=max(copied)).replace(" %", f"{NO_BREAK}%"))
    scores = sorted(float(str(row["score"])) for row in links if row["decided_by"] != "editor")
    if scores:
        low, score, least = (
            wording.number(round(one, 2)) for one in (scores[0], scores[-1], LINKED)
        )
        key = "likeness" if low == score else "likenesses"
        said.append(words[key].format(low=low, score=score, least=least))
    return said


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _history(
    asked: Asked, articles: Sequence[Article], links: Sequence[Mapping[str, object]]
) -> list[tuple[str, str, str, Link | None]]:
    """What happened to the story, in order: when (twice), what, and the edition that it led to."""
    wording, words, settings = asked.wording, asked.wording.story, asked.settings
    zone = ZoneInfo(settings.site.time_zone)
    events: list[tuple[datetime, str, Link | None]] = []
    for one in articles[:COLUMNS]:
        language = wording.in_language.get(one.language, "")
        source = settings.source_title(one.source)
        came = words["came"].format(language=language, source=source)
        events.append((one.received_at or one.first_seen_at, came, None))
        for before, after in pairwise(article_versions(asked.db, one.id)):
            parts = changed_parts(before, after)
            names = ", ".join(wording.parts[part] for part in parts if part in wording.parts)
            if names:
                changed = words["changed"].format(language=language, parts=names)
                events.append((moment_from_text(str(after["made_at"])), changed, None))
    rulings = [
        ruling
        for ruling in stories.story_corrections(asked.db, articles[0].id).values()
        if ruling.verdict is Verdict.JOIN
    ]
    events += ((moment, words["joined"], None) for moment in {ruling.at for ruling in rulings})
    for row in editions_with(asked.db, [one.id for one in articles]):
        digest = settings.digest(row["digest"])
        if digest is not None and asked.language in settings.digest_languages(digest):
            name = wording.edition.format(number=wording.number(row["number"]))
            link = Link(name, asked.to.edition(digest.name, row["number"]))
            events.append((row["dated_at"], words["sent"], link))
    events.sort(key=lambda event: event[0])
    return [
        (at.isoformat(timespec="minutes"), f"{wording.day(at.date())}, {at:%H:%M}", what, link)
        for moment, what, link in events
        for at in (moment.astimezone(zone),)
    ]


def _close(asked: Asked, number: int, ids: Sequence[int]) -> list[tuple[Link, Article, str]]:
    """The articles most like this one that are about another event, and why they are."""
    pairs = {
        pair.other_id: pair
        for pair in explain_article(asked.db, number)
        if pair.other_id not in ids and not pair.same_story and pair.comparison.score > 0
    }
    found = [
        one
        for one in articles_by_id(asked.db, list(pairs))
        if one.withdrawn_at is None and (one.opens_at is None or one.opens_at <= asked.now)
    ]
    return [
        (
            Link(one.title, asked.to.article(one.id), one.language),
            one,
            _why_not(asked.wording, pairs[one.id]),
        )
        for one in found[:CLOSE]
    ]


def _why_not(wording: Wording, pair: Pair) -> str:
    words, reasons = wording.story, pair.comparison.reasons
    if pair.correction is not None and pair.correction.verdict is Verdict.SPLIT:
        return words["apart"]
    said = {name: what for name, _, what in (reason.partition(": ") for reason in reasons)}
    alike = [said["organisations"]] if "organisations" in said else []
    alike += [words["names"]] if "names" in said else []
    alike = alike or ([words["words"]] if "words" in said else [])
    unlike = [
        words[key]
        for key, signs in {
            "days": ("apart", "different days"),
            "others": ("each names others",),
            "numbers": ("other numbers",),
        }.items()
        if any(reason.endswith(sign) for reason in reasons for sign in signs)
    ]
    return " ".join(
        words[key].format(what=", ".join(what))
        for key, what in (("alike", alike), ("unlike", unlike))
        if what
    )


PLACES = (Place("/{language}/stories/{article}", story),)

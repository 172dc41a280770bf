"""The page of a story: its tellings side by side, what they share at its exact place in each, what only one
has, how it grew, and what is close but another event."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from markupsafe import Markup

from digest.editions.store import editions_with
from digest.feeds.pages import Link, stated_day
from digest.language.text import ELLIPSIS, cut_at_word, sentence_spans
from digest.language.wording import LANGUAGES, OWN_NAMES, Wording, wording_for
from digest.model import OTHER, Article, Verdict
from digest.store.articles import article_versions, articles_by_id, changed_parts, siblings_of
from digest.store.database import moment_from_text
from digest.stories import store as stories
from digest.stories.likeness import LINKED
from digest.stories.linking import Pair, explain_article
from digest.stories.sharing import Shared, Telling, compare_tellings
from digest.web.reading import article_asked
from digest.web.site import Asked, Page, Place, moved

COLUMNS = 4
"""Tellings beside each other; of more only the first two are, and the others are listed."""
SHOWN = 1_200
"""Characters of a text that are shown, up to the end of a sentence."""
CLOSE = 2
KINDS = ("day", "name", "body", "term", "role", "place", "number", "period")
_LISTED = 50
_SHORT = 40  # characters of a headline that stands for its text
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
    own = article_asked(asked)
    number = own.id
    siblings = siblings_of(db, [number], asked.now).get(number, [])
    if own.withdrawn_at is not None or own.story_id is None or not siblings:
        return moved(asked.to.article(number))
    others = [one.id for one in siblings]
    lead = stories.lead_article(db, own.story_id)
    if lead != number and (lead in others or min(others) < number):
        # Where the lead is withdrawn or embargoed, the first article stands in.
        return moved(asked.to.story(lead if lead in others else min(others)))
    ids = [number, *others][:_LISTED]
    spoken = {number: own.language} | {one.id: one.language for one in siblings}
    # The reader's language comes first, another one beside it.
    ids.sort(key=lambda one: spoken[one] != asked.language)
    second = next((one for one in ids if spoken[one] != spoken[ids[0]]), ids[1])
    ids = list(dict.fromkeys((ids[0], second, *ids)))
    articles = articles_by_id(db, ids)
    shown = [settings.as_shown(one) for one in articles]
    beside = shown if len(ids) <= COLUMNS else shown[:2]
    sharing = compare_tellings([_telling(one) for one in beside])
    languages = dict.fromkeys(spoken[one] for one in ids)
    columns = [_column(asked, one, at, sharing.shared) for at, one in enumerate(beside)]
    known_as = [one.spoken if len(languages) > 1 else one.source for one in columns]
    if len({*known_as}) < len(columns):
        known_as = [f"{one.source} · {one.spoken}" for one in columns]
    if len({*known_as}) < len(columns):
        known_as = [cut_at_word(one.link.text, _SHORT) for one in columns]
    names = [Link(text, "", one.link.language) for text, one in zip(known_as, columns, strict=True)]
    rulings = stories.story_corrections(db, number).values()
    joined = {one.at for one in rulings if one.verdict is Verdict.JOIN}
    best = next((one for one in own.themes if one in settings.theme_keys), OTHER)
    told = wording.story.get(f"languages_{len(languages)}", wording.story["told"])
    return asked.page(
        "web/story.html",
        lambda to: to.story(number),
        theme=best,
        label=Link(
            settings.theme_name(best).title(asked.language), asked.to.theme(best), theme=best
        ),
        title=own.title,
        heading=told.format(n=wording.number(len(ids))),
        day=stated_day(own.published.day, wording),
        count=wording.count(wording.articles, len(ids)),
        languages_of=", ".join(wording.language_name(one) for one in languages),
        columns=columns,
        rest=[_column(asked, one, -1, ()) for one in shown[len(beside) :]],
        verdict=" ".join(
            (
                *_common(wording, sharing.shared, columns, len(ids)),
                *_reasons(asked, joined, ids, known_as),
            )
        ),
        shared=sharing.shared,
        names=names,
        only=[
            (
                names[at],
                [
                    quote + (_known_end(one) if one.text.endswith(quote) else "")
                    for quote in sharing.only[at]
                ],
                not all(other.complete for other in beside if other is not one and other.text),
            )
            for at, one in enumerate(beside)
            if sharing.only[at] and any(other.text for other in beside if other is not one)
        ],
        history=_history(asked, articles, joined),
        close=_close(asked, ids),
    )


def _telling(article: Article) -> Telling:
    came = article.received_at or article.first_seen_at
    day = article.published.day or came.date()
    return Telling(article.title, article.text, article.language, day)


def _column(asked: Asked, article: Article, at: int, shared: Sequence[Shared]) -> Column:
    """The telling number `at` of those compared, described in its own language if it has a wording."""
    settings, language = asked.settings, article.language
    words = wording_for(language) if language in LANGUAGES else asked.wording
    return Column(
        Link(article.title, asked.to.article(article.id), language),
        article.title_made,
        OWN_NAMES.get(language, language),
        settings.source_title(article.source),
        stated_day(article.published.day, words),
        words.full_text if article.complete else article.text and words.teaser,
        settings.credit(article),
        words.story["article"],
        tuple(_paragraphs(article, at, shared)) if at >= 0 else (),
    )


def _known_end(article: Article) -> str:
    """What marks the end of a text that ends within a sentence."""
    return "" if article.complete or article.text[-1:] in ".!?…" else ELLIPSIS


def _paragraphs(article: Article, at: int, shared: Sequence[Shared]) -> list[Markup]:
    """The beginning of a text, in which each thing that is shared is marked with its letter."""
    text = article.text
    ends = [end for _, end in sentence_spans(text[: SHOWN + 1]) if end <= SHOWN]
    end = len(text) if len(text) <= SHOWN else ends[-1] if ends else 0
    after = _known_end(article) if end == len(text) else ""
    if not end and text:
        end, after = len(cut_at_word(text, SHOWN)) - 1, ELLIPSIS
    spans = sorted((*span, one.letter) for one in shared if (span := one.spans[at]))
    marked, start = Markup(""), 0
    for first, last, letter in spans:
        if last <= end:
            form = Markup('<span class="same">{}<sup>{}</sup></span>')
            same = form.format(text[first:last], letter)
            marked, start = marked + text[start:first] + same, last
    marked += text[start:end] + after
    return [one for one in marked.split("\n\n") if one.strip()]


def _common(
    wording: Wording, shared: Sequence[Shared], columns: Sequence[Column], count: int
) -> Iterator[str]:
    """What all that show a text have in common, or else what at least two of `count` have."""
    words, read = wording.story, sum(bool(one.paragraphs) for one in columns)
    whole = "in_common" if count == len(columns) else "common_to_some"
    common = [one for one in shared if sum(map(bool, one.spans)) == read]
    kinds = Counter(one.kind for one in common or shared)
    what = ", ".join(
        words[kind].format(n=kinds[kind]) if kinds[kind] > 1 else words[f"kind_{kind}"].lower()
        for kind in KINDS
        if kinds[kind]
    )
    if what:
        yield words[whole if common else "common_to_some"].format(what=what)


def _reasons(
    asked: Asked, joined: Collection[datetime], ids: Sequence[int], names: Sequence[str]
) -> Iterator[str]:
    """Why they are one story; `names` are those of the first articles."""
    wording, words = asked.wording, asked.wording.story
    links, named = stories.links_within(asked.db, ids), dict(zip(ids, names, strict=False))
    which = "" if len(ids) == 2 else "_of_pair"
    if joined:
        zone = ZoneInfo(asked.settings.site.time_zone)
        yield words["by_editor"].format(day=wording.day(min(joined).astimezone(zone).date()))
    elif any(row["kind"] == "translation" for row in links):
        yield words["so_translation"]
    copied = {
        (named[row["article_id"]], named[row["other_id"]]): int(found[1])
        for row in links
        for reason in row["reasons"]
        if (found := _COPIED.fullmatch(reason))
        and named.keys() >= {row["article_id"], row["other_id"]}
    }
    if copied:
        one, other = pair = max(copied, key=copied.__getitem__)
        yield words[f"word_for_word{which}"].format(n=copied[pair], one=one, other=other)
    if scores := [row["score"] for row in links if row["decided_by"] != stories.EDITOR]:
        score, least = (wording.number(each, "0.00") for each in (min(scores), LINKED))
        yield words[f"likeness{which}"].format(score=score, least=least)


def _history(
    asked: Asked, articles: Sequence[Article], joined: Collection[datetime]
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
    events += ((moment, words["joined"], None) for moment in joined)
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


def _close(asked: Asked, ids: Sequence[int]) -> list[tuple[Link, Article, str]]:
    """The articles most like these that are about another event, one of each story, and why they are."""
    near = [pair for one in ids[:COLUMNS] for pair in explain_article(asked.db, one)]
    near.sort(key=lambda pair: pair.comparison.score)
    pairs = {
        pair.other_id: pair
        for pair in near
        if pair.other_id not in ids and not pair.same_story and pair.comparison.score > 0
    }
    found: dict[int, Article] = {}
    nearest = sorted(pairs, key=lambda one: (-pairs[one].comparison.score, one))
    for one in articles_by_id(asked.db, nearest):
        if one.withdrawn_at is None and not one.is_embargoed(asked.now):
            found.setdefault(one.story_id or -one.id, one)
    return [
        (
            Link(one.title, asked.to.article(one.id), one.language),
            one,
            _why_not(asked.wording, pairs[one.id]),
        )
        for one in islice(found.values(), CLOSE)
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

"""What an edition holds and in which order, and what of it each reader's choice sees."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from html import escape

from digest.editions.ranks import place_of
from digest.model import OTHER, Article, Choice, Edition, Hand, Layout, Placement, Section, Sibling

NO_HAND = Hand()
MANY_THEMES = 8
"""A mail with more themes has no bars and no pairs: they would make it too large."""
ROOM = 66_000
"""Bytes of HTML for themes and articles: with the rest of a mail it is under 80 kB, which Gmail shows
whole."""
THEME, BARS, LINE, LINK, TEXT, PAIR = 1_400, 1_600, 400, 200, 1_300, 2_700
"""At most so many of these bytes our templates print around the words of each."""


def order_placements(articles: Iterable[Article]) -> tuple[Placement, ...]:
    """The articles in the order of an edition, placed from 1, each with its story's other articles; one
    at the same address is no other.

    The newest day comes first, because readers look for what is new and see the day beside each
    headline. Within a day a full text comes before a teaser, and a stronger match before a weaker
    one. Articles whose day is unknown come last, full texts first: news that may be old never
    leads. The permanent id decides ties, so that the order does not depend on the order of arrival.
    """

    def by_editors(article: Article) -> tuple[int, bool, float, str]:
        day = article.published.day or date.min
        score = article.matches[0].score if article.matches else 0.0
        return -day.toordinal(), not article.complete, -score, article.atom_id

    ordered = sorted(articles, key=by_editors)
    stories: defaultdict[int | None, list[Sibling]] = defaultdict(list)
    for one in ordered:
        if one.story_id is not None:
            sibling = Sibling(one.id, one.atom_id, one.title, one.language, one.source, one.url)
            stories[one.story_id].append(sibling)
    return tuple(
        Placement(
            position,
            article,
            tuple(
                one
                for one in stories[article.story_id]
                if one.atom_id != article.atom_id and (one.url is None or one.url != article.url)
            ),
        )
        for position, article in enumerate(ordered, 1)
    )


def lay_out(
    placements: Sequence[Placement], choice: Choice, *, per_theme: int, hand: Hand = NO_HAND
) -> Layout:
    """What a reader with this choice sees: sections in the order of `choice.themes`, OTHER last.

    Each article appears once, under the best of the chosen themes; under OTHER only if it has no
    theme at all. An article that fits nowhere is left out. Of a story only one article appears, in
    the first possible of `choice.languages`; within a language a full text leads, then the one seen
    first. It is chosen among the articles that fit, so a story is not lost because one of its
    translations has other themes. Each section shows its first `per_theme` articles and counts all:
    what the editor's `hand` orders or lets lead comes first. If that is more than ROOM, the longest
    sections show less, but all that the editor chose.
    """
    fitting = [
        (placement, theme)
        for placement in placements
        if placement.article.language in choice.languages
        and (theme := section_of(placement.article, choice.themes)) is not None
    ]

    def leads(placed: tuple[Placement, str]) -> tuple[int, bool, datetime, int]:
        """As stories.lead_of, within a language."""
        article = placed[0].article
        language = choice.languages.index(article.language)
        return language, not article.complete, article.first_seen_at, article.id

    chosen: dict[int, Placement] = {}
    for placement, _ in sorted(fitting, key=leads):
        if placement.article.story_id is not None:
            chosen.setdefault(placement.article.story_id, placement)
    filed: defaultdict[str, list[Placement]] = defaultdict(list)
    for placement, theme in fitting:
        story = placement.article.story_id
        if story is None or chosen[story] is placement:
            filed[theme].append(placement)
    named = (*(() if hand.lead is None else (hand.lead,)), *hand.order)
    for placed in filed.values():
        placed.sort(key=lambda one: place_of(one, named))  # what is not named keeps its order
    order = [theme for theme in choice.themes if theme != OTHER and filed[theme]]
    order += [OTHER] if filed[OTHER] else []
    shown = {theme: filed[theme][:per_theme] for theme in order}
    weights = {theme: _weigh(shown[theme], len(order)) for theme in order}
    chosen_too = {
        theme: sum(place_of(one, named) < len(named) for one in shown[theme]) for theme in order
    }
    while sum(weights.values()) > ROOM:
        # The longest sections first; in a mail of many themes the last ones are only named.
        longer = [theme for theme in reversed(order) if len(shown[theme]) > chosen_too[theme]]
        if not longer:  # the dry run warns of its size
            break
        longest = max(longer, key=lambda theme: len(shown[theme]))
        shown[longest].pop()
        weights[longest] = _weigh(shown[longest], len(order))
    sections = (Section(theme, tuple(shown[theme]), len(filed[theme])) for theme in order)
    return Layout(choice, tuple(sections))


def _weigh(shown: Sequence[Placement], themes: int) -> int:
    """At most so many bytes of HTML is a theme with these articles, two of them with text."""
    wide = themes <= MANY_THEMES
    lines, texts = [], []
    for placement in shown:
        article, others = placement.article, placement.siblings
        links = len(others) + len(article.themes)
        words = [article.title, article.url or "", *(one.url or "" for one in others)]
        lines.append(LINE + LINK * links + sum(len(escape(one).encode()) for one in words))
        titles = sum(LINK + len(escape(one.title).encode()) for one in others)
        pair = wide and any(one.language != article.language for one in others)
        texts.append(TEXT + titles + PAIR * pair)
    return THEME + BARS * wide + sum(lines) + sum(sorted(texts)[-2:])


def section_of(article: Article, themes: Sequence[str]) -> str | None:
    """The one of these themes that shows the article: its best one; OTHER if it has none at all."""
    if not article.themes:
        return OTHER if OTHER in themes else None
    return next((theme for theme in article.themes if theme in themes), None)


def left_of(edition: Edition, gone: Collection[int] = ()) -> Edition:
    """The edition without its articles that were withdrawn, and without any that are `gone`."""
    articles = (placement.article for placement in edition.placements)
    gone = {*gone, *(one.id for one in articles if one.withdrawn_at is not None)}
    left = [one for one in edition.placements if one.article.id not in gone]
    placements = tuple(
        replace(
            placement,
            position=position,
            siblings=tuple(one for one in placement.siblings if one.id not in gone),
        )
        for position, placement in enumerate(left, 1)
    )
    return replace(edition, placements=placements)


def edition_hash(edition: Edition, zone: str) -> str:
    """SHA-256, in hexadecimal, over what the edition shows; `zone` is the digest's.

    The same copy gives the same hash in every database and at every hour of a day: row ids and
    clock times are not in it, only the window's first and last day.
    """
    first, last = edition.window.days(zone)
    hand = edition.hand
    named = {one.id: one.atom_id for placed in edition.placements for one in placed.siblings}
    named |= {placed.article.id: placed.article.atom_id for placed in edition.placements}
    shown = {
        "digest": edition.digest,
        "number": edition.number,
        "days": [first.isoformat(), last.isoformat()],
        "hand": [
            dict(hand.introduction),
            dict(hand.subject),
            named.get(hand.lead or 0),
            [named[one] for one in hand.order if one in named],
        ],
        "earlier": {
            theme: [dict(week) for week in weeks] for theme, weeks in edition.earlier.items()
        },
        "articles": [
            {
                "atom_id": article.atom_id,
                "version": article.version,
                "title": article.title,
                "title_made": article.title_made,
                "lead": article.lead,
                "correction": article.correction,
                "language": article.language,
                "source": article.source,
                "byline": article.byline,
                "published": article.published.iso,
                "themes": article.themes,
                "complete": article.complete,
                "url": article.url,
                "siblings": [
                    [one.atom_id, one.title, one.language, one.source, one.url]
                    for one in placement.siblings
                ],
            }
            for placement in edition.placements
            for article in (placement.article,)
        ],
    }
    canonical = json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()

"""What an edition holds and in which order, and what of it each reader's choice sees."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from digest.model import OTHER, Article, Choice, Layout, Placement, Section, Sibling, Window


def order_placements(articles: Iterable[Article]) -> tuple[Placement, ...]:
    """The articles in the order of an edition, placed from 1, each with its story's other articles.

    The newest day first, because readers look for what is new and see the day beside each headline.
    Within a day a full text comes before a teaser, and the stronger match before the weaker: what an
    editor would rather put on top. Articles whose day is unknown come last, full texts first: news
    that may be old never leads. The permanent id decides what is left, so that the order does not
    hang on the order of arrival.
    """
    ordered = sorted(articles, key=_editors_order)
    stories: defaultdict[int, list[Sibling]] = defaultdict(list)
    for article in ordered:
        if article.story_id is not None:
            stories[article.story_id].append(_sibling(article))
    return tuple(
        Placement(
            position,
            article,
            tuple(
                sibling
                for sibling in (stories[article.story_id] if article.story_id is not None else ())
                if sibling.atom_id != article.atom_id
            ),
        )
        for position, article in enumerate(ordered, 1)
    )


def lay_out(placements: Sequence[Placement], choice: Choice, *, per_theme: int) -> Layout:
    """What a reader with this choice sees: sections in the order of `choice.themes`, OTHER last.

    Each article stands once, under the best of its themes among those chosen; under OTHER only if
    it has no theme at all. What fits nowhere is left out. Of a story only one article stands: that
    in the first of `choice.languages`, within a language that which leads: a whole text, then the one
    first seen; it is chosen among those that fit, so that a story is not lost because one of its translations was
    filed differently. Each section shows its first `per_theme` articles and counts all.
    """
    filed: defaultdict[str, list[Placement]] = defaultdict(list)
    for placement in _one_of_each_story(placements, choice):
        if (theme := section_of(placement.article, choice.themes)) is not None:
            filed[theme].append(placement)
    order = [theme for theme in choice.themes if theme != OTHER]
    sections = tuple(
        Section(theme, tuple(filed[theme][:per_theme]), len(filed[theme]))
        for theme in (*order, OTHER)
        if filed[theme]
    )
    return Layout(choice, sections)


def edition_hash(
    *, digest: str, number: int, window: Window, zone: str, placements: Sequence[Placement]
) -> str:
    """SHA-256, in hexadecimal, over what the edition shows; `zone` is the digest's.

    The same copy gives the same hash in every database and at every hour of a day: row ids and
    clock times are not in it, only the window's first and last day.
    """
    first, last = window.days(zone)
    shown = {
        "digest": digest,
        "number": number,
        "days": [first.isoformat(), last.isoformat()],
        "articles": [_shown(placement) for placement in placements],
    }
    canonical = json.dumps(shown, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _editors_order(article: Article) -> tuple[int, bool, float, str]:
    day = article.published.day or date.min
    score = article.matches[0].score if article.matches else 0.0
    return -day.toordinal(), not article.complete, -score, article.atom_id


def _sibling(article: Article) -> Sibling:
    return Sibling(
        article.id, article.atom_id, article.title, article.language, article.source, article.url
    )


def section_of(article: Article, themes: Sequence[str]) -> str | None:
    """Under which of these themes an article stands: its best one, OTHER if it has none at all."""
    if not article.themes:
        return OTHER if OTHER in themes else None
    return next((theme for theme in article.themes if theme in themes), None)


def _one_of_each_story(placements: Sequence[Placement], choice: Choice) -> list[Placement]:
    """Placements that the choice can show, in the given order, one for each story."""
    fitting = [
        placement
        for placement in placements
        if placement.article.language in choice.languages
        and section_of(placement.article, choice.themes) is not None
    ]
    chosen: dict[int, Placement] = {}
    for language in choice.languages:
        for placement in sorted(fitting, key=_leads):
            story = placement.article.story_id
            if story is not None and placement.article.language == language:
                chosen.setdefault(story, placement)
    return [
        placement
        for placement in fitting
        if placement.article.story_id is None or chosen[placement.article.story_id] is placement
    ]


def _leads(placement: Placement) -> tuple[bool, datetime, int]:
    """As stories.lead_of, for the article of a story that leads among those that fit."""
    article = placement.article
    return not article.complete, article.first_seen_at, article.id


def _shown(placement: Placement) -> dict[str, object]:
    article = placement.article
    return {
        "atom_id": article.atom_id,
        "version": article.version,
        "title": article.title,
        "title_made": article.title_made,
        "lead": article.lead,
        "language": article.language,
        "source": article.source,
        "byline": article.byline,
        "published": article.published.iso,
        "themes": article.themes,
        "complete": article.complete,
        "url": article.url,
        "siblings": [
            [sibling.atom_id, sibling.title, sibling.language, sibling.source, sibling.url]
            for sibling in placement.siblings
        ],
    }

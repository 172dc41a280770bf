"""The pages of the news: front, theme, article.

Their articles are laid out, ranked and cut as in a mail, so that both agree.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from digest.config.urls import SitePages, article_page, feed_slug, feed_url, join_url, site_pages
from digest.editions.mail import FEWEST_WEEKS, Mail, Part, tally, view_mail
from digest.editions.mail import Item as Line
from digest.editions.mail import Link as Onward
from digest.editions.selection import NO_HAND, lay_out, order_placements
from digest.editions.store import newest_sent
from digest.errors import NotFoundError
from digest.feeds.channels import ATOM
from digest.feeds.items import Item, item_of
from digest.feeds.pages import Link, stated_day
from digest.language.text import words
from digest.language.wording import OWN_NAMES, Wording
from digest.model import OTHER, Article, Choice, Edition, Hand, Match, Placement, Window
from digest.model import Place as Spot
from digest.store.articles import (
    article_versions,
    articles_by_id,
    changed_parts,
    each_article,
    find_article,
    latest_ids,
    siblings_of,
)
from digest.store.database import moment_from_text
from digest.store.pictures import picture_of
from digest.web.choosing import next_edition
from digest.web.site import Asked, Page, Place, id_in, in_own
from digest.web.store import themes_beside

RANKED = 150
"""How many articles of a week are ranked, the newest."""
MOST = 300
"""How many articles of a theme are looked at for others beside it."""
FEWEST, FILL = 12, 40
"""A week of fewer articles is filled up to so many with earlier ones."""
LINES = 48
"""About so many articles the columns of the front show, shared among the themes."""
WEEKS, YEAR_HALF = 8, 26
A_PAGE = 30
WORDS_A_MINUTE = 200
NOTE_LASTS = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Chart:
    """Weeks as bars, the oldest first: paths of those before, of this one, and of those without any.

    `lines` are (height, number) of a scale, `labels` are (place, day, whether a phone leaves it out).
    """

    said: str
    past: str
    now: str
    nil: str
    lines: tuple[tuple[float, str], ...] = ()
    labels: tuple[tuple[float, str, bool], ...] = ()


def bars(
    counts: Sequence[int], top: int, said: str, *, step: float, width: float, height: int
) -> Chart:
    """A bar each `step`, `height` high where it is `top`; a thin line for none."""
    paths = {"past": "", "now": "", "nil": ""}
    for at, count in enumerate(counts):
        kind = "nil" if not count else "now" if at == len(counts) - 1 else "past"
        high = max(2, round(count * height / top)) if count else 1
        x = f"{at * step:.1f}".removesuffix(".0")
        paths[kind] += f"M{x} {height - high}h{width:g}v{high}h-{width:g}z"
    return Chart(said, paths["past"], paths["now"], paths["nil"])


def _listed(
    asked: Asked,
    articles: Sequence[Article],
    window: Window,
    *,
    themes: Sequence[str] = (),
    per_theme: int = A_PAGE,
    hand: Hand = NO_HAND,
) -> Mail:
    """These articles as a mail would show them, in the language of the page first."""
    settings, language = asked.settings, asked.language
    known = {*settings.theme_keys}
    shown = [
        replace(one, matches=tuple(match for match in one.matches if match.theme in known))
        for one in articles
        if one.withdrawn_at is None
    ]
    siblings = siblings_of(asked.db, [one.id for one in shown], asked.now)
    placements = tuple(
        Placement(one.position, one.article, tuple(siblings.get(one.article.id, ())))
        for one in order_placements(shown)
    )
    spoken = (language, *settings.site.languages, *(one.language for one in shown))
    choice = Choice(
        language, tuple(dict.fromkeys(spoken)), tuple(themes) or (*settings.theme_keys, OTHER)
    )
    edition = Edition(None, "", 1, window, "", placements, hand=hand)
    layout = lay_out(placements, choice, per_theme=per_theme, hand=hand)
    return view_mail(settings, settings.digests[0], edition, layout)


def _page(asked: Asked, template: str, address: Callable[[SitePages], str], **values: Any) -> Page:
    """With what `web/items.html` needs: the themes by the words that name one beside an article."""
    names, language = asked.settings.theme_names, asked.language
    also = asked.wording.also_theme
    under = {also.format(theme=one.title(language)): key for key, one in names.items()}
    return asked.page(template, address, under=under, **values)


def front(asked: Asked) -> Page:
    db, settings, wording, now = asked.db, asked.settings, asked.wording, asked.now
    themes = (*settings.theme_keys, OTHER)
    weeks, found = asked.by_week(WEEKS)
    recent = latest_ids(db, since=weeks[-1].starts_at, until=now, limit=RANKED)
    articles = [one for one in each_article(db, recent) if not one.archived]
    whole = len(articles) >= FEWEST
    if not whole:
        articles = list(each_article(db, latest_ids(db, until=now, limit=FILL)))
    spoken = [one for one in settings.digests if asked.language in settings.digest_languages(one)]
    digests = [one.name for one in spoken]
    sent = newest_sent(db, digests)
    hand = sent["hand"] if sent and now - sent["dated_at"] <= NOTE_LASTS else NO_HAND
    mail = _listed(
        asked, articles, weeks[-1], per_theme=max(2, min(6, LINES // len(themes))), hand=hand
    )
    number = wording.edition.format(number=wording.number(sent["number"])) if sent else ""
    counts = {key: [sum(week.values()) for week in found[key]] for key in themes}
    top = max(max(one) for one in counts.values())
    items = [item for part in mail.parts for item in part.items]
    lead = next(((part, one) for part in mail.parts for one in part.items if one.rank == 1), None)
    both = next(((part, one) for part in mail.parts for one in part.items if one.pair), None)
    apart = {one.id for _, one in filter(None, (lead, both))}
    columns = []
    for part in mail.parts:
        rest, more = tuple(item for item in part.items if item.id not in apart), part.more
        if whole and (n := counts[part.key][-1] - len(part.items)) > 0:
            text = wording.more_theme.format(n=wording.number(n), theme=part.title)
            more = Onward(text, asked.to.theme(part.key))
        if rest or more:
            said = tally(wording, counts[part.key])
            columns.append(replace(part, items=rest, tally=said, more=more))
    return _page(
        asked,
        "web/front.html",
        lambda to: to.front,
        mail=mail,
        lead=lead,
        both=both,
        empty=not items,
        columns=columns,
        charts={
            part.key: bars(counts[part.key], top, said, step=12, width=9, height=38)
            for part in columns
            if len(counts[part.key]) > FEWEST_WEEKS and top
            for said in [_said(wording, part, counts[part.key])]
        },
        join=join_url(settings, asked.language),
        next_edition=next_edition(settings, digests, wording, now),
        last=sent and Link(number, asked.to.edition(sent["digest"], sent["number"])),
    )


def _said(wording: Wording, part: Part, counts: Sequence[int]) -> str:
    numbers = ", ".join(map(wording.number, counts))
    return wording.reading["by_week"].format(theme=part.title, counts=numbers)


def theme(asked: Asked) -> Page:
    """A theme over the weeks, and its articles, newest ones by rank; with `before` those after that one."""
    db, settings, wording, key = asked.db, asked.settings, asked.wording, asked.names["theme"]
    name = settings.theme_names.get(key)
    if name is None:
        raise NotFoundError(f"there is no theme {key}")
    title, given = name.title(asked.language), asked.query.get("before")
    before = id_in(given) if given is not None else None
    ids = latest_ids(db, theme=key, until=asked.now, limit=MOST, before=before)
    if before is not None and not ids:
        raise NotFoundError(f"nothing comes after {before}")
    known, found = asked.by_week(YEAR_HALF if before is None else 1)
    articles = list(each_article(db, ids[:A_PAGE]))
    mail = _listed(asked, articles, known[-1], themes=(key,))
    recent = [one for one in articles if one.first_seen_at >= known[-1].starts_at]
    chart, counts = None, [sum(one.values()) for one in found[key]]
    if len(counts) > FEWEST_WEEKS and any(counts):
        chart = _chart(wording, title, known, counts, settings.site.time_zone)
    return _page(
        asked,
        "web/theme.html",
        lambda to: to.theme(key) + (f"?before={before}" if before is not None else ""),
        theme=key,
        feed="" if key == OTHER else feed_slug(key),
        indexed=before is None,
        name=title,
        key=key,
        came=tally(wording, counts[-WEEKS:]) if before is None else "",
        listed=[item for part in mail.parts for item in part.items],
        heading=wording.reading[
            "older" if before is not None else "this_week" if len(recent) == len(ids) else "newest"
        ],
        chart=chart,
        table=_table(asked, known, found[key]) if chart else [],
        columns=[wording.reading["also_" + one] for one in _others(asked)],
        older=f"{asked.to.theme(key)}?before={ids[A_PAGE - 1]}" if len(ids) > A_PAGE else "",
        only="" if key == OTHER else feed_url(settings, ATOM, key, asked.language),
        beside=_beside(asked, key, ids) if before is None and key != OTHER else [],
        among=wording.reading["among"].format(n=MOST) if len(ids) == MOST else "",
    )


def _others(asked: Asked) -> list[str]:
    return [one for one in asked.settings.page_languages if one != asked.language]


def article_asked(asked: Asked) -> Article:
    """The article that the address names.

    Raises:
        NotFoundError: there is none, or it is embargoed.
    """
    found = find_article(asked.db, id_in(asked.names["article"]))
    if found.is_embargoed(asked.now):
        raise NotFoundError(f"article {found.id} is embargoed")
    return found


def _chart(
    wording: Wording, title: str, weeks: Sequence[Window], counts: Sequence[int], zone: str
) -> Chart:
    high, top = 150, max(counts)
    tick = -(-top // 3)
    step = 1000 / len(weeks)
    last = len(weeks) - 1
    places = {0: False, len(weeks) // 3: False, 2 * len(weeks) // 3: True, last: False}
    said = wording.reading["weeks"].format(theme=title, n=len(weeks))
    return replace(
        bars(counts, top, said, step=step, width=round(0.8 * step, 1), height=high),
        lines=tuple(
            (round(high - n * high / top, 1), wording.number(n)) for n in range(tick, top + 1, tick)
        ),
        labels=tuple(
            (round(at * step, 1), wording.day(weeks[at].days(zone)[0], "d MMMM"), optional)
            for at, optional in places.items()
        ),
    )


def _table(
    asked: Asked, weeks: Sequence[Window], found: Sequence[Mapping[str, int]]
) -> list[tuple[str, list[str]]]:
    """Each week, the newest first: its days, how many stories, and how many in each other language."""
    rows = []
    for week, counts in reversed(list(zip(weeks, found, strict=True))):
        numbers = [sum(counts.values())]
        numbers += [
            sum(n for spoken, n in counts.items() if one in spoken.split())
            for one in _others(asked)
        ]
        days = asked.wording.days(*week.days(asked.settings.site.time_zone))
        rows.append((days, [asked.wording.number(n) for n in numbers]))
    return rows


def _beside(asked: Asked, key: str, ids: Sequence[int]) -> list[tuple[Link, str]]:
    """The other themes of these articles, and of how many."""
    names, wording = asked.settings.theme_names, asked.wording
    return [
        (
            Link(names[one].title(asked.language), asked.to.theme(one), theme=one),
            wording.count(wording.articles, n),
        )
        for one, n in themes_beside(asked.db, key, ids).items()
        if one in names
    ]


def article(asked: Asked) -> Page:
    db, settings, wording = asked.db, asked.settings, asked.wording
    full = article_asked(asked)
    number = full.id
    siblings = siblings_of(db, [number], asked.now).get(number, [])
    item, shown = item_of(full, siblings, settings), settings.as_shown(full)
    gone = full.withdrawn_at is not None
    others = sorted(siblings, key=lambda one: one.source != full.source)
    translated = {one.language: one.id for one in reversed(others)} | {full.language: number}
    at_home = site_pages(settings, full.language, whole=True)
    best = next((one for one in full.themes if one in settings.theme_keys), OTHER)
    zone = ZoneInfo(settings.site.time_zone)
    versions = [] if gone else article_versions(db, number)
    kind = wording.full_text if shown.complete else wording.teaser
    alternates = {full.language: at_home.article(number)} | {
        one: site_pages(settings, one, whole=True).article(translated[one])
        for one in settings.page_languages
        if one in translated
    }
    return _page(
        asked,
        "web/reading.html",
        lambda _: at_home.article(number),
        theme=best,
        languages=[
            Link(
                in_own(one),
                site_pages(settings, one).article(translated.get(one, number)),
                one,
                target=one if one in translated else full.language,
            )
            for one in _others(asked)
        ],
        alternates={} if gone else alternates,
        feed=feed_slug(None if best == OTHER else best, asked.language),
        indexed=not gone,
        status=410 if gone else 200,
        card="" if gone else at_home.card(number),
        item=item,
        shown=None if gone else picture_of(db, settings, [full]).get(number),
        article=shown,
        gone=gone,
        key=best,
        label=Link(settings.theme_name(best).title(asked.language), asked.to.theme(best)),
        language=full.language,
        source=settings.source_title(full.source),
        day=stated_day(full.published.day, wording),
        kind=kind if shown.text and not gone else "",
        minutes=_minutes(wording, shown.text) if shown.complete and not gone else "",
        away=item.url if item.url != article_page(settings, full) else "",
        why=[]
        if gone
        else [_why(asked, one, shown) for one in full.matches if one.theme in settings.theme_keys],
        dated="" if gone else _dated(asked, full, shown),
        came=wording.reading["came"].format(
            day=wording.day((full.received_at or full.first_seen_at).astimezone(zone).date())
        ),
        story=[
            (
                Link(one.title, asked.to.article(one.id), one.language),
                settings.source_title(one.source),
                OWN_NAMES.get(one.language, one.language),
            )
            for one in siblings
        ],
        compare=asked.to.story(siblings[0].id if gone else number) if len(siblings) > gone else "",
        next_under=[] if gone else _next_under(asked, full, best),
        history=_history(wording, versions, zone),
        report=f"mailto:{settings.site.contact}?subject={number}",
        data=None if gone else _data(asked, item, shown, at_home.article(number)),
    )


def _minutes(wording: Wording, text: str) -> str:
    forms = {key[8:]: one for key, one in wording.reading.items() if key.startswith("minutes_")}
    return wording.count(forms, max(1, round(len(words(text)) / WORDS_A_MINUTE)))


def _quoted(asked: Asked, texts: Sequence[str], language: str) -> Markup:
    """Words of the copy, in its language."""
    span = Markup('<span lang="{}">{}</span>') if language != asked.language else Markup("{1}")
    form = Markup(asked.wording.reading["quoted"])  # noqa: S704 - our wording
    return Markup(", ").join(form.format(text=span.format(language, one)) for one in texts)


def _why(asked: Asked, match: Match, shown: Article) -> tuple[str, Markup]:
    """Why it is under a theme, in words that readers can see."""
    names, wording = asked.settings.theme_names, asked.wording.reading
    heading = wording["why"].format(theme=names[match.theme].title(asked.language))
    if match.by == "editor":
        return heading, Markup(wording["by_editor"])  # noqa: S704 - our wording
    said: list[Markup] = []
    seen = set[str]()
    for spot, text in ((Spot.TITLE, shown.title), (Spot.LEAD, shown.text), (Spot.BODY, shown.text)):
        forms = {
            one.form.casefold(): one.form for one in match.hits if one.place is spot and one.weight
        }
        new = [form for key, form in forms.items() if key not in seen and key in text.casefold()]
        seen.update(forms)
        if new and not (said and spot is Spot.BODY):
            form = Markup(wording[f"in_{spot}"])  # noqa: S704 - our wording
            said.append(form.format(words=_quoted(asked, new[:6], shown.language)))
    score, least = (asked.wording.number(round(n, 2)) for n in (match.score, match.threshold))
    return heading, Markup(" ").join([*said, wording["score"].format(score=score, threshold=least)])


def _dated(asked: Asked, full: Article, shown: Article) -> Markup:
    """Where the date is from, with the words that state it, as far as readers see them."""
    said = Markup(asked.wording.reading[f"date_{full.published.source}"])  # noqa: S704 - our wording
    stated = full.published.evidence.translate({91: None, 93: None}).rstrip(".")
    if stated and stated in " ".join([shown.title, *shown.text.split(), full.dateline or ""]):
        said = said[:-1] + ": " + _quoted(asked, [stated], full.language) + "."
    return said


def _next_under(asked: Asked, full: Article, key: str) -> list[Line]:
    ids = latest_ids(
        asked.db, theme=key, language=full.language, until=asked.now, before=full.id, limit=6
    )
    articles = [
        one
        for one in articles_by_id(asked.db, ids)
        if one.withdrawn_at is None and (one.story_id is None or one.story_id != full.story_id)
    ]
    mail = _listed(
        asked, articles[:3], Window(asked.now, asked.now + timedelta.resolution), themes=(key,)
    )
    return [item for part in mail.parts for item in part.items]


def _history(
    wording: Wording, versions: Sequence[Mapping[str, object]], zone: ZoneInfo
) -> list[str]:
    """What each later version changed, and when."""
    said = []
    for before, after in itertools.pairwise(versions):
        if parts := changed_parts(before, after):
            day = moment_from_text(str(after["made_at"])).astimezone(zone).date()
            names = ", ".join(wording.parts[one] for one in parts if one in wording.parts)
            on = wording.changed_on.format(day=wording.day(day))
            said.append(f"{on}: {names}." if names else f"{on}.")
    return said


def _data(asked: Asked, item: Item, shown: Article, address: str) -> Markup:
    """The article for machines (schema.org), with nothing that the copy does not state."""
    settings = asked.settings
    said = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "name" if shown.title_made else "headline": item.title,
        "inLanguage": shown.language,
        "url": address,
        "mainEntityOfPage": address,
        "datePublished": shown.published.iso,
        "dateModified": shown.updated_at.isoformat(timespec="seconds")
        if shown.version > 1
        else None,
        "description": item.summary or None,
        "author": {"@type": "Person", "name": shown.byline} if shown.byline else None,
        "articleSection": [one.label for one in item.categories] or None,
        "isBasedOn": shown.url if item.url == shown.url else None,
        "sourceOrganization": {
            "@type": "Organization",
            "name": settings.source_title(shown.source),
        },
        "publisher": {
            "@type": "Organization",
            "name": settings.site.title,
            "url": site_pages(settings, asked.language, whole=True).front,
        },
    }
    text = json.dumps(
        {key: one for key, one in said.items() if one is not None}, ensure_ascii=False
    )
    for sign in "<>&":  # nothing in it ends the element, or begins another
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - what HTML reads in it is escaped above


PLACES = (
    Place("/{language}/", front),
    Place("/{language}/themes/{theme}", theme, ("before",)),
    Place("/{language}/articles/{article}", article),
)

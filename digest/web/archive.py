"""The editions that went out: their list, and each mail as a page, without anybody's tokens."""

import re
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import groupby

from digest.config.settings import DigestConfig
from digest.config.urls import join_url, site_pages
from digest.editions.mail import TITLE_LIMIT, make_segment
from digest.editions.ranks import rank
from digest.editions.selection import lay_out, left_of
from digest.editions.store import edition_by_id, edition_sent, editions_sent, gone_among
from digest.errors import NotFoundError
from digest.feeds.pages import Link
from digest.language.text import cut_at_word
from digest.mail.tokens import PLACEHOLDERS
from digest.model import Choice, Edition, Layout
from digest.store.articles import each_article
from digest.web.forms import title_of
from digest.web.site import HEADERS, Asked, Page, Place, id_in, in_own

A_PAGE = 25
BAR_HEIGHT = 30
_CSP = b"content-security-policy"
MAIL_HEADERS = tuple(
    (name, value.replace(b"style-src 'self'", b"style-src 'unsafe-inline'"))
    if name == _CSP
    else (name, value)
    for name, value in HEADERS
)
"""A mail has its styles in itself."""
_TOKEN = "|".join(PLACEHOLDERS)
_LINK = rf'<a\b[^>]*?href="[^"]*(?:{_TOKEN})[^"]*"[^>]*>(.*?)</a>'
_WITH_TOKEN = re.compile(_LINK, re.DOTALL)
_LINE_WITH_TOKEN = re.compile(rf"<p\b[^>]*>(?:(?!</p>).)*?{_LINK}.*?</p>", re.DOTALL)

_INK = 'style="color:#59616a"'
_BAR = (
    "max-width:552px;margin:0 auto;padding:12px 24px 0;color:#59616a;"
    "font:13px/20px -apple-system,Segoe UI,Roboto,Arial,sans-serif"
)
"""Of the line above a mail, by whose class "m" it is light in the dark."""


@dataclass(frozen=True, slots=True)
class Row:
    """An edition in the list. `days` are those of its window; `title` is the headline that leads it, `more`
    how many articles come after it; `made` says that the headline is ours; `bars` are theme, offset and height in pixels, said in `counts`."""

    href: str
    number: int
    days: str
    year: int
    digest: str
    title: str
    made: bool
    more: str
    bars: tuple[tuple[str, int, int], ...]
    counts: str


def editions_page(asked: Asked) -> Page:
    """The newest editions, or those before the one of an id."""
    settings, wording, to = asked.settings, asked.wording, asked.to
    digests = [one for one in settings.digests if asked.language in settings.digest_languages(one)]
    before = asked.query.get("before", "")
    older = int(before) if re.fullmatch(r"[0-9]{1,12}", before) else None
    names = [one.name for one in digests]
    ids = editions_sent(asked.db, names, before=older, limit=A_PAGE + 1)
    loaded = (edition_by_id(asked.db, i) for i in ids[:A_PAGE])
    shown = [one for frozen in loaded if (one := _shown(asked, frozen)) is not None]
    most = max((one.total for _, _, layout in shown for one in layout.sections), default=1)
    rows = [_row(asked, *one, most, several=len(digests) > 1) for one in shown]
    keys = dict.fromkeys(key for one in digests for key in settings.digest_themes(one))
    themes = [settings.theme_name(key).title(asked.language) for key in keys]
    place = to.page("editions/")
    return asked.page(
        "web/editions.html",
        lambda pages: pages.page("editions/"),
        current="editions/",
        indexed=older is None,
        years=[(year, list(same)) for year, same in groupby(rows, lambda row: row.year)],
        themes=f" {wording.and_} ".join(filter(None, (", ".join(themes[:-1]), themes[-1])))
        if themes
        else "",
        older=f"{place}?before={ids[A_PAGE - 1]}" if len(ids) > A_PAGE else "",
        newest=place if older is not None else "",
    )


def edition_page(asked: Asked) -> Page:
    """The mail for whoever chose all themes in this language, under a line of links."""
    settings, names = asked.settings, asked.names
    digest, number = settings.digest(names["digest"]), names["number"]
    if digest is None or asked.language not in settings.digest_languages(digest):
        raise NotFoundError("no such digest in this language")
    edition_id = edition_sent(asked.db, digest.name, id_in(number))
    frozen = None if edition_id is None else edition_by_id(asked.db, edition_id)
    shown = None if frozen is None else _shown(asked, frozen)
    if frozen is None or shown is None:
        raise NotFoundError("no such edition")
    _, edition, layout = shown
    mail = make_segment(settings, digest, edition, layout, asked.newsroom.templates)
    if join := join_url(settings, asked.language):
        html = _WITH_TOKEN.sub(rf'<a style="color:inherit" href="{escape(join)}">\1</a>', mail.html)
    else:
        html = _LINE_WITH_TOKEN.sub("", mail.html)
    for token in PLACEHOLDERS:
        html = html.replace(token, "")
    head, bar = _around(asked, digest, frozen, mail.subject)
    html = html.replace("</head>", f"{head}</head>", 1)
    html = re.sub(r"(<body\b[^>]*>)", lambda found: found[0] + bar, html, count=1)
    return Page(html.encode(), headers=MAIL_HEADERS)


PLACES = (
    Place("/{language}/editions/", editions_page, ("before",)),
    Place("/{language}/editions/{digest}/{number}", edition_page),
)


def _shown(asked: Asked, frozen: Edition) -> tuple[DigestConfig, Edition, Layout] | None:
    """An edition as it went out to who chose everything in this language, without what was withdrawn since;
    None if nothing of it was in this language."""
    settings = asked.settings
    digest = settings.digest(frozen.digest)
    assert digest is not None, "only editions of digests that there are"  # noqa: S101
    choice = Choice(asked.language, (asked.language,), settings.digest_themes(digest))

    def lay(edition: Edition) -> Layout:
        return lay_out(edition.placements, choice, per_theme=digest.per_theme, hand=edition.hand)

    if frozen.placements and not lay(frozen).total:
        return None
    named = {placed.article.id for placed in frozen.placements}
    named |= {one.id for placed in frozen.placements for one in placed.siblings}
    edition = left_of(frozen, gone_among(asked.db, named, asked.now))
    return digest, edition, lay(edition)


def _row(
    asked: Asked,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    most: int,
    *,
    several: bool,
) -> Row:
    wording, settings = asked.wording, asked.settings
    first, last = edition.window.days(settings.digest_zone(digest))
    lead = next(iter(rank(edition, layout)), None)
    placed = {one.article.id: one.article for one in edition.placements}
    title = cut_at_word(placed[lead].title, TITLE_LIMIT) if lead else wording.nothing_new
    totals = {one.theme: one.total for one in layout.sections}
    keys = layout.choice.themes
    heights = [
        max(1, round(totals[key] * BAR_HEIGHT / most)) if key in totals else 1 for key in keys
    ]
    return Row(
        href=asked.to.edition(digest.name, edition.number),
        number=edition.number,
        days=_days(asked, first, last),
        year=last.year,
        digest=title_of(digest, asked.language) if several else "",
        title=title,
        made=lead is not None and placed[lead].title_made,
        more=wording.count(wording.more_subject, layout.total - 1) if layout.total > 1 else "",
        bars=tuple(
            (key, 13 * at, height)
            for at, (key, height) in enumerate(zip(keys, heights, strict=True))
        )
        if totals
        else (),
        counts=", ".join(
            f"{settings.theme_name(key).title(asked.language)} {totals[key]}" for key in totals
        ),
    )


def _days(asked: Asked, first: date, last: date) -> str:
    """Without the year, which is above; "30 November 2026 – 3 January 2027" with both."""
    text = asked.wording.days(first, last)
    if first.year != last.year:
        return text
    year = asked.wording.day(last, "y")
    return re.sub(rf"[\s,]*{year}[\s\u00a0]*(?:г\.)?$", "", text)


def _around(asked: Asked, digest: DigestConfig, frozen: Edition, subject: str) -> tuple[str, str]:
    """What goes into the head of the mail, and the line of links above it."""
    settings, wording, names = asked.settings, asked.wording, asked.wording.archive
    whole = {
        one: site_pages(settings, one, whole=True).edition(digest.name, frozen.number)
        for one in settings.page_languages
        if one in settings.digest_languages(digest)
    }
    name = f"{wording.edition.format(number=wording.number(frozen.number))} · {settings.site.title}"
    head = [f'<link rel="canonical" href="{escape(whole[asked.language])}">']
    head += [
        f'<link rel="alternate" hreflang="{one}" href="{escape(url)}">'
        for one, url in whole.items()
    ]
    facts = {"type": "article", "title": subject, "url": whole[asked.language], "site_name": name}
    head += [f'<meta property="og:{key}" content="{escape(text)}">' for key, text in facts.items()]
    head.append(f'<meta name="description" content="{escape(f"{subject} · {name}")}">')
    links = [Link(names["back"], asked.to.page("editions/"))]
    links += [
        Link(in_own(one), site_pages(settings, one).edition(digest.name, frozen.number), one)
        for one in whole
        if one != asked.language
    ]
    line = " · ".join(
        f'<a {_INK} href="{escape(one.href)}"'
        + (f' lang="{one.language}" hreflang="{one.language}"' if one.language else "")
        + f">{escape(one.text)}</a>"
        for one in links
    )
    bar = f'<nav aria-label="{escape(names["back"])}">{line}</nav>{_since(asked, frozen)}'
    return "".join(head), f'<header class="m" style="{_BAR}">{bar}</header>'


def _since(asked: Asked, frozen: Edition) -> str:
    """What was withdrawn or corrected since the mail went out."""
    names, sent = asked.wording.archive, frozen.dated_at
    versions = {
        one.article.id: one.article.version
        for one in frozen.placements
        if one.article.language == asked.language
    }
    now = list(each_article(asked.db, versions))
    said = {
        "withdrawn": [one for one in now if one.withdrawn_at is not None],
        "corrected": [
            one
            for one in now
            if one.withdrawn_at is None
            and one.version != versions[one.id]
            and one.corrected_at is not None
            and sent is not None
            and one.corrected_at > sent
        ],
    }
    place = escape(asked.to.page("corrections"))
    return "".join(
        f'<p style="margin:6px 0 0"><a {_INK} href="{place}">{escape(names[key])}</a> '
        + "; ".join(f'<span lang="{one.language}">{escape(one.title)}</span>' for one in articles)
        + "</p>"
        for key, articles in said.items()
        if articles
    )

"""A segment's edition as mail: the values for the templates, then subject, text and HTML."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.config import urls
from digest.config.settings import DigestConfig, Settings
from digest.editions.ranks import FEW, rank
from digest.editions.selection import MANY_THEMES
from digest.errors import ConfigError
from digest.language.text import (
    ELLIPSIS,
    NO_BREAK,
    Stroke,
    capital,
    cut,
    cut_at_word,
    name_mark,
    word_lists,
)
from digest.language.wording import OWN_NAMES, Wording, wording_for
from digest.mail.letters import render_parts
from digest.mail.tokens import PLACEHOLDERS, change_url, leave_urls
from digest.model import (
    OTHER,
    Article,
    Change,
    Edition,
    Layout,
    Placement,
    RenderedMail,
    Section,
    Window,
)

if TYPE_CHECKING:
    from jinja2 import Environment


TEXT_LIMITS = {1: 330, 2: 190, 3: 0}
"""Characters of text that an article of each rank shows; in a mail of few articles all have the first."""
COLUMN_LIMIT = 110
TITLE_LIMIT = 120
"""Characters of a headline of rank 3."""
BAR_HEIGHT = 38
ALSO = 3
"""Other themes that are named beside an article."""
FEWEST_WEEKS = 4
"""Earlier weeks that a theme needs for its bars."""
SENTENCE_ENDS = '.!?…"”»'
SEPARATOR = " · "
_BOUND_TO_NEXT_WORD = re.compile(
    r"(?<![\w.])(\d{1,2}|№|No\.|[Аа]рт\.|[Сс]т\.|[Пп]п?\.|[Гг]\.|г-н|г-жа|Mrs?\.|Ms\.|Dr\.)[ ]"
    r"(?=[^\W_])"
)
_SMALL_WORDS = word_lists("language/languages.toml")["small_words"]
_DANGLING = re.compile(
    rf"(?: (?:{'|'.join(sorted({word for words in _SMALL_WORDS.values() for word in words}))}))+…$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Link:
    """A text and its address. `language` is that of the page at the address, None if unknown; `note`
    says of another article of the story how it differs, with its outlet, and `label` the same in short.
    In a pair `label` is the language's own name and `note` the beginning of the text.
    """

    text: str
    url: str
    language: str | None = None
    note: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One article as the mail shows it.

    `rank` 1 is the lead, 2 has text, 3 is a line. `language` is None if it is that of the mail. `made`
    says that the title is ours. `first` marks the first article of the mail. `notes` are source, day and
    so on, in order, as far as they differ from most; `under` are those that name a theme of this mail,
    with its key; the one that is `day[1]` is the day, `day[0]` the same in ISO 8601. `also` links to the
    other articles of the story. `pair` has the event in both languages of the reader, or nothing; `both`
    names them, and `compare` leads to both side by side, None where no site has that page. `group` is the
    heading of the articles in another language, for the first of them.
    """

    title: str
    url: str
    lead: str
    language: str | None
    made: bool
    first: bool
    rank: int
    notes: tuple[str, ...]
    under: Mapping[str, str]
    also: tuple[Link, ...]
    pair: tuple[Link, ...] = ()
    both: str = ""
    group: str = ""
    id: int = 0
    day: tuple[str, str] = ("", "")
    compare: Link | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A theme with its articles. `count` is the number of all its articles, in the reader's language;
    `tally` says the same in words, with the earlier weeks if they are known.

    `anchor` is its id in the HTML part; `more` is None if everything is shown. `bars` are the heights in
    pixels of up to seven earlier weeks and this one, 1 for none; empty where too few are known.
    """

    key: str
    anchor: str
    title: str
    count: str
    tally: str
    bars: tuple[int, ...]
    colour: str
    colour_dark: str
    items: tuple[Item, ...]
    more: Link | None


@dataclass(frozen=True, slots=True)
class Told:
    """An article that the reader was sent and that was corrected, withdrawn or published again since.
    `says` is what was sent, when, and what became of it; `lead` is how it begins now, where that changed.
    `language` is None if it is that of the mail.
    """

    title: str
    url: str
    language: str | None
    says: str
    lead: str


@dataclass(frozen=True, slots=True)
class Footer:
    """Why the reader gets this, how to change it, how to unsubscribe, and who we are. `browser` is the
    edition as a page of the site, None without a site."""

    why: str
    change: Link
    leave: Link
    newsroom: str
    postal_address: str
    contact: Link
    browser: Link | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """The mail. `preheader` is what an inbox shows beside the subject; `mark` is drawn from the newsroom's
    name; `note` and `note_html` are the editor's words.

    `corrections` come before all news, with `corrections_title`; `receipts` say what became of what the
    reader follows, after it, with `receipts_title`.

    `holds` says of an edition of old copy how much it holds, from which years; "" where it is news of its
    days. `nothing` is the sentence for an edition without news, "" otherwise. `small` says that there are so
    few articles that all are shown large. `key` explains the notes.
    """

    language: str
    subject: str
    preheader: str
    newsroom: str
    mark: tuple[Stroke, ...]
    title: str
    number: str
    window: str
    holds: str
    note: str
    note_html: str
    signature: str
    corrections_title: str
    corrections: tuple[Told, ...]
    receipts_title: str
    receipts: tuple[str, ...]
    nothing: str
    small: bool
    parts: tuple[Part, ...]
    key: str
    footer: Footer


@dataclass(frozen=True, slots=True)
class _View:
    """What the articles of one mail share: `source` is the most frequent one, `full` says that most have
    their full text, `year` is that of the edition, `themes` are those with news, and `wide` says that
    there is room for bars and pairs.
    """

    settings: Settings
    wording: Wording
    languages: tuple[str, ...]
    articles: Mapping[int, Article]
    source: str
    full: bool
    year: int
    small: bool
    wide: bool
    themes: frozenset[str]


def view_mail(
    settings: Settings,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    changes: Sequence[Change] = (),
) -> Mail:
    """All that a template prints, in the language of `layout.choice`; templates decide nothing. `changes` are
    those of `layout.choice.extras`."""
    site, choice, names = settings.site, layout.choice, settings.theme_names
    wording = wording_for(choice.language)
    first_day, last_day = edition.window.days(settings.digest_zone(digest))
    title = digest.title.get(wording.language) or next(iter(digest.title.values()), digest.name)
    subject = wording.nothing_new_subject.format(title=title)
    shown = [
        settings.as_shown(placed.article) for section in layout.sections for placed in section.shown
    ]
    view = _View(
        settings,
        wording,
        choice.languages,
        {placed.article.id: placed.article for placed in edition.placements},
        Counter(article.source for article in shown).most_common(1)[0][0] if shown else "",
        2 * sum(article.complete for article in shown) > len(shown),
        last_day.year,
        layout.total <= FEW,
        layout.total > FEW and len(layout.sections) <= MANY_THEMES,
        frozenset(section.theme for section in layout.sections),
    )
    ranks = {key: one.rank for key, one in rank(edition, layout).items()}
    order = list(ranks)
    parts: list[Part] = []
    weeks = [_weeks(edition, layout, section) for section in layout.sections]
    scale = BAR_HEIGHT / max((max(counts) for counts in weeks), default=1)
    for section, counts in zip(layout.sections, weeks, strict=True):
        name = settings.theme_name(section.theme)
        theme_title = name.title(wording.language)
        more = None
        if section.more:
            # The page with the rest: in one language only if the reader reads no other.
            theme = None if section.theme == OTHER else section.theme
            language = choice.languages[0] if len(choice.languages) == 1 else None
            text = wording.count(wording.stories, section.more)
            if section.shown:
                count = wording.number(section.more)
                text = wording.more_theme.format(n=count, theme=theme_title)
            more = Link(text, urls.feed_url(settings, "html", theme, language))
        group = choice.language
        items: list[Item] = []
        for placed in sorted(section.shown, key=lambda one: order.index(one.article.id)):
            number, language = ranks[placed.article.id], placed.article.language
            label = ""
            if number == 3 and language not in (group, choice.language):
                group, label = language, capital(wording.in_language.get(language, language))
            first = placed.article.id == order[0]
            items.append(_item(view, placed, section.theme, number, first=first, group=label))
        parts.append(
            Part(
                key=section.theme,
                anchor=f"theme-{section.theme}",
                title=theme_title,
                count=wording.number(section.total),
                tally=tally(wording, counts),
                bars=tuple(max(2, round(n * scale)) if n else 1 for n in counts)
                if len(counts) > 1 and view.wide
                else (),
                colour=name.colour,
                colour_dark=name.colour_dark,
                items=tuple(items),
                more=more,
            )
        )

    zone, pages = ZoneInfo(settings.digest_zone(digest)), _pages(view)
    told = [_told(settings, wording, change, zone, last_day) for change in changes]
    if changes:
        subject = _told_subject(wording, changes[0])
    if order:
        opening = next(item for part in parts for item in part.items if item.first)
        subject = wording.headline_and_more(cut_at_word(opening.title, 60), layout.total - 1)
    why = [wording.why]
    if themes := [names[key].title(wording.language) for key in choice.themes if key in names]:
        why.append(wording.chosen_themes.format(names=", ".join(themes)))
    if languages := [wording.language_name(code) for code in choice.languages]:
        why.append(wording.chosen_languages.format(names=", ".join(languages)))
    note, note_html = _note(edition.hand.introduction.get(choice.language, ""))
    full = {article.complete for article in shown}
    keys = [
        wording.key_source.format(source=settings.source_title(view.source)),
        (wording.key_teaser if view.full else wording.key_full_text) if len(full) > 1 else "",
        wording.key_undated if any(one.published.day is None for one in shown) else "",
    ]
    holds = ""
    if is_old(edition.window, shown) and (edition.number == 1 or not note):
        years = sorted({one.published.day.year for one in shown if one.published.day})
        span = "–".join(map(str, dict.fromkeys((years[0], years[-1]))))
        holds = f"{wording.count(wording.stories, layout.total)}, {span}"
    return Mail(
        language=wording.language,
        subject=edition.hand.subject.get(choice.language) or subject,
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in parts)
        or (told[0].says if told else wording.nothing_new),
        newsroom=site.title,
        mark=name_mark(site.title),
        title=title,
        number=wording.edition.format(number=wording.number(edition.number)),
        window=wording.days(first_day, last_day),
        holds=holds,
        note=note,
        note_html=note_html,
        signature=wording.the_desk,
        corrections_title=wording.corrections,
        corrections=tuple(told),
        receipts_title=wording.told["following"],
        receipts=tuple(map(wording.receipt, choice.extras.receipts)),
        nothing="" if parts or told else wording.nothing_new,
        small=view.small,
        parts=tuple(parts),
        key=" ".join(filter(None, keys)) if shown else "",
        footer=Footer(
            why=" ".join(why),
            change=Link(wording.change, change_url(settings)),
            leave=Link(wording.leave, leave_urls(settings)[0]),
            newsroom=site.title,
            postal_address=site.postal_address,
            contact=Link(site.contact, f"mailto:{site.contact}"),
            browser=Link(wording.archive["browser"], pages.edition(digest.name, edition.number))
            if parts
            and settings.pages_url is not None
            and wording.language in settings.digest_languages(digest)
            else None,
        ),
    )


def _told(
    settings: Settings, wording: Wording, change: Change, zone: ZoneInfo, today: date
) -> Told:
    article, parts, withdrawn = change.article, change.parts, change.of.version == 0

    def on(day: date) -> str:
        return wording.day(day, "d MMMM y" if day.year != today.year else "d MMMM")

    title = change.title if withdrawn else article.title
    other = title != change.title and not article.title_made
    sent = wording.told["sent_as" if other else "sent"]
    says = [sent.format(day=on(change.of.day), title=change.title)]
    moment = article.withdrawn_at or article.corrected_at
    day = moment and moment.astimezone(zone).date()
    lead = ""
    if withdrawn:
        says.append(wording.withdrawn_on.format(day=day and on(day)))
    else:
        correction = article.correction if "correction" in parts else None
        says.append(wording.correction_line(correction, parts, day))
        if change.of.seen == 0:
            says.append(wording.told["again"])
        elif "text" in parts:
            _, lead = _headline_and_lead(settings.as_shown(article))
            says.append(wording.told["now"] if lead else "")
    return Told(
        title=shorten(title, TITLE_LIMIT),
        url=urls.article_page(settings, article),
        language=None if article.language == wording.language else article.language,
        says=" ".join(filter(None, says)),
        lead=shorten(lead, TEXT_LIMITS[2]),
    )


def _told_subject(wording: Wording, change: Change) -> str:
    """Of a mail with nothing but corrections: what happened to the first article."""
    form = wording.told["again_title" if change.of.seen == 0 else "changed"]
    if change.of.version == 0:
        form = wording.withdrawn
    elif "correction" in change.parts:
        form = wording.correction.replace("{text}", "{title}")
    return form.format(title=cut_at_word(change.title, 60))


def is_old(window: Window, articles: Sequence[Article]) -> bool:
    """Whether most of the dated articles are from over four weeks before the window's end: its edition
    is no news of the week.
    """
    ages = [(window.ends_at.date() - day).days for one in articles if (day := one.published.day)]
    return 2 * sum(age > 28 for age in ages) > len(ages)


def _weeks(edition: Edition, layout: Layout, section: Section) -> tuple[int, ...]:
    """The stories of a theme in the reader's languages, in each earlier week and in this one; only in
    this one where too few weeks are known, or the window is no week.
    """
    window, languages = edition.window, set(layout.choice.languages)
    weeks = edition.earlier.get(section.theme, ())
    if len(weeks) < FEWEST_WEEKS or not 6 <= (window.ends_at - window.starts_at).days <= 8:
        return (section.total,)
    counts = ([n for found, n in week.items() if languages & set(found.split())] for week in weeks)
    return (*map(sum, counts), section.total)


def tally(wording: Wording, counts: Sequence[int]) -> str:
    """How many came in this week, and in the earlier ones, as far as there are any."""
    *earlier, now = counts
    if not earlier:
        return wording.count(wording.stories, now) if now else ""
    low, high = min(earlier), max(earlier)
    spread = wording.spread.format(low=low, high=high) if low < high else str(high)
    before = [wording.earlier_weeks.format(spread=spread)] if high else []
    said = [wording.this_week.format(n=wording.number(now))] if now else []
    return SEPARATOR.join([*said, *before])


def _item(
    view: _View, placement: Placement, theme: str, number: int, *, first: bool, group: str
) -> Item:
    settings, wording = view.settings, view.wording
    article = settings.as_shown(placement.article)
    notes: list[str] = []
    if article.source != view.source:
        notes.append(settings.source_title(article.source))
    if article.byline and (number < 3 or view.small):
        notes.append(wording.by.format(name=article.byline))
    dated = ("", "")
    if (day := article.published.day) is not None:
        words = wording.day(day, "d MMMM y" if day.year != view.year else "d MMMM")
        dated = (day.isoformat(), words)
        notes.append(words)
    if article.complete is not view.full and article.text:
        notes.append(wording.full_text if article.complete else wording.teaser)
    names = settings.theme_names
    under = {
        wording.also_theme.format(theme=names[key].title(wording.language)): key
        for key in article.themes
        if key != theme and key in names
    }
    notes += [*under][:ALSO]
    if len(under) > ALSO:
        notes.append(wording.and_more.format(n=len(under) - ALSO))

    limit = TEXT_LIMITS[1 if view.small else number]
    title, lead = _headline_and_lead(article, whole=limit == TEXT_LIMITS[1])
    both, pair = "", tuple[Link, ...]()
    for sibling in placement.siblings if number == 2 and view.wide else ():
        other = view.articles.get(sibling.id, article)
        if not pair and other.language != article.language and other.language in view.languages:
            pair = _column(settings, article), _column(settings, other)
            spoken = (wording.in_language.get(one.language, "") for one in (article, other))
            both = capital(f" {wording.and_} ".join(spoken))
    compare = None
    if pair and settings.pages_url is not None:
        compare = Link(wording.archive["compare"], _pages(view).story(article.id))
    if number == 3:
        title = shorten(title, TITLE_LIMIT)
    lead = shorten(lead, limit) if limit else ""
    lead = wording_for(article.language, settings.site.languages).with_correction(
        article.correction, lead
    )
    return Item(
        title=title,
        url=urls.article_url(settings, article),
        lead=lead,
        language=None if article.language == wording.language else article.language,
        made=article.title_made,
        first=first,
        rank=number,
        notes=tuple(notes),
        under={note: key for note, key in under.items() if key in view.themes},
        also=tuple(_also(view, placement)),
        pair=pair,
        both=both,
        group=group,
        id=article.id,
        day=dated,
        compare=compare,
    )


def _pages(view: _View) -> urls.SitePages:
    return urls.site_pages(view.settings, view.wording.language, whole=True)


def _also(view: _View, placement: Placement) -> Iterator[Link]:
    """A story appears once in a mail, so it links what it hides: one article in each other language, and
    every other article in this one.
    """
    settings, wording = view.settings, view.wording
    article = settings.as_shown(placement.article)
    seen, named = {article.language}, False
    for sibling in placement.siblings:
        code = sibling.language
        note = label = wording.also_source
        if code != article.language:
            if code in seen:
                continue
            note, own = wording.also_in.get(code, note), wording_for(code)
            label = own.in_language[code] if own.language == code else OWN_NAMES.get(code, code)
        elif sibling.source == article.source:
            note = label = wording.more_on_this
        elif named:
            label = "{source}"
        else:
            named = True
        seen.add(code)
        name = " ".join(sibling.title.split()) or wording.untitled
        outlet = settings.source_title(sibling.source)
        note, label = note.format(source=outlet), capital(label).format(source=outlet)
        yield Link(name, urls.article_url(settings, sibling), code, note, label)


def _column(settings: Settings, article: Article) -> Link:
    title, lead = _headline_and_lead(article)
    name = OWN_NAMES.get(article.language, article.language)
    url = urls.article_url(settings, article)
    return Link(title, url, article.language, shorten(lead, COLUMN_LIMIT), name)


def shorten(text: str, limit: int) -> str:
    """Cut after a sentence, else after a word that is not an article or a preposition; no line break
    within "29 March", "п. 9", "Mr. Khan".
    """
    return _BOUND_TO_NEXT_WORD.sub(rf"\g<1>{NO_BREAK}", _DANGLING.sub(ELLIPSIS, cut(text, limit)))


def _note(markdown: str) -> tuple[str, str]:
    """The editor's words as plain text and as HTML: emphasis and links, and nothing that is fetched."""
    if not markdown:
        return "", ""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("zero", {"html": False}).enable(["emphasis", "link", "escape", "entity"])
    text = " ".join(markdown.split())
    plain = address = ""
    for token in reader.parseInline(text)[0].children or ():
        address = str(token.attrs.get("href", address))
        plain += f" ({address})" if token.type == "link_close" else token.content
    return plain, reader.renderInline(text)


def _headline_and_lead(article: Article, *, whole: bool = False) -> tuple[str, str]:
    """Both as they are printed; if the title is ours, the lead continues where it stops. The `whole` lead
    goes on with the paragraphs after it, up to a heading.

    Our title is the beginning of the lead: printing it twice would make it look like a headline of
    the source. A teaser was cut by its source, so it ends with "…".
    """
    title, lead = article.title.strip(), " ".join(article.lead.split())
    if whole and article.complete:
        rest = article.text.partition(article.lead)[2].split("\n\n")[1:]
        prose = takewhile(lambda one: one.rstrip()[-1:] in SENTENCE_ENDS, rest)
        lead = " ".join(" ".join([lead, *prose]).split())
    if not article.complete and lead and lead[-1] not in SENTENCE_ENDS:
        lead += ELLIPSIS
    if not article.title_made:
        return title, lead
    beginning = title.rstrip(" .…")
    if lead.startswith(beginning):
        more = lead[len(beginning) :].lstrip(" .")
        lead = f"{ELLIPSIS}{more}" if more[:1].islower() else more
    return f"{beginning}{ELLIPSIS}", "" if lead == ELLIPSIS else lead


def make_segment(
    settings: Settings,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    environment: "Environment",
    changes: Sequence[Change] = (),
) -> RenderedMail:
    """The mail of all recipients with `layout.choice`, to whom it tells these `changes`.

    It has tokens.PLACEHOLDERS in place of each recipient's tokens. CSS is inlined, and nothing in the HTML
    is loaded from elsewhere. Both parts show the same items in the same order.

    Raises:
        ConfigError: the operator's own templates have an error, no link to unsubscribe, or leave out a
            correction, which would then count as told.
    """
    view = view_mail(settings, digest, edition, layout, changes)
    html, text = render_parts(settings, environment, "edition", view)
    for part, template in ((html, "mail/edition.html"), (text, "mail/edition.txt")):
        if PLACEHOLDERS.reader not in part:
            fault = (
                f"web.templates: {template} has no link to unsubscribe; print mail.footer.leave.url"
            )
            raise ConfigError(str(settings.path), [fault])
        if any(one.url not in part for one in view.corrections):
            fault = f"web.templates: {template} leaves out corrections; print mail.corrections"
            raise ConfigError(str(settings.path), [fault])
    return RenderedMail(subject=view.subject, preheader=view.preheader, text=text, html=html)

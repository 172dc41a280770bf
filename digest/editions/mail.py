"""A segment's edition as mail: the values for the templates, then subject, text and HTML."""

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.config import urls
from digest.config.settings import DigestConfig, Settings
from digest.errors import ConfigError, DigestError, template_fault
from digest.language.text import ELLIPSIS, NO_BREAK, cut, cut_at_word
from digest.language.wording import Wording, wording_for
from digest.mail.tokens import PLACEHOLDERS, change_url, leave_urls
from digest.model import OTHER, Article, Edition, Layout, Placement, RenderedMail

if TYPE_CHECKING:
    from jinja2 import Environment


LEAD_LIMIT = 180
"""Characters of lead: about three lines of the column."""
FIRST_LEAD_LIMIT = 260
SEPARATOR = " · "
WIDTH = 72
"""Columns of the text part."""
_BOUND_TO_NEXT_WORD = re.compile(
    r"(?<![\w.])(\d{1,2}|№|No\.|[Аа]рт\.|[Сс]т\.|[Пп]п?\.|[Гг]\.|г-н|г-жа|Mrs?\.|Ms\.|Dr\.)[ ]"
    r"(?=[^\W_])"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A text and its address. `language` is that of the page at the address, None if unknown; `note`
    says of another article of the story how it differs, with its outlet.
    """

    text: str
    url: str
    language: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One article as the mail shows it.

    `language` is None if it is that of the mail. `made` says that the title is ours. `first` marks
    the first article of the mail. `notes` are source, day and so on, in order; `also` links to the
    other articles of the story.
    """

    title: str
    url: str
    lead: str
    language: str | None
    made: bool
    first: bool
    notes: tuple[str, ...]
    also: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A theme with its articles. `count` is the number of all its articles, in the reader's language.

    `anchor` is its id in the HTML part; `more` is None if everything is shown.
    """

    key: str
    anchor: str
    title: str
    count: str
    colour: str
    colour_dark: str
    items: tuple[Item, ...]
    more: Link | None


@dataclass(frozen=True, slots=True)
class Footer:
    """Why the reader gets this, how to change it, how to unsubscribe, and who we are."""

    why: str
    change: Link
    leave: Link
    newsroom: str
    postal_address: str
    contact: Link


@dataclass(frozen=True, slots=True)
class Mail:
    """The mail. `preheader` is what an inbox shows beside the subject.

    `nothing` is the sentence for an edition without news, "" otherwise.
    """

    language: str
    subject: str
    preheader: str
    newsroom: str
    title: str
    number: str
    window: str
    nothing: str
    parts: tuple[Part, ...]
    footer: Footer


def view_mail(settings: Settings, digest: DigestConfig, edition: Edition, layout: Layout) -> Mail:
    """All that a template prints, in the language of `layout.choice`; templates decide nothing."""
    site, choice, names = settings.site, layout.choice, settings.theme_names
    wording = wording_for(choice.language)
    first_day, last_day = edition.window.days(settings.digest_zone(digest))
    title = digest.title.get(wording.language) or next(iter(digest.title.values()), digest.name)

    parts: list[Part] = []
    for section in layout.sections:
        name = settings.theme_name(section.theme)
        theme_title = name.title(wording.language)
        more = None
        if section.more:
            # The page with the rest: in one language only if the reader reads no other.
            theme = None if section.theme == OTHER else section.theme
            language = choice.languages[0] if len(choice.languages) == 1 else None
            text = wording.count(wording.more_theme, section.more, theme=theme_title)
            more = Link(text, urls.feed_url(settings, "html", theme, language))
        items = [
            _item(
                placement,
                section.theme,
                settings,
                wording,
                last_day.year,
                first=not parts and at == 0,
            )
            for at, placement in enumerate(section.shown)
        ]
        parts.append(
            Part(
                key=section.theme,
                anchor=f"theme-{section.theme}",
                title=theme_title,
                count=wording.number(section.total),
                colour=name.colour,
                colour_dark=name.colour_dark,
                items=tuple(items),
                more=more,
            )
        )

    subject = wording.nothing_new_subject.format(title=title)
    if parts:
        headline = cut_at_word(parts[0].items[0].title, 60)
        subject = wording.headline_and_more(headline, layout.total - 1)
    why = [wording.why]
    if themes := [names[key].title(wording.language) for key in choice.themes if key in names]:
        why.append(wording.chosen_themes.format(names=", ".join(themes)))
    if languages := [wording.language_name(code) for code in choice.languages]:
        why.append(wording.chosen_languages.format(names=", ".join(languages)))
    return Mail(
        language=wording.language,
        subject=subject,
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in parts)
        or wording.nothing_new,
        newsroom=site.title,
        title=title,
        number=wording.edition.format(number=wording.number(edition.number)),
        window=wording.days(first_day, last_day),
        nothing="" if parts else wording.nothing_new,
        parts=tuple(parts),
        footer=Footer(
            why=" ".join(why),
            change=Link(wording.change, change_url(settings)),
            leave=Link(wording.leave, leave_urls(settings)[0]),
            newsroom=site.title,
            postal_address=site.postal_address,
            contact=Link(site.contact, f"mailto:{site.contact}"),
        ),
    )


def _item(
    placement: Placement,
    theme: str,
    settings: Settings,
    wording: Wording,
    year: int,
    *,
    first: bool,
) -> Item:
    """`year` is that of the edition, which days leave out."""
    article, names = placement.article, settings.theme_names
    notes = [settings.source_title(article.source)]
    if article.byline:
        notes.append(wording.by.format(name=article.byline))
    if (day := article.published.day) is not None:
        notes.append(wording.day(day, "long" if day.year != year else "d MMMM"))
    if not article.complete:
        notes.append(wording.teaser)
    others = [names[key] for key in article.themes if key != theme and key in names]
    notes += [wording.also_theme.format(theme=one.title(wording.language)) for one in others]

    # A story appears once in a mail, so it links what it hides: one article in each other language,
    # and every other article in this one.
    also: list[Link] = []
    languages = {article.language}
    for sibling in placement.siblings:
        if sibling.language not in languages:
            languages.add(sibling.language)
            note = wording.also_in.get(sibling.language, wording.also_source)
        elif sibling.language != article.language:
            continue
        elif sibling.source == article.source:
            note = wording.more_on_this
        else:
            note = wording.also_source
        name = " ".join(sibling.title.split()) or wording.untitled
        note = note.format(source=settings.source_title(sibling.source))
        also.append(Link(name, urls.article_url(settings, sibling), sibling.language, note))

    title, lead = _headline_and_lead(article)
    lead = cut(lead, FIRST_LEAD_LIMIT if first else LEAD_LIMIT)
    lead = wording_for(article.language, settings.site.languages).with_correction(
        article.correction, lead
    )
    return Item(
        title=title,
        url=urls.article_url(settings, article),
        # No line break within "29 March", "п. 9", "Mr. Khan".
        lead=_BOUND_TO_NEXT_WORD.sub(rf"\g<1>{NO_BREAK}", lead),
        language=None if article.language == wording.language else article.language,
        made=article.title_made,
        first=first,
        notes=tuple(notes),
        also=tuple(also),
    )


def _headline_and_lead(article: Article) -> tuple[str, str]:
    """Both as they are printed; if the title is ours, the lead continues where it stops.

    Our title is the beginning of the lead: printing it twice would make it look like a headline of
    the source. A teaser was cut by its source, so it ends with "…".
    """
    title, lead = article.title.strip(), " ".join(article.lead.split())
    if not article.complete and lead and lead[-1] not in '.!?…"”»':
        lead += ELLIPSIS
    if not article.title_made:
        return title, lead
    beginning = title.rstrip(" .…")
    if lead.startswith(beginning):
        rest = lead[len(beginning) :].lstrip(" .")
        lead = f"{ELLIPSIS}{rest}" if rest[:1].islower() else rest
    return f"{beginning}{ELLIPSIS}", "" if lead == ELLIPSIS else lead


def make_segment(
    settings: Settings,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    environment: "Environment",
) -> RenderedMail:
    """The mail of all recipients with `layout.choice`.

    It has tokens.PLACEHOLDERS in place of each recipient's tokens. CSS is inlined, and nothing in the HTML
    is loaded from elsewhere. Both parts show the same items in the same order.

    Raises:
        ConfigError: the operator's own templates have an error, or no link to unsubscribe.
    """
    view = view_mail(settings, digest, edition, layout)
    html, text = render_parts(settings, environment, "edition", view)
    for part, template in ((html, "mail/edition.html"), (text, "mail/edition.txt")):
        if PLACEHOLDERS.reader not in part:
            fault = (
                f"web.templates: {template} has no link to unsubscribe; print mail.footer.leave.url"
            )
            raise ConfigError(str(settings.path), [fault])
    return RenderedMail(subject=view.subject, preheader=view.preheader, text=text, html=html)


def render_parts(
    settings: Settings, environment: "Environment", name: str, mail: object
) -> tuple[str, str]:
    """HTML and text of the templates mail/NAME.html and mail/NAME.txt, which see `mail`.

    Styles become attributes. A <style data-css-inline="keep"> stays where it is, after the charset:
    it holds the media queries. (keep_at_rules would move them before it, where a browser may miss
    the charset.)

    Raises:
        ConfigError: the operator's own templates have an error.
    """
    import css_inline

    try:
        html = environment.get_template(f"mail/{name}.html").render(mail=mail)
        text = environment.get_template(f"mail/{name}.txt").render(
            mail=mail, wrap=wrap, underline=underline
        )
    except DigestError:  # it already says which file and what to do
        raise
    except Exception as e:
        fault = template_fault(e)
        if settings.web.templates is None or fault is None:
            raise
        raise ConfigError(str(settings.path), [f"web.templates: found {fault}"]) from e
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, minify_css=True)
    inlined = inliner.inline(html).replace("&nbsp;", NO_BREAK)
    lines = (line.strip(" \t") for line in inlined.split("\n"))
    html = "\n".join(line for line in lines if line) + "\n"
    return html, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def wrap(text: str) -> str:
    """Lines of at most WIDTH columns, broken at spaces but not at no-break ones."""
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def underline(text: str, rule: str = "-") -> str:
    """The wrapped text over a line of `rule` as long as its longest line."""
    lines = wrap(text)
    return f"{lines}\n{rule * max(map(len, lines.splitlines()), default=0)}"

"""A segment's edition as mail: what the templates see, then subject, text and HTML."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.config import urls
from digest.config.settings import DigestConfig, Settings
from digest.errors import ConfigError, template_fault
from digest.language.text import ELLIPSIS, NO_BREAK, cut, cut_at_word
from digest.language.wording import Wording, wording_for
from digest.mail import tokens
from digest.mail.mime import MessageMaker
from digest.mail.tokens import change_url, leave_url
from digest.model import OTHER, Article, Choice, Edition, Layout, Placement, RenderedMail, Section

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer


LEAD_LIMIT = 180
"""Characters of lead: about three lines of the column."""
FIRST_LEAD_LIMIT = 260
SEPARATOR = " · "

_HOLDS_ITS_RIGHT = re.compile(
    r"(?<![\w.])(\d{1,2}|№|No\.|[Аа]рт\.|[Сс]т\.|[Пп]п?\.|[Гг]\.|г-н|г-жа|Mrs?\.|Ms\.|Dr\.)[ ]"
    r"(?=[^\W_])"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A text and where it leads. `language` is that of the page behind it, None if unknown."""

    text: str
    url: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One article as the mail shows it.

    `language` is None when it is that of the mail. `made` says that the title is ours. `first` is
    the first article of all. `notes` are source, day and so on, in order; `also` links to the other
    articles of the story.
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
    """A theme with its articles. `count` is the number of all its articles, in words of the reader.

    `anchor` is its id in the HTML part; `more` is None when everything is shown.
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
    """Why the reader gets this, how to change it, how to leave, and who we are."""

    why: str
    change: Link
    leave: Link
    newsroom: str
    postal_address: str
    contact: Link


@dataclass(frozen=True, slots=True)
class Mail:
    """The whole mail. `preheader` is what an inbox shows beside the subject.

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
    """Everything that a template prints, in the language of `layout.choice`, nothing left to decide."""
    wording = wording_for(layout.choice.language)
    language = wording.language
    first_day, last_day = edition.window.days(settings.digest_zone(digest))
    title = digest.title.get(language) or next(iter(digest.title.values()), digest.name)
    items = _Items(settings, wording, layout.choice, last_day.year)
    parts = tuple(
        items.part(section, leads=position == 0) for position, section in enumerate(layout.sections)
    )
    return Mail(
        language=language,
        subject=_subject(wording, title, parts, layout.total),
        preheader=SEPARATOR.join(f"{part.title} {part.count}" for part in parts)
        or wording.nothing_new,
        newsroom=settings.site.title,
        title=title,
        number=wording.edition.format(number=wording.number(edition.number)),
        window=wording.days(first_day, last_day),
        nothing="" if parts else wording.nothing_new,
        parts=parts,
        footer=_footer(settings, wording, layout.choice),
    )


def _subject(wording: Wording, title: str, parts: tuple[Part, ...], total: int) -> str:
    if not parts:
        return wording.nothing_new_subject.format(title=title)
    return wording.headline_and_more(cut_at_word(parts[0].items[0].title, 60), total - 1)


def _footer(settings: Settings, wording: Wording, choice: Choice) -> Footer:
    names = settings.theme_names
    themes = ", ".join(names[key].title(wording.language) for key in choice.themes if key in names)
    languages = ", ".join(wording.language_name(code) for code in choice.languages)
    why = [wording.why]
    if themes:
        why.append(wording.chosen_themes.format(names=themes))
    if languages:
        why.append(wording.chosen_languages.format(names=languages))
    site = settings.site
    return Footer(
        why=" ".join(why),
        change=Link(wording.change, change_url(settings)),
        leave=Link(wording.leave, leave_url(settings)),
        newsroom=site.title,
        postal_address=site.postal_address,
        contact=Link(site.contact, f"mailto:{site.contact}"),
    )


@dataclass(frozen=True, slots=True)
class _Items:
    """Sections and placements into words; `year` is that of the edition, which days leave out."""

    settings: Settings
    wording: Wording
    choice: Choice
    year: int

    def part(self, section: Section, *, leads: bool) -> Part:
        name = self.settings.theme_name(section.theme)
        return Part(
            key=section.theme,
            anchor=f"theme-{section.theme}",
            title=name.title(self.wording.language),
            count=self.wording.number(section.total),
            colour=name.colour,
            colour_dark=name.colour_dark,
            items=tuple(
                self._item(placement, section.theme, first=leads and position == 0)
                for position, placement in enumerate(section.shown)
            ),
            more=self._more(section, name.title(self.wording.language)),
        )

    def _more(self, section: Section, title: str) -> Link | None:
        """The page that holds the rest: in one language only if the reader reads no other."""
        if not section.more:
            return None
        theme = None if section.theme == OTHER else section.theme
        language = self.choice.languages[0] if len(self.choice.languages) == 1 else None
        return Link(
            self.wording.count(self.wording.more_theme, section.more, theme=title),
            urls.feed_url(self.settings, "html", theme, language),
        )

    def _item(self, placement: Placement, theme: str, *, first: bool) -> Item:
        article = placement.article
        title, lead = _headline_and_lead(article)
        return Item(
            title=title,
            url=urls.article_url(self.settings, article),
            lead=_held_together(cut(lead, FIRST_LEAD_LIMIT if first else LEAD_LIMIT)),
            language=None if article.language == self.wording.language else article.language,
            made=article.title_made,
            first=first,
            notes=tuple(self._notes(article, theme)),
            also=tuple(self._also(placement)),
        )

    def _notes(self, article: Article, theme: str) -> Iterator[str]:
        yield self.settings.source_title(article.source)
        if article.byline:
            yield self.wording.by.format(name=article.byline)
        if article.published.day is not None:
            day = article.published.day
            yield self.wording.day(day, "long" if day.year != self.year else "d MMMM")
        if not article.complete:
            yield self.wording.teaser
        names = self.settings.theme_names
        for key in article.themes:
            if key != theme and key in names:
                title = names[key].title(self.wording.language)
                yield self.wording.also_theme.format(theme=title)

    def _also(self, placement: Placement) -> Iterator[Link]:
        """One link for each other language of the story, and one for each other article in this one.

        A story stands once in a mail, so what it hides here must still be found.
        """
        article = placement.article
        languages = {article.language}
        for sibling in placement.siblings:
            if sibling.language not in languages:
                languages.add(sibling.language)
                text = self.wording.also_in[sibling.language]
            elif sibling.language != article.language:
                continue
            elif sibling.source == article.source:
                text = self.wording.more_on_this
            else:
                source = self.settings.source_title(sibling.source)
                text = self.wording.also_source.format(source=source)
            yield Link(text, urls.article_url(self.settings, sibling), sibling.language)


def _held_together(text: str) -> str:
    """The text with no-break spaces where a line must not break: "29 March", "п. 9", "Mr. Khan"."""
    return _HOLDS_ITS_RIGHT.sub(rf"\g<1>{NO_BREAK}", text)


def _headline_and_lead(article: Article) -> tuple[str, str]:
    """Both as they are printed; where we made the title, the lead goes on where it stops.

    A title of ours is the beginning of the lead: saying it twice would pass it off as a headline.
    What a teaser says is cut by its source, so it ends with "…".
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


WIDTH = 72
"""Columns of the text part."""


def render_mail(
    *,
    settings: Settings,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    environment: "Environment",
) -> RenderedMail:
    """The mail of all who chose as `layout.choice` says, with verp.PLACEHOLDER for each one's token.

    CSS is inlined, and nothing in the HTML is fetched from anywhere. Both parts show the same items
    in the same order.

    Raises:
        ConfigError: the operator's own templates cannot be used, or give no way to leave.
    """
    mail = view_mail(settings, digest, edition, layout)
    html, text = render_parts(settings, environment, "edition", mail)
    for part, template in ((html, "mail/edition.html"), (text, "mail/edition.txt")):
        if tokens.PLACEHOLDER not in part:
            fault = f"web.templates: {template} gives no way to leave; print mail.footer.leave.url"
            raise ConfigError(str(settings.path), [fault])
    return RenderedMail(subject=mail.subject, preheader=mail.preheader, text=text, html=html)


def render_parts(
    settings: Settings, environment: "Environment", name: str, mail: object
) -> tuple[str, str]:
    """HTML and text of the templates mail/NAME.html and mail/NAME.txt, which see `mail`.

    Raises:
        ConfigError: the operator's own templates cannot be used.
    """
    try:
        html = environment.get_template(f"mail/{name}.html").render(mail=mail)
        text = environment.get_template(f"mail/{name}.txt").render(
            mail=mail, wrap=wrap, underline=underline
        )
    except Exception as e:
        fault = template_fault(e)
        if settings.web.templates is None or fault is None:
            raise
        raise ConfigError(str(settings.path), [f"web.templates: found {fault}"]) from e
    return _inline(html), re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def wrap(text: str) -> str:
    """Lines of at most WIDTH columns, broken at spaces but not at no-break ones."""
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def underline(text: str, rule: str = "-") -> str:
    """The text, wrapped, over a line of `rule` as long as its longest line."""
    lines = wrap(text)
    return f"{lines}\n{rule * max(map(len, lines.splitlines()), default=0)}"


def _inline(html: str) -> str:
    """Styles as attributes, and no space that only the template needed.

    A <style data-css-inline="keep"> stays where it is, behind the charset: there the media queries
    are. (keep_at_rules would move them before it, where a browser may miss the charset.)
    """
    import css_inline

    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, minify_css=True)
    inlined = inliner.inline(html).replace("&nbsp;", NO_BREAK)
    lines = (line.strip(" \t") for line in inlined.split("\n"))
    return "\n".join(line for line in lines if line) + "\n"


def make_segment(
    *,
    settings: Settings,
    digest: DigestConfig,
    edition: Edition,
    layout: Layout,
    environment: "Environment",
    signer: "Signer | None",
) -> tuple[RenderedMail, MessageMaker]:
    """The rendered mail of all who chose as `layout.choice` says, and the maker of their messages.

    Messages are dated at the end of the edition's window.
    """
    mail = render_mail(
        settings=settings, digest=digest, edition=edition, layout=layout, environment=environment
    )
    maker = MessageMaker(
        settings=settings,
        digest=digest,
        edition=edition,
        choice=layout.choice,
        mail=mail,
        date=edition.window.ends_at,
        signer=signer,
    )
    return mail, maker

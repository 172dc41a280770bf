"""Mails as templates make them: the parts of each, and the letters that answer a form."""

import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.errors import ConfigError, DigestError, template_fault
from digest.language.text import NO_BREAK
from digest.language.wording import Wording
from digest.model import RenderedMail

if TYPE_CHECKING:
    from jinja2 import Environment


WIDTH = 72
"""Columns of the text part."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that somebody's form caused: a title, paragraphs, one link, and why it came. It has the looks
    of an edition, and no text that others wrote."""

    language: str
    newsroom: str
    postal_address: str
    title: str
    window: str
    preheader: str
    paragraphs: tuple[str, ...]
    link: tuple[str, str] | None
    why: str
    parts: tuple[()] = ()


def letter_mail(
    settings: Settings,
    environment: "Environment",
    wording: Wording,
    kind: str,
    moment: datetime,
    url: str | None = None,
    **more: object,
) -> RenderedMail:
    """The letter of a kind, which is the key of its texts in [letters] of the wording: KIND_title, KIND,
    KIND_link for the words of the link to `url`, if it has one, and KIND_why if it comes for another reason;
    `more` is filled in, too."""
    words = wording.letters
    facts = {"site": settings.site.title, "contact": settings.site.contact, **more}
    title = words[f"{kind}_title"].format(**facts)
    text = words[kind].format(**facts)
    letter = Letter(
        language=wording.language,
        newsroom=settings.site.title,
        postal_address=settings.site.postal_address,
        title=title[:1].upper() + title[1:],
        window=wording.day(moment.astimezone(ZoneInfo(settings.site.time_zone)).date()),
        preheader=text.partition("\n")[0],
        paragraphs=tuple(filter(None, text.split("\n"))),
        link=None if not url else (words[f"{kind}_link"], url),
        why=words.get(f"{kind}_why", words["why"]).format(**facts),
    )
    html, text = render_parts(settings, environment, "letter", letter)
    subject = words["subject"].format(title=title, **facts)
    return RenderedMail(subject, letter.preheader, text, html)


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

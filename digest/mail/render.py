"""One segment's mail from an edition: subject, text and HTML. No network, disk, clock or chance.

The templates are `mail/edition.html` and `mail/edition.txt`; docs/templates.md says what they see.
"""

import re
import textwrap
from typing import TYPE_CHECKING

from digest.config.settings import DigestConfig, Settings
from digest.errors import ConfigError, template_fault
from digest.mail import verp
from digest.mail.view import view_mail
from digest.model import Edition, Layout, RenderedMail
from digest.prose import NO_BREAK

if TYPE_CHECKING:
    from jinja2 import Environment

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
        if verp.PLACEHOLDER not in part:
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

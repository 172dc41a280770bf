"""One segment's mail, ready for its recipients: the one way for the dry run, a test and the real thing."""

from typing import TYPE_CHECKING

from digest.config.settings import DigestConfig, Settings
from digest.mail.message import MessageMaker
from digest.mail.render import render_mail
from digest.model import Edition, Layout, RenderedMail

if TYPE_CHECKING:
    from jinja2 import Environment

    from digest.mail.dkim import Signer


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
        settings=settings,
        digest=digest,
        edition=edition,
        layout=layout,
        environment=environment,
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

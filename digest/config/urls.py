"""Every address that a feed, a page or a mail links to."""

from urllib.parse import quote

from digest.config.settings import Settings
from digest.model import Article, Sibling


def article_page(settings: Settings, article_id: int) -> str:
    """Our own page of an article, which `digest publish` writes."""
    return f"{settings.feeds_url}/articles/{article_id}.html"


def article_url(settings: Settings, article: Article | Sibling) -> str:
    """Where to read an article: at its source if it has an address there, else on our page."""
    return article.url or article_page(settings, article.id)


def feed_slug(theme: str | None = None, language: str | None = None) -> str:
    """The file name without its ending: all, drugs, en, drugs.en."""
    return ".".join(part for part in (theme, language) if part) or "all"


def feed_url(
    settings: Settings, ending: str, theme: str | None = None, language: str | None = None
) -> str:
    """A feed, or with the ending "html" its page."""
    return f"{settings.feeds_url}/{feed_slug(theme, language)}.{ending}"


def preferences_url(settings: Settings) -> str:
    """Where recipients change their choice: the page that config.toml names, else a mail to the desk."""
    if settings.web.preferences_url is not None:
        return settings.web.preferences_url
    return f"mailto:{settings.site.contact}?subject={quote('Change my digest')}"


def unsubscribe_url(settings: Settings) -> str:
    """A mail that unsubscribes."""
    return f"mailto:{settings.mail.unsubscribe_address}?subject=unsubscribe"


def join_url(settings: Settings, language: str) -> str:
    """The form to join, in a language; "" where nobody joins by a form."""
    web = settings.web
    return (
        f"{web.public_url}/join/?lang={language}"
        if web.public_url and settings.readers.join
        else ""
    )

"""Every address that a feed, a page or a mail links to."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from digest.config.settings import Settings
from digest.model import Article, Sibling


@dataclass(frozen=True, slots=True)
class SitePages:
    """The addresses of the site's pages in one language. `root` comes before them all: web.public_url, or
    for links within the site only its path."""

    root: str
    language: str

    @property
    def front(self) -> str:
        return f"{self.root}/{self.language}/"

    def theme(self, key: str) -> str:
        return f"{self.front}themes/{key}"

    def article(self, article_id: int) -> str:
        return f"{self.front}articles/{article_id}"

    def story(self, article_id: int) -> str:
        """The story that an article is in: stories come and go, articles stay."""
        return f"{self.front}stories/{article_id}"

    def search(self, form: str = "", **asked: str) -> str:
        """The search, with `form` "atom" as a feed, with the fields that are asked for."""
        page = f"{self.front}search{form and '.'}{form}"
        return f"{page}?{urlencode(asked)}" if asked else page

    def edition(self, digest: str, number: int) -> str:
        return f"{self.front}editions/{digest}/{number}"

    def page(self, name: str) -> str:
        """One of "editions/", "feeds", "about", "privacy" and "corrections"."""
        return f"{self.front}{name}"

    def card(self, article_id: int | None = None) -> str:
        """The picture of a link to an article, else to any other page of this language."""
        return f"{self.root}/cards/{article_id or self.language}.png"

    def picture(self, name: str) -> str:
        return f"{self.root}/pictures/{name}"


def site_pages(settings: Settings, language: str, *, whole: bool = False) -> SitePages:
    """`whole` addresses are for other sites, feeds and mails; in a language that no page has they are of
    the first one."""
    public = settings.web.public_url or (settings.site.base_url if whole else "")
    spoken = settings.page_languages
    return SitePages(
        public if whole else urlsplit(public).path.rstrip("/"),
        language if language in spoken else spoken[0],
    )


def article_page(settings: Settings, article: Article | Sibling) -> str:
    """Our own page of an article: the site's, else the file that `digest publish` writes."""
    if settings.pages_url is not None:
        return site_pages(settings, article.language, whole=True).article(article.id)
    return f"{settings.feeds_url}/articles/{article.id}.html"


def article_url(settings: Settings, article: Article | Sibling) -> str:
    """Where to read an article: at its source if it has an address there, else on our page."""
    return article.url or article_page(settings, article)


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

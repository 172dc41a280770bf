"""A sample edition for the tests of the mail: English, Russian, undated, untitled, teasers, a story."""

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from digest.config.settings import Settings
from digest.editions.mail import make_segment
from digest.editions.selection import edition_hash, lay_out, order_placements
from digest.mail.mime import MessageMaker, SegmentMail, segment_mail
from digest.mail.tokens import Tokens
from digest.model import (
    OTHER,
    UNDATED,
    Article,
    Choice,
    DateSource,
    Edition,
    KnownDate,
    Layout,
    RenderedMail,
    Window,
)
from digest.newsroom import make_environment
from tests.factories import make_article, make_match, make_settings

DATE = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
WINDOW = Window(datetime(2026, 11, 16, 3, 0, tzinfo=UTC), DATE)
TOKENS = Tokens("a2" * 16, "b3" * 16, "c4" * 16)
EVERYTHING = Choice("en", ("en", "ru"), ("drugs", "youth", OTHER))
EVERYTHING_RU = Choice("ru", ("ru", "en"), ("drugs", "youth", OTHER))


def on(day: date) -> KnownDate:
    return KnownDate(day, DateSource.STATED)


def under(*themes: str) -> tuple[Any, ...]:
    return tuple(make_match(theme) for theme in themes)


def sample_articles() -> list[Article]:
    return [
        make_article(
            id=1,
            title="Border guards & customs officers seize <two> tonnes of “precursors” at Sarahs",
            published=on(date(2026, 11, 20)),
            matches=under("drugs", "youth"),
        ),
        make_article(
            id=2, title="A conference opens", published=on(date(2026, 11, 18)), story_id=7
        ),
        make_article(
            id=3,
            title="Открылась конференция",
            language="ru",
            text="В Ашхабаде 18 ноября открылась конференция.",
            published=on(date(2026, 11, 18)),
            story_id=7,
        ),
        make_article(
            id=4,
            title="In an inspiring initiative aimed at the younger…",
            title_made=True,
            text="In an inspiring initiative aimed at the younger generation, a session was held",
            complete=False,
            published=UNDATED,
            matches=under("youth"),
        ),
        make_article(
            id=5,
            title="Новость без темы",
            language="ru",
            text="Краткое сообщение.",
            published=on(date(2025, 3, 4)),
            byline="Эльвира Кадырова",
            matches=(),
        ),
    ]


def many_articles(number: int, language: str = "en") -> list[Article]:
    """Articles with long titles and leads, like the real ones."""
    title, text = {
        "en": (
            "UNODC project Enhances Practical Cooperation and Experience Exchange Among Port",
            "The practical cooperation and information exchange on high-risk cargo shipments "
            "along international trade and transport corridors are of utmost importance in "
            "facilitating the legal trade and in countering the traffic of drugs. ",
        ),
        "ru": (
            "Региональная платформа для ускоренного отслеживания хода осуществления Конвенции ООН",
            "На Конференции государств – участников Конвенции Организации Объединённых Наций "
            "против коррупции, состоявшейся в Ашхабаде, была принята резолюция об усилении "
            "осуществления Конвенции на региональном уровне и о помощи странам. ",
        ),
    }[language]
    return [
        make_article(
            id=n,
            title=f"{title} {n}",
            language=language,
            text=text * 2,
            complete=n % 2 == 0,
            matches=under(("drugs", "youth")[n % 2]) if n % 3 else (),
        )
        for n in range(1, number + 1)
    ]


@dataclasses.dataclass(frozen=True)
class Sample:
    """An edition of these articles as one choice sees it."""

    settings: Settings
    edition: Edition
    layout: Layout
    mail: RenderedMail

    def maker(self, date: datetime = DATE) -> MessageMaker:
        digest = self.settings.digests[0]
        frozen = segment_mail(self.settings, digest, self.edition, self.layout.choice, self.mail)
        return MessageMaker(SegmentMail.from_bytes(frozen.to_bytes()), date)

    def message(self, address: str = "anna@example.com", name: str | None = "Anna") -> bytes:
        return self.maker().make(address, name, TOKENS)


def make_sample(
    articles: list[Article] | None = None,
    choice: Choice = EVERYTHING,
    *,
    per_theme: int = 10,
    operator: Path | None = None,
    **overrides: Any,
) -> Sample:
    """The edition of `articles`, by default sample_articles(); `overrides` are tables of settings."""
    settings = make_settings(**overrides)
    placements = order_placements(sample_articles() if articles is None else articles)
    edition = Edition(None, "weekly", 12, WINDOW, "", placements)
    edition = dataclasses.replace(edition, hash=edition_hash(edition, "Asia/Ashgabat"))
    layout = lay_out(placements, choice, per_theme=per_theme)
    digest, templates = settings.digests[0], make_environment(operator)
    mail = make_segment(settings, digest, edition, layout, templates)
    return Sample(settings, edition, layout, mail)

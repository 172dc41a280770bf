"""Pictures of the site: our copies of those of articles, and cards, which others show beside a link to us."""

import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont

from digest.editions.mail import FEWEST_WEEKS, shorten
from digest.errors import NotFoundError
from digest.feeds.pages import drawn
from digest.language.text import name_mark
from digest.model import OTHER, Article
from digest.store.articles import find_article
from digest.store.pictures import picture_copy
from digest.web.reading import WEEKS
from digest.web.site import Asked, Page, Place, id_in

DAY = 86_400
"""Seconds for which a picture is kept by readers: its name is of its bytes, but it may be withdrawn."""
HOUR = 3_600
_COPY = re.compile(r"([0-9a-f]{24})-(\d{3,4})\.(avif|webp)")
_BAR = re.compile(r"M(\S+) (\S+?)h(\S+?)v(\S+?)h")
GONE = Page(b"Gone\n", "text/plain; charset=utf-8", HTTPStatus.GONE, headers=())

PAPER, INK, META, PAST = "#faf8f4", "#1c2126", "#59616a", "#8b8479"
LEFT, RIGHT, FOOT = 72, 1128, 560
BARS, BAR, STEP, GROUND, HIGH = 842, 28, 36, 520, 81
"""Where the bars begin, how wide they are, how far apart, on what line they stand, how high they are."""
SERIF, SANS, BOLD = "NotoSerif-Bold", "NotoSans-Regular", "NotoSans-Bold"
SIZES = ((60, 72, 3, 296), (48, 58, 4, 284))
"""Of a headline: pixels of the type and of a line, how many lines, where the first one stands. The first that it
fits in."""
COLOURS = 64


def picture(asked: Asked) -> Page:
    """A copy of a picture, while an article shows it."""
    named = _COPY.fullmatch(asked.names["name"])
    if named is None:
        raise NotFoundError("There is no such picture")
    name, width, form = named.groups()
    data, is_shown = picture_copy(asked.db, asked.settings, asked.now, name, int(width), form)
    return Page(data, f"image/{form}", max_age=DAY, headers=()) if is_shown else GONE


class Card:
    """A picture of 1200 x 630 with the newsroom's mark and name. The fonts are ours, so it is the same
    everywhere."""

    def __init__(self, title: str) -> None:
        self.image = Image.new("RGB", (1200, 630), PAPER)
        self._draw = ImageDraw.Draw(self.image)
        mark = drawn(name_mark(title))
        for x, y, width, height in (map(float, one) for one in _BAR.findall(mark.path)):
            self.box(72 + 4.2 * x, 66 + 4.2 * y, 4.2 * width, 4.2 * height, INK)
        start = round(LEFT + 4.2 * mark.width + 17)
        size = next((n for n in range(54, 24, -2) if _width(title, SERIF, n) <= RIGHT - start), 24)
        self.text(start, 112, title, SERIF, size, INK)
        self.box(LEFT, 150, RIGHT - LEFT, 6, INK)
        self.box(LEFT, 160, RIGHT - LEFT, 1.5, INK)

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled box, to whole pixels."""
        right, bottom = max(x + width, x + 1), max(y + height, y + 1)
        corners = (round(x), round(y), round(right) - 1, round(bottom) - 1)
        self._draw.rectangle(corners, fill=colour)

    def text(self, x: float, y: float, text: str, font: str, size: int, colour: str) -> None:
        """A line of text that stands on `y`, letter by letter: large type is set closer."""
        for letter in _letters(text, font):
            self._draw.text((x, y), letter, fill=colour, font=_font(font, size), anchor="ls")
            x += _width(letter, font, size)

    def bars(self, counts: Sequence[int], colour: str, high: int) -> None:
        """Weeks as bars, the last one in `colour`."""
        top, start = max(counts), BARS + STEP * (WEEKS - len(counts))
        for at, count in enumerate(counts):
            height = max(2, round(count * high / top)) if count else 1
            is_now = at == len(counts) - 1
            self.box(start + STEP * at, GROUND - height, BAR, height, colour if is_now else PAST)

    def page(self) -> Page:
        few = self.image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        packed = io.BytesIO()
        few.save(packed, "PNG", optimize=True)
        return Page(packed.getvalue(), "image/png", max_age=HOUR, headers=())


@lru_cache(maxsize=32)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    data = files("digest.web").joinpath("fonts", f"{name}.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _letter(letter: str, font: str) -> str:
    """A letter as the font has it, else its parts that it has, without marks."""
    missing, parts = _shape("\U0010ffff", font), unicodedata.normalize("NFKD", letter)
    if letter.isspace() or _shape(letter, font) != missing:
        return letter
    return "".join(one for one in parts if one != letter and _shape(one, font) != missing)


def _shape(letter: str, font: str) -> tuple[tuple[int, int], bytes]:
    mask = _font(font, 24).getmask(letter)
    return mask.size, bytes(mask)


def _letters(text: str, font: str) -> str:
    return "".join(_letter(one, font) for one in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=4096)
def _advance(letter: str, font: str, size: int) -> float:
    return _font(font, size).getlength(letter)


def _width(text: str, font: str, size: int) -> float:
    closer = 0.02 * size if font == SERIF else 0.0
    return sum(_advance(one, font, size) - closer for one in _letters(text, font))


def _lines(text: str, font: str, size: int) -> list[str]:
    """The lines of a text between LEFT and RIGHT; a word that is longer than a line is broken."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if _width(longer, font, size) <= RIGHT - LEFT:
            line = longer
            continue
        lines += [line] if line else []
        line = ""
        for letter in word:
            if _width(line + letter, font, size) > RIGHT - LEFT:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line]


def _headline(text: str, font: str) -> tuple[list[str], int, int, int]:
    """Lines of a headline, the size of its type and of a line, and where the first one stands."""
    text = re.sub(r"[^\S\u00a0]+", " ", text).strip()
    for size, step, most, first in SIZES:
        lines = _lines(text, font, size)
        if len(lines) <= most:
            return lines, size, step, first
    limit = sum(map(len, lines[:most])) + most
    while len(lines) > most:
        limit -= 4
        lines = _lines(shorten(text, limit), font, size)
    return lines, size, step, first


def card(asked: Asked) -> Page:
    """The card of an article, else of a language."""
    name, settings = asked.names["name"], asked.settings
    if name in settings.page_languages:
        return language_card(replace(asked, language=name))
    article = find_article(asked.db, id_in(name))
    if article.withdrawn_at is not None:
        return GONE
    if article.is_embargoed(asked.now):
        raise NotFoundError(f"article {name} is embargoed")
    spoken = article.language in settings.page_languages
    return article_card(replace(asked, language=article.language) if spoken else asked, article)


def article_card(asked: Asked, article: Article) -> Page:
    """The card of an article: its theme, headline and day, and eight weeks of the theme."""
    settings, wording = asked.settings, asked.wording
    key = next((one for one in article.themes if one in settings.theme_keys), OTHER)
    theme, card = settings.theme_name(key), Card(settings.site.title)
    title = theme.title(asked.language)
    card.text(LEFT, 222, title, BOLD, 28, theme.colour)
    # A title that we made is never in bold.
    font = SANS if article.title_made else SERIF
    lines, size, step, first = _headline(article.title, font)
    for at, line in enumerate(lines):
        card.text(LEFT, first + step * at, line, font, size, INK)
    if article.published.day is not None:
        card.text(LEFT, FOOT, wording.day(article.published.day), SANS, 26, META)
    _, found = asked.by_week(WEEKS)
    counts = [sum(week.values()) for week in found[key]]
    if len(counts) > FEWEST_WEEKS and any(counts):
        reach = [LEFT + _width(line, font, size) > BARS - 24 for line in lines]
        beside = [first + step * at for at, over in enumerate(reach) if over]
        card.bars(counts, theme.colour, min(HIGH, GROUND - 24 - max(beside, default=0)))
        said = wording.reading["card_weeks"].format(theme=title, n=len(counts))
        card.text(min(BARS, RIGHT - _width(said, SANS, 22)), FOOT, said, SANS, 22, META)
    return card.page()


def language_card(asked: Asked) -> Page:
    """The card of the pages of a language: the themes."""
    settings = asked.settings
    card = Card(settings.site.title)
    names = [settings.theme_name(one) for one in settings.theme_keys]
    size = next((n for n in (60, 48, 36) if len(names) * n * 1.3 <= 380), 28)
    for at, theme in enumerate(names[: int(380 // (1.3 * size))]):
        title, y = theme.title(asked.language), 250 + round(1.3 * size * at)
        card.text(LEFT, y, _headline(title, SERIF)[0][0], SERIF, size, theme.colour)
    return card.page()


PLACES = (Place("/pictures/{name}", picture), Place("/cards/{name}.png", card))

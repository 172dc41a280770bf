"""The words of the trade as types: plain values, without I/O or a clock.

Times are aware and in UTC; a day without a time is a `date`. Texts are plain Unicode in NFC unless
a name ends in `_html`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

OTHER = "other"
"""The key for news without a theme; no theme in config.toml may have it."""


class DateSource(StrEnum):
    """Where the date of an article comes from."""

    STATED = "stated"  # a dateline, a wire tag, or the source's own machine-readable date
    TEXT = "text"  # the day of the main event in the first sentence
    NEIGHBOURS = "neighbours"  # day and month from the text, the year from the listing's neighbours
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownDate:
    """A day and where it comes from.

    `day` is None exactly when `source` is UNKNOWN. `time` is the instant in UTC where the source
    gives one. `evidence` is the sentence or dateline that states it, with the [day] marked, or "".
    """

    day: date | None = None
    source: DateSource = DateSource.UNKNOWN
    evidence: str = ""
    time: datetime | None = None

    @property
    def iso(self) -> str | None:
        """The instant, else the day, in ISO 8601; None when unknown."""
        if self.time is not None:
            return self.time.isoformat()
        return self.day.isoformat() if self.day is not None else None


UNDATED = KnownDate()


class CutKind(StrEnum):
    """What lines of a document are that are no copy of an article."""

    CONTACT = "contact"  # whom the press may reach
    HEADER = "header"  # of a mail, a wire or a letter
    LABEL = "label"  # of the release: urgency, embargo, update, end mark
    BOILERPLATE = "boilerplate"  # about the sender, notes to editors, who wrote it, copyright
    FURNITURE = "furniture"  # captions, tags, share lines, "Read more"


@dataclass(frozen=True, slots=True)
class Cut:
    """Lines that are kept for editors and never published, joined by "\n"."""

    kind: CutKind
    text: str


@dataclass(frozen=True, slots=True)
class Embargo:
    """Copy that waits. `until` is in UTC, None where its line `words` names no hour that can be read:
    then only an editor releases it.
    """

    until: datetime | None
    words: str


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The hour of what readers see only if an editor says so."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill or recall: `title` or `number` is what it calls the item that must not be published."""

    words: str
    title: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an article, not fetched: its address, size in pixels if it is stated, and words."""

    url: str
    width: int | None = None
    height: int | None = None
    alt: str = ""
    credit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One news item as a source carries it: parsed, not yet stored.

    `document` is the document's name within its source and `line` (from 1) where the item starts in
    it. `text` is all of the copy, with an empty line between paragraphs, and `lead` its first
    paragraph of prose; a heading is a paragraph of its own in `text` and an <h2> in `content_html`.
    A teaser is not `complete`: its text is what is known, without the mark that ends it.
    `cuts` are the lines of its document that are no copy. `urgency` is "flash", "bulletin" or
    "urgent"; `number` what the sender calls the release ("187/2026", a slug); `update` the mark of a
    later form ("UPDATE 2"); `correction` the line that says what was corrected, "" where a mark says
    only that it was. With `kills` it is no article but asks to withdraw one.
    """

    document: str
    line: int
    title: str
    title_made: bool
    language: str
    lead: str
    text: str
    content_html: str
    complete: bool
    byline: str | None = None
    dateline: str | None = None
    wire_tag: str | None = None
    urgency: str | None = None
    number: str | None = None
    update: str | None = None
    correction: str | None = None
    embargo: Embargo | None = None
    kills: Kill | None = None
    cuts: tuple[Cut, ...] = ()
    picture: Picture | None = None
    published: KnownDate = UNDATED
    guid: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItem:
    """One item of a feed or page as its parser gives it, before it becomes an Entry.

    `key` names it within its source for ever: its guid, else its canonical address, else a hash of its
    words. `html` is the best body there is, not sanitised; `complete` says that it is the whole text, not
    a summary. `published` is UNDATED unless the feed or the page's own metadata states a day. `title`,
    `author`, `categories` and the words of a picture are clean text (language.text.foreign). `updated` and
    `categories` are not stored.
    """

    key: str
    title: str
    html: str
    complete: bool
    url: str | None = None
    guid: str | None = None
    author: str | None = None
    published: KnownDate = UNDATED
    updated: datetime | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    picture: Picture | None = None


class Place(StrEnum):
    """Where in an article a term was found."""

    TITLE = "title"
    LEAD = "lead"
    BODY = "body"


UNSURE = 1.3
"""A match whose score is below so many times the threshold is unsure."""


@dataclass(slots=True, unsafe_hash=True)
class Hit:
    """A term found in an article: as the lexicon writes it, as the article does, and where.

    `start` and `end` count characters in the title (Place.TITLE) or in the text (LEAD, BODY), so
    that text[start:end] == form. `weight` is what the hit added to the score, `why` says why that is
    less than its term's weight, "" if it is not. Never change one; it is not frozen only because a
    frozen one takes four times as long to make.
    """

    term: str
    form: str
    place: Place
    start: int
    end: int
    weight: float
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ThemeScore:
    """An article's score for one theme, with the threshold and every hit.

    `blotted` are the phrases to ignore that covered a term, and terms in another sense; their weight
    is 0.
    """

    theme: str
    score: float
    threshold: float
    hits: tuple[Hit, ...] = ()
    blotted: tuple[Hit, ...] = ()

    @property
    def matched(self) -> bool:
        return self.score >= self.threshold

    @property
    def unsure(self) -> bool:
        """Whether it is matched, but so narrowly that an editor may know better."""
        return self.threshold <= self.score < self.threshold * UNSURE


@dataclass(frozen=True, slots=True)
class Match:
    """An article under a theme. `by` is "lexicon", or "editor" for a correction."""

    theme: str
    score: float
    threshold: float
    by: str
    lexicon_version: str
    hits: tuple[Hit, ...] = ()
    blotted: tuple[Hit, ...] = ()

    @property
    def unsure(self) -> bool:
        """Whether the lexicon alone decided, and narrowly: an editor may know better."""
        return self.by == "lexicon" and self.score < self.threshold * UNSURE


class Verdict(StrEnum):
    """An editor's decision on an article and a theme, or on two articles."""

    ADD = "add"  # the article is under the theme
    REMOVE = "remove"
    JOIN = "join"  # the two articles are of one story
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Correction:
    """An editor's decision, which no engine overrules, with the editor's name and the time in UTC."""

    verdict: Verdict
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One stored item in one language, with a permanent id, in its newest version.

    `atom_id` never changes. `updated_at` changes only with the text that people read. `matches` are
    sorted best first. `archived` articles are in feeds and search but in no edition.
    Until `opens_at` it is embargoed: the hour that its embargo names, or NEVER until an editor decides.
    `first_seen_at` is not before that; `received_at` is when we got it. `corrected_at` is when readers
    last learnt that it was changed, in the parts `corrected` ("title", "text", "date", "byline", "correction"), or
    withdrawn; no two articles have the same `updated_at`.
    """

    id: int
    atom_id: str
    version: int
    source: str
    document: str | None
    title: str
    title_made: bool
    language: str
    lead: str
    text: str
    content_html: str
    complete: bool
    first_seen_at: datetime
    updated_at: datetime
    received_at: datetime | None = None
    opens_at: datetime | None = None
    url: str | None = None
    byline: str | None = None
    dateline: str | None = None
    wire_tag: str | None = None
    urgency: str | None = None
    number: str | None = None
    update: str | None = None
    correction: str | None = None
    embargo: Embargo | None = None
    released_by: str | None = None
    picture: Picture | None = None
    published: KnownDate = UNDATED
    story_id: int | None = None
    archived: bool = False
    corrected_at: datetime | None = None
    corrected: tuple[str, ...] = ()
    withdrawn_at: datetime | None = None
    withdrawn_why: str = ""
    matches: tuple[Match, ...] = ()

    @property
    def themes(self) -> tuple[str, ...]:
        """Keys of its themes, best first."""
        return tuple(match.theme for match in self.matches)

    def is_embargoed(self, now: datetime) -> bool:
        return self.opens_at is not None and self.opens_at > now


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another article of the same story, as a link needs it."""

    id: int
    atom_id: str
    title: str
    language: str
    source: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time, [starts_at, ends_at), both in UTC."""

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def days(self, zone: str) -> tuple[date, date]:
        """The first and last day that the window touches, in the IANA `zone`."""
        local = ZoneInfo(zone)
        last = self.ends_at - timedelta(microseconds=1)
        return self.starts_at.astimezone(local).date(), last.astimezone(local).date()


@dataclass(frozen=True, slots=True)
class Placement:
    """One article in an edition, frozen in the version that it had.

    `position` counts from 1. `siblings` are the other articles of its story that the edition could
    show: in other languages or from other outlets.
    """

    position: int
    article: Article
    siblings: tuple[Sibling, ...] = ()


class EditionStatus(StrEnum):
    DRAFT = "draft"  # its window is closed; nothing is queued until a person approves it
    COMPOSED = "composed"  # frozen; its deliveries are queued
    HELD = "held"  # frozen, but a person must release it
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Hand:
    """What an editor decided about one edition; articles are named by their ids.

    `introduction` (Markdown) and `subject` are by language. `lead` opens the mail, `order` comes first
    in its themes. `left_out` is not in this edition; those in `carried` come in the next one.
    """

    introduction: Mapping[str, str] = field(default_factory=dict)
    subject: Mapping[str, str] = field(default_factory=dict)
    lead: int | None = None
    order: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    carried: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """One dated issue of a digest. `id` is None while it is only a preview.

    `earlier` has up to seven earlier weeks of each theme, the oldest first: how many stories came in,
    by the languages that they have, such as "en" or "en ru". `dated_at` is when it began to go out,
    None before that.
    """

    id: int | None
    digest: str
    number: int
    window: Window
    hash: str
    placements: tuple[Placement, ...]
    status: EditionStatus = EditionStatus.COMPOSED
    dated_at: datetime | None = None
    hand: Hand = Hand()
    earlier: Mapping[str, tuple[Mapping[str, int], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a phrase or story that a reader follows: of the `looked` articles of an edition's
    window, so many `named` it."""

    what: str
    looked: int
    named: int


@dataclass(frozen=True, slots=True, order=True)
class Corrected:
    """An article that readers last got in the version `seen`, by the mail of `day`, and that has another
    `version` since. 0 is for withdrawn."""

    article_id: int
    seen: int
    version: int
    day: date


@dataclass(frozen=True, slots=True)
class Change:
    """A corrected article as a mail tells of it: as it is now, the title that readers got, and the `parts`
    that differ, named as in `Article.corrected`."""

    of: Corrected
    article: Article
    title: str
    parts: tuple[str, ...]

    @property
    def says(self) -> bool:
        """Whether there is anything to tell, as far as it is known what was changed."""
        return bool(self.parts) or 0 in (self.of.seen, self.of.version)


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some readers with the same choice get in an edition: `corrected` is what they were sent and
    what was corrected or withdrawn since."""

    corrected: tuple[Corrected, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a recipient chose; recipients with equal choices form one segment.

    `language` is that of the mail. `languages` are those they read, `language` first: a story is shown
    once, in the first of them that has it. `themes` has the order of config.toml and may include
    OTHER. `extras` are known when an edition is composed, and empty elsewhere.
    """

    language: str
    languages: tuple[str, ...]
    themes: tuple[str, ...]
    extras: Extras = Extras()


class RecipientStatus(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"  # has not confirmed yet
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Recipient:
    id: int
    address: str
    choice: Choice
    digests: tuple[str, ...]
    status: RecipientStatus
    added_at: datetime
    name: str | None = None
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Recipients with the same choice. `recipients` is their number; 0 in a preview without any."""

    choice: Choice
    recipients: int


@dataclass(frozen=True, slots=True)
class Section:
    """A theme in one segment's mail: the articles shown, and the number of all."""

    theme: str
    shown: tuple[Placement, ...]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class Layout:
    """The contents of one segment's mail: its sections in order, without empty ones."""

    choice: Choice
    sections: tuple[Section, ...]

    @property
    def total(self) -> int:
        return sum(section.total for section in self.sections)


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """One segment's mail without a recipient: subject in Unicode, text and HTML bodies."""

    subject: str
    preheader: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One segment's mail as `send --dry-run` shows and writes it."""

    segment: Segment
    layout: Layout
    subject: str
    message: bytes
    name: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThemeName:
    """A theme as people see it: key, names by language, colours on a light and a dark background."""

    key: str
    titles: Mapping[str, str] = field(default_factory=dict)
    colour: str = "#575f68"
    colour_dark: str = "#b4bcc4"

    def title(self, language: str) -> str:
        """The name in `language`, else in another language, else the key."""
        return self.titles.get(language) or next(iter(self.titles.values()), self.key)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An open problem that needs an operator.

    `key` stays the same while it lasts, such as "edition held weekly/12"; `said` is what is wrong, in
    one sentence; `advice` is what to do, with the command.
    """

    key: str
    said: str
    since: datetime
    advice: str

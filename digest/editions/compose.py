"""The verb `compose`: closes each edition that is due, freezes it, and queues its deliveries.

`preview` and `compose` build an edition with the same function, so the dry run's hash is the
edition's.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from digest.audience.recipients import effective_choice
from digest.audience.store import raw_choices
from digest.config.settings import DigestConfig, Settings
from digest.editions import store as edition_store
from digest.editions.alerts import receipts as receipts_of
from digest.editions.corrections import newest, owed_corrections
from digest.editions.deliveries import queue_deliveries, skip_unwanted
from digest.editions.mail import make_segment
from digest.editions.schedule import is_late, window_to_close
from digest.editions.selection import edition_hash, lay_out, left_of, order_placements, section_of
from digest.editions.store import FrozenSegment
from digest.errors import ExpectationError, NotFoundError
from digest.mail.mime import SegmentMail, segment_mail
from digest.model import (
    Article,
    Choice,
    Corrected,
    Edition,
    EditionStatus,
    Extras,
    Hand,
    Layout,
    Segment,
    Window,
)
from digest.newsroom import Newsroom, fingerprint, program_hash
from digest.store.articles import (
    articles_in_window,
    changes_of,
    count_in_window,
    first_seen,
    siblings_of,
    window_mark,
)
from digest.store.database import Database, moment_from_text


def next_window(
    newsroom: Newsroom, digest: DigestConfig, now: datetime, *, by_hand: bool = False
) -> Window | None:
    """The window that is due, or with `by_hand` the one that a person would close now; None if there
    is none.
    """
    db, settings = newsroom.db, newsroom.settings
    last = edition_store.last_edition(db, digest.name)
    return window_to_close(
        settings.digest_rule(digest),
        settings.digest_zone(digest),
        starts_at=digest.since if last is None else last[1],
        first_seen=first_seen(db, now) if last is None and digest.since is None else None,
        now=now,
        by_hand=by_hand,
    )


STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Expected:
    """The edition that the operator saw in a dry run: its hash, and the time that it had there, at which
    a new one ends and the mail is dated.
    """

    hash: str
    at: datetime | None = None

    def means(self, edition: Edition) -> bool:
        return edition.hash == self.hash

    def changed(self, edition: Edition) -> str:
        """What is different in this edition, in words."""
        ours, theirs = (re.findall(f".{{{PART}}}", one) for one in (edition.hash, self.hash))
        return ", ".join(
            name for name, one, other in zip(PARTS, ours, theirs, strict=True) if one != other
        )

    @classmethod
    def parse(cls, text: str) -> "Expected":
        """HASH or HASH@20261122T080000Z, as the dry run prints it.

        Raises:
            ExpectationError: the text is neither.
        """
        wanted, at, end = text.strip().partition("@")
        if not re.fullmatch(rf"[0-9a-f]{{{PART * len(PARTS)}}}", wanted):
            raise ExpectationError(
                f"--expect {text!r}: this is not the hash that `digest send --dry-run` prints, which has "
                f"{PART * len(PARTS)} characters"
            )
        if not at:
            return cls(wanted)
        try:
            return cls(wanted, datetime.strptime(end, STAMP).replace(tzinfo=UTC))
        except ValueError:
            raise ExpectationError(
                f"--expect {text!r}: the part after @ is not a time such as 20261122T080000Z"
            ) from None


def expectation(edition: Edition, date: datetime) -> str:
    """The value of `--expect` that sends exactly this edition with this date."""
    return f"{edition.hash}@{date.astimezone(UTC).strftime(STAMP)}"


PARTS = ("its articles or corrections", "config.toml", "the templates", "this program")
TOLD_FOR = timedelta(days=60)
"""A reader hears of what was corrected no longer than this before the window of an edition began: who
had paused for longer has long forgotten it."""
PART = 8
"""The hash of an edition has a part of so many characters for each: it says what has changed."""
MADE_WITH: Any = {
    "site": True,
    "mail": {"from_name", "from_address", "reply_to", "unsubscribe_address", "dkim"},
    "web": {"feeds_url", "preferences_url", "public_url", "site"},
    "themes": {"__all__": {"name", "title", "colour", "colour_dark"}},
    "sources": {"__all__": {"name", "title", "kind", "publish", "credit"}},
}
"""The settings, beside those of the digest, that decide the bytes of a mail."""
TIMING = {
    *("schedule", "every", "since", "max_lateness_hours"),
    *("approval", "second_person", "approve_within_hours"),
}


def full_hash(newsroom: Newsroom, digest: DigestConfig, shown: str) -> str:
    """The hash of an edition over all that decides its bytes; `shown` is that over its articles."""
    settings = newsroom.settings
    parts = (
        shown,
        settings.model_dump_json(include=MADE_WITH) + digest.model_dump_json(exclude=TIMING),
        fingerprint(newsroom.templates, without="web"),
        program_hash(),
    )
    return "".join(sha256(part.encode()).hexdigest()[:PART] for part in parts)


def find_digest(settings: Settings, name: str | None) -> DigestConfig:
    """The digest with that name; without a name the only one there is.

    Raises:
        NotFoundError: no digest has that name, or there are several and no name.
    """
    names = ", ".join(digest.name for digest in settings.digests)
    if name is None:
        if len(settings.digests) > 1:
            raise NotFoundError(f"there are several digests; name one of {names}")
        return settings.digests[0]
    digest = settings.digest(name)
    if digest is None:
        raise NotFoundError(f"there is no digest {name!r}; config.toml has {names}")
    return digest


def preview(
    newsroom: Newsroom, digest: DigestConfig, now: datetime, *, expect: Expected | None = None
) -> Edition | None:
    """The edition that would be sent at `now`, not frozen; None while nothing has come in. Its window
    ends no later than that of `expect`.
    """
    window = _by_hand(newsroom, digest, now, expect)
    return None if window is None else edition_of(newsroom, digest, window)


def is_worth_sending(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, now: datetime
) -> bool:
    """Whether sending by hand sends this edition. One without articles of its own window, only with
    what was postponed to it, waits until one is due; so does an empty one, if the digest sends these.
    Else each command would send another.
    """
    start = edition.window.starts_at
    if any(one.article.first_seen_at >= start for one in edition.placements):
        return True
    wanted = bool(edition.placements) or digest.empty == "send"
    return wanted and next_window(newsroom, digest, now) is not None


def count_waiting(newsroom: Newsroom, digest: DigestConfig, now: datetime) -> int:
    """How many articles the next edition would have now."""
    db, settings = newsroom.db, newsroom.settings
    window = next_window(newsroom, digest, now, by_hand=True)
    if window is None:
        return 0
    last = edition_store.last_edition(db, digest.name)
    return count_in_window(
        db,
        window,
        settings.digest_languages(digest),
        settings.digest_themes(digest),
        settings.theme_keys,
        edition_store.postponed_to(db, digest.name, last[0] + 1) if last else (),
    )


def compose_now(
    newsroom: Newsroom, digest: DigestConfig, *, expect: Expected | None = None
) -> Edition | None:
    """Close the digest's window by hand; None if the edition is not worth sending or there are no
    recipients: the news then waits for the first one.

    With `expect` only that exact edition is frozen.

    Raises:
        ExpectationError: the edition would not be the one expected; nothing was composed.
    """
    moment = newsroom.now()
    find_window = partial(_by_hand, newsroom, digest, moment, expect)
    if expect is not None and find_window() is None:
        raise ExpectationError("nothing new has come in, so no edition has that hash")

    def is_wanted(edition: Edition) -> bool:
        if expect is not None and not expect.means(edition):
            raise ExpectationError(
                f"expected the edition {expect.hash}, but now it would be {edition.hash}. What has "
                f"changed: {expect.changed(edition)}. Nothing was sent. Next: digest send --dry-run."
            )
        someone = next(choices_of(newsroom, digest), None) is not None
        return someone and is_worth_sending(newsroom, digest, edition, moment)

    return _close(newsroom, digest, moment, find_window, is_wanted)


def compose_due(newsroom: Newsroom, *, digest: str | None = None) -> list[Edition]:
    """Close every edition that is due by its rule; returns the frozen ones, and drafts that are held.

    After an outage one edition covers all the time missed. An edition later than
    `max_lateness_hours` is held for a person, and so is a draft that nobody approved by its hour. A digest that cannot be composed stops no other: its
    error is raised at the end.
    """
    composed = hold_overdue(newsroom)
    faults: list[Exception] = []
    for config in newsroom.settings.digests:
        if digest is not None and config.name != digest:
            continue
        moment = newsroom.now()
        find_window = partial(next_window, newsroom, config, moment)
        try:
            edition = _close(newsroom, config, moment, find_window, lambda _: True)
        except Exception as e:  # noqa: BLE001 - raised below
            faults.append(e)
            continue
        if edition is not None:
            composed.append(edition)
    if faults:
        raise faults[0]
    return composed


def approve_by(newsroom: Newsroom, digest: str, ends_at: datetime) -> datetime:
    """The hour of a draft whose window ended then: by it somebody approves it, or it is held."""
    config = newsroom.settings.digest(digest)
    return ends_at + timedelta(hours=config.approve_within_hours if config else 0)


def hold_overdue(newsroom: Newsroom) -> list[Edition]:
    """Hold each draft that nobody approved by its hour; returns them."""
    db, now = newsroom.db, newsroom.now()
    held = []
    for row in edition_store.drafts(db):
        hour = approve_by(newsroom, row["digest"], moment_from_text(row["ends_at"]))
        if row["status"] == EditionStatus.DRAFT and now >= hour:
            note = f"nobody approved it by {hour:%Y-%m-%d %H:%M} UTC"
            with db.write():
                edition_store.hold_edition(db, row["id"], note)
            held.append(edition_store.edition_by_id(db, row["id"]))
    return held


def compose_held(newsroom: Newsroom, now: datetime, note: str) -> list[int]:
    """Close the waiting news of each digest as an edition held with `note`; returns their ids."""
    held: list[int] = []
    for digest in newsroom.settings.digests:
        frozen = _close(
            newsroom,
            digest,
            now,
            partial(_by_hand, newsroom, digest, now, None),
            lambda edition: bool(edition.placements),
            note=note,
        )
        if frozen is not None and frozen.id is not None:
            held.append(frozen.id)
    return held


def _close(
    newsroom: Newsroom,
    digest: DigestConfig,
    moment: datetime,
    find_window: Callable[[], Window | None],
    is_wanted: Callable[[Edition], bool],
    *,
    note: str | None = None,
) -> Edition | None:
    """Freeze the edition of a window, held if it is late or has a `note`; None if there is none. Where
    the digest needs an approval it is a draft, for which nothing is queued.

    All is rendered before the write. If meanwhile anything came in or changed that concerns it, all is
    done again.
    """
    db = newsroom.db
    while True:
        version, last = db.version(), edition_store.last_edition(db, digest.name)
        window = find_window()
        if window is None:
            return None
        mark = mark_of(newsroom, digest, window)
        edition = edition_of(newsroom, digest, window)
        if not is_wanted(edition) or (not edition.placements and digest.empty == "skip"):
            return None
        held = note is not None or is_late(window, moment, digest.max_lateness_hours)
        status = EditionStatus.HELD if held else EditionStatus.COMPOSED
        edition = replace(edition, status=EditionStatus.DRAFT if digest.approval else status)
        readers = [] if digest.approval else list(choices_of(newsroom, digest))
        recipients, frozen = frozen_for(newsroom, digest, edition, readers)
        with db.write():
            if db.version() != version and (
                mark_of(newsroom, digest, window) != mark
                or edition_store.last_edition(db, digest.name) != last
                or (not digest.approval and list(choices_of(newsroom, digest)) != readers)
                or (recipients and rehashed(newsroom, digest, edition, recipients) != edition)
            ):
                continue
            edition_id = edition_store.save_edition(db, edition, moment, note)
            edition = replace(edition, id=edition_id)
            if not digest.approval:
                queue(db, edition, recipients, frozen, moment)
            elif held:
                edition_store.hold_edition(db, edition_id, note)
        return edition


def mark_of(newsroom: Newsroom, digest: DigestConfig, window: Window, number: int = 0) -> str:
    """What changes whenever the edition of this window may; the next edition's without a number."""
    db, last = newsroom.db, edition_store.last_edition(newsroom.db, digest.name)
    number = number or (1 if last is None else last[0] + 1)
    return window_mark(db, window, edition_store.postponed_to(db, digest.name, number))


def frozen_for(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, readers: list[tuple[int, Choice]]
) -> tuple[list[tuple[int, Choice]], list[FrozenSegment]]:
    """The recipients of an edition with their choices and what only they get, and what each different choice
    gets. What is corrected, or followed, after this is for the next edition."""
    recipients = with_extras(newsroom, digest, edition.window, readers)
    choices = dict.fromkeys(choice for _, choice in recipients)
    return recipients, [freeze_segment(newsroom, digest, edition, one) for one in choices]


def rehashed(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, recipients: list[tuple[int, Choice]]
) -> Edition:
    """The edition with the hash that it has if these are its recipients."""
    return hashed(newsroom, digest, edition, (one.extras.corrected for _, one in recipients))


def queue(
    db: Database,
    edition: Edition,
    recipients: Iterable[tuple[int, Choice]],
    frozen: Iterable[FrozenSegment],
    moment: datetime,
) -> None:
    """Store what each choice gets, and a delivery for each recipient. Call inside a write."""
    assert edition.id is not None, "only what is stored has deliveries"  # noqa: S101
    ids = edition_store.save_segments(db, edition, frozen)
    queue_deliveries(db, edition.id, ((one, ids[choice]) for one, choice in recipients), moment)
    skip_unwanted(db, edition.id, moment)


def freeze_segment(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, choice: Choice
) -> FrozenSegment:
    """What everybody with this choice gets of the edition. A correction is sent also where nothing is new
    under the chosen themes.

    Raises:
        ConfigError: the operator's own templates have an error.
    """
    layout = lay_out(edition.placements, choice, per_theme=digest.per_theme, hand=edition.hand)
    sends_empty = choice.extras.corrected or (digest.empty == "send" and not edition.placements)
    if layout.total == 0 and not sends_empty:
        return FrozenSegment(layout, None)
    return FrozenSegment(layout, render_segment(newsroom, digest, edition, layout))


def render_segment(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, layout: Layout
) -> SegmentMail:
    settings, corrected = newsroom.settings, layout.choice.extras.corrected
    changes = list(changes_of(newsroom.db, corrected).values()) if corrected else []
    rendered = make_segment(settings, digest, edition, layout, newsroom.templates, changes)
    return segment_mail(settings, digest, edition, layout.choice, rendered)


def withdrawn_articles(edition: Edition) -> list[int]:
    """The ids of its articles that were withdrawn after it was composed."""
    articles = (placement.article for placement in edition.placements)
    return [article.id for article in articles if article.withdrawn_at is not None]


def without_withdrawn(newsroom: Newsroom, digest: DigestConfig, edition: Edition) -> Edition:
    """The edition without the articles that were withdrawn, and with corrections as they are now, under the
    hash of that."""
    segments = edition_store.segments_of(newsroom.db, edition.id or 0)
    told = (newest(newsroom.db, one.choice).extras.corrected for _, one in segments)
    return hashed(newsroom, digest, left_of(edition), told)


def freeze_again(newsroom: Newsroom, edition_id: int) -> None:
    """Freeze an edition without the articles that were withdrawn, and with corrections as they are now: all
    of it, or the rest that is still queued. One without news is cancelled, unless the digest sends empty
    editions.
    """
    db = newsroom.db
    edition = edition_store.edition_by_id(db, edition_id)
    digest = find_digest(newsroom.settings, edition.digest)
    new = without_withdrawn(newsroom, digest, edition)
    choices = dict.fromkeys(one.choice for _, one in edition_store.segments_of(db, edition_id))
    frozen = {
        choice: freeze_segment(newsroom, digest, new, newest(db, choice)) for choice in choices
    }
    with db.write():
        edition_store.replace_frozen(db, new, frozen)
        if not new.placements and digest.empty == "skip":
            edition_store.cancel_edition(db, edition_id, newsroom.now())


def settle_withdrawn(newsroom: Newsroom) -> None:
    """Before anything is sent: an edition of which an article was withdrawn is frozen again without it
    if nothing of it was sent, else held until a person decides. One that tells of corrections which have
    changed is frozen again too.
    """
    db = newsroom.db
    for edition_id in edition_store.unfinished_editions(db):
        stopped = edition_store.stopped_by_withdrawal(db, edition_id)
        if not stopped and not edition_store.has_outdated(db, edition_id):
            continue
        edition = edition_store.edition_by_id(db, edition_id)
        known = newsroom.settings.digest(edition.digest) is not None
        if known and not edition_store.has_begun(db, edition_id):
            freeze_again(newsroom, edition_id)
        elif stopped:
            ids = ", ".join(map(str, withdrawn_articles(edition)))
            with db.write():
                note = f"withdrawn after part of it was sent: article {ids}"
                edition_store.hold_edition(db, edition_id, note)


def segments(newsroom: Newsroom, digest: DigestConfig, window: Window) -> list[Segment]:
    """The digest's recipients who may be mailed, by equal choices, the largest segment first."""
    readers = list(choices_of(newsroom, digest, suppressed=False))
    counts = Counter(choice for _, choice in with_extras(newsroom, digest, window, readers))

    def largest_first(item: tuple[Choice, int]) -> tuple[object, ...]:
        choice, count = item
        return -count, choice.language, choice.languages, choice.themes, repr(choice.extras)

    return [Segment(*item) for item in sorted(counts.items(), key=largest_first)]


def with_extras(
    newsroom: Newsroom, digest: DigestConfig, window: Window, readers: list[tuple[int, Choice]]
) -> list[tuple[int, Choice]]:
    """The recipients of an edition, each with their choice and what only they get."""
    if not readers:
        return readers
    corrected = owed_corrections(newsroom, digest, window.starts_at - TOLD_FOR)
    receipts = receipts_of(newsroom, window)
    if not corrected and not receipts:
        return readers
    made: dict[tuple[object, ...], Choice] = {}
    recipients = dict(readers)
    for reader in corrected.keys() | receipts.keys():
        if (choice := recipients.get(reader)) is not None:
            extras = Extras(corrected.get(reader, ()), receipts.get(reader, ()))
            if (key := (choice, extras)) not in made:
                made[key] = replace(choice, extras=extras)
            recipients[reader] = made[key]
    return list(recipients.items())


def choices_of(
    newsroom: Newsroom, digest: DigestConfig, *, suppressed: bool = True
) -> Iterator[tuple[int, Choice]]:
    db, settings = newsroom.db, newsroom.settings
    known: dict[tuple[str, str | None, str | None], Choice] = {}
    for row in raw_choices(db, digest.name, newsroom.now()):
        if row["suppressed"] and not suppressed:
            continue
        raw = (row["language"], row["languages"], row["themes"])
        if raw not in known:
            known[raw] = effective_choice(settings, digest, row)
        yield int(row["id"]), known[raw]


def _by_hand(
    newsroom: Newsroom, digest: DigestConfig, now: datetime, expect: Expected | None
) -> Window | None:
    """The window that a person would close at `now`, ending no later than the expected one; None while
    a draft of the digest waits for an approval.
    """
    if any(
        (row["digest"], row["status"]) == (digest.name, EditionStatus.DRAFT)
        for row in edition_store.drafts(newsroom.db)
    ):
        return None
    window = next_window(newsroom, digest, now, by_hand=True)
    if window is None or expect is None or expect.at is None:
        return window
    ends_at = min(expect.at, window.ends_at)
    return Window(window.starts_at, ends_at) if window.starts_at < ends_at else None


def edition_of(
    newsroom: Newsroom, digest: DigestConfig, window: Window, *, draft: Edition | None = None
) -> Edition:
    """The edition of a window as it would be frozen now: the next one, or this draft with what its
    editor decided. It also has what was left out of the edition before to come in this one.
    """
    db, settings = newsroom.db, newsroom.settings
    themes = settings.digest_themes(digest)
    last = edition_store.last_edition(db, digest.name)
    number = draft.number if draft else 1 if last is None else last[0] + 1
    hand = draft.hand if draft else Hand()
    carried: list[Article] = []
    postponed = edition_store.postponed_to(db, digest.name, number)
    for article in articles_in_window(db, window, settings.digest_languages(digest), postponed):
        # Without its themes that config.toml no longer has. With none left it is other news, so
        # that removing a theme from config.toml removes no article from the mail.
        known = tuple(match for match in article.matches if match.theme in settings.theme_keys)
        if known != article.matches:
            article = replace(article, matches=known)
        if section_of(article, themes) is not None and article.id not in hand.left_out:
            carried.append(article)
    last_moment = window.ends_at - timedelta.resolution
    siblings = siblings_of(db, [article.id for article in carried], last_moment)
    placements = tuple(
        replace(
            placement,
            siblings=tuple(
                one for one in siblings.get(placement.article.id, ()) if one.id not in hand.left_out
            ),
        )
        for placement in order_placements(carried)
    )
    # The seven weeks before that of the window, but for those in which the store was not yet filled.
    ends = [window.ends_at - timedelta(weeks=n) for n in range(7, 0, -1)]
    since = first_seen(db, window.ends_at) or window.ends_at
    weeks = [Window(end - timedelta(weeks=1), end) for end in ends]
    earlier = edition_store.stories_by_week(
        db, [week for week in weeks if week.starts_at >= since], themes
    )
    row_id = draft.id if draft else None
    edition = Edition(
        row_id, digest.name, number, window, "", placements, hand=hand, earlier=earlier
    )
    corrected = owed_corrections(newsroom, digest, window.starts_at - TOLD_FOR)
    readers = choices_of(newsroom, digest) if corrected else ()
    told = (corrected.get(reader, ()) for reader, _ in readers)
    return hashed(newsroom, digest, edition, told)


def hashed(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, told: Iterable[Iterable[Corrected]]
) -> Edition:
    """With the hash over what it shows, and of which corrections its readers are `told`."""
    shown = edition_hash(edition, newsroom.settings.digest_zone(digest))
    if corrected := sorted({(one.article_id, one.version) for ones in told for one in ones}):
        shown += repr(corrected)
    return replace(edition, hash=full_hash(newsroom, digest, shown))

"""The verb `compose`: closes each edition that is due, freezes it, and queues its deliveries.

`preview` and `compose` build an edition with the same function, so the dry run's hash is the
edition's.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from digest.audience.recipients import effective_choice
from digest.audience.store import raw_choices
from digest.config.settings import DigestConfig, Settings
from digest.config.values import parse_rule
from digest.editions import store as edition_store
from digest.editions.deliveries import queue_deliveries, skip_unwanted
from digest.editions.schedule import is_late, window_to_close
from digest.editions.selection import edition_hash, order_placements, section_of
from digest.errors import ExpectationError, NotFoundError
from digest.model import Article, Choice, Edition, EditionStatus, Segment, Window
from digest.newsroom import Newsroom
from digest.store.articles import articles_in_window, count_in_window, first_seen, siblings_of


def next_window(
    newsroom: Newsroom, digest: DigestConfig, now: datetime, *, by_hand: bool = False
) -> Window | None:
    """The window that is due, or with `by_hand` the one that a person would close now; None if there
    is none.
    """
    db, settings = newsroom.db, newsroom.settings
    last = edition_store.last_edition(db, digest.name)
    return window_to_close(
        parse_rule(digest.schedule),
        settings.digest_zone(digest),
        starts_at=digest.since if last is None else last[1],
        first_seen=first_seen(db) if last is None and digest.since is None else None,
        now=now,
        by_hand=by_hand,
    )


STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Expected:
    """The edition that the operator saw in a dry run: its hash, or a unique beginning of it, and the
    end of its window, so that even the Date of the mail is the same.
    """

    hash: str
    ends_at: datetime | None = None

    def means(self, edition: Edition) -> bool:
        return edition.hash.startswith(self.hash)

    @classmethod
    def parse(cls, text: str) -> "Expected":
        """HASH or HASH@20261122T080000Z, as the dry run prints it.

        Raises:
            ExpectationError: the text is neither.
        """
        wanted, at, end = text.strip().partition("@")
        if not re.fullmatch(r"[0-9a-f]{8,64}", wanted):
            raise ExpectationError(
                f"--expect {text!r}: allowed is the hash that `digest send --dry-run` prints, or at "
                "least its first 8 characters"
            )
        if not at:
            return cls(wanted)
        try:
            return cls(wanted, datetime.strptime(end, STAMP).replace(tzinfo=UTC))
        except ValueError:
            raise ExpectationError(
                f"--expect {text!r}: the part after @ is not a time such as 20261122T080000Z"
            ) from None


def expectation(edition: Edition) -> str:
    """The value of `--expect` that sends exactly this edition."""
    return f"{edition.hash[:16]}@{edition.window.ends_at.astimezone(UTC).strftime(STAMP)}"


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
    return None if window is None else _edition(newsroom, digest, window)


def is_worth_sending(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, now: datetime
) -> bool:
    """Whether sending by hand sends this edition. One without articles is sent only if the digest
    sends empty editions and one is due; else each command would mail that there is no news.
    """
    if edition.placements:
        return True
    return digest.empty == "send" and next_window(newsroom, digest, now) is not None


def count_waiting(newsroom: Newsroom, digest: DigestConfig, now: datetime) -> int:
    """How many articles `preview` would show."""
    db, settings = newsroom.db, newsroom.settings
    window = _by_hand(newsroom, digest, now, None)
    if window is None:
        return 0
    return count_in_window(
        db,
        window,
        settings.digest_languages(digest),
        settings.digest_themes(digest),
        settings.theme_keys,
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
    db, now = newsroom.db, newsroom.now
    with db.write():
        moment = now()
        window = _by_hand(newsroom, digest, moment, expect)
        if window is None:
            if expect is not None:
                raise ExpectationError("nothing new has come in, so no edition has that hash")
            return None
        edition = _edition(newsroom, digest, window)
        if expect is not None and not expect.means(edition):
            raise ExpectationError(
                f"expected the edition {expect.hash}, but now it would be {edition.hash}: something "
                "came in or was changed. Nothing was sent. Next: digest send --dry-run."
            )
        if next(_choices(newsroom, digest), None) is None:
            return None
        if not is_worth_sending(newsroom, digest, edition, moment):
            return None
        return _freeze(newsroom, digest, edition, moment)


def compose_due(newsroom: Newsroom, *, digest: str | None = None) -> list[Edition]:
    """Close every edition that is due by its rule, each in one write; returns the frozen ones.

    After an outage one edition covers all the time missed. An edition later than
    `max_lateness_hours` is held for a person.
    """
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now
    composed: list[Edition] = []
    for config in settings.digests:
        if digest is not None and config.name != digest:
            continue
        with db.write():
            moment = now()
            window = next_window(newsroom, config, moment)
            if window is None:
                continue
            edition = _edition(newsroom, config, window)
            if is_late(window, moment, config.max_lateness_hours):
                edition = replace(edition, status=EditionStatus.HELD)
            frozen = _freeze(newsroom, config, edition, moment)
            if frozen is not None:
                composed.append(frozen)
    return composed


def compose_held(newsroom: Newsroom, now: datetime, note: str) -> list[int]:
    """Close the waiting news of each digest as an edition held with `note`; returns their ids. Call
    inside a write.
    """
    db, settings = newsroom.db, newsroom.settings
    held: list[int] = []
    for digest in settings.digests:
        edition = preview(newsroom, digest, now)
        if edition is None or not edition.placements:
            continue
        frozen = _freeze(newsroom, digest, edition, now)
        if frozen is not None and frozen.id is not None:
            edition_store.hold_edition(db, frozen.id, note)
            held.append(frozen.id)
    return held


def segments(newsroom: Newsroom, digest: DigestConfig) -> list[Segment]:
    """The digest's active recipients by equal choices, the largest segment first."""
    counts = Counter(choice for _, choice in _choices(newsroom, digest))

    def largest_first(item: tuple[Choice, int]) -> tuple[object, ...]:
        choice, count = item
        return -count, choice.language, choice.languages, choice.themes

    return [Segment(*item) for item in sorted(counts.items(), key=largest_first)]


def _choices(newsroom: Newsroom, digest: DigestConfig) -> Iterator[tuple[int, Choice]]:
    db, settings = newsroom.db, newsroom.settings
    known: dict[tuple[str, str | None, str | None], Choice] = {}
    for row in raw_choices(db, digest.name):
        raw = (row["language"], row["languages"], row["themes"])
        if raw not in known:
            known[raw] = effective_choice(settings, digest, row)
        yield int(row["id"]), known[raw]


def _by_hand(
    newsroom: Newsroom, digest: DigestConfig, now: datetime, expect: Expected | None
) -> Window | None:
    """The window that a person would close at `now`, ending no later than the expected one."""
    window = next_window(newsroom, digest, now, by_hand=True)
    if window is None or expect is None or expect.ends_at is None:
        return window
    ends_at = min(expect.ends_at, window.ends_at)
    return Window(window.starts_at, ends_at) if window.starts_at < ends_at else None


def _edition(newsroom: Newsroom, digest: DigestConfig, window: Window) -> Edition:
    db, settings = newsroom.db, newsroom.settings
    themes = settings.digest_themes(digest)
    carried: list[Article] = []
    for article in articles_in_window(db, window, settings.digest_languages(digest)):
        # Without its themes that config.toml no longer has. With none left it is other news, so
        # that removing a theme from config.toml removes no article from the mail.
        known = tuple(match for match in article.matches if match.theme in settings.theme_keys)
        if known != article.matches:
            article = replace(article, matches=known)
        if section_of(article, themes) is not None:
            carried.append(article)
    siblings = siblings_of(db, [article.id for article in carried])
    placements = tuple(
        replace(placement, siblings=tuple(siblings.get(placement.article.id, ())))
        for placement in order_placements(carried)
    )
    last = edition_store.last_edition(db, digest.name)
    number = 1 if last is None else last[0] + 1
    return Edition(
        id=None,
        digest=digest.name,
        number=number,
        window=window,
        hash=edition_hash(
            digest=digest.name,
            number=number,
            window=window,
            zone=settings.digest_zone(digest),
            placements=placements,
        ),
        placements=placements,
    )


def _freeze(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, moment: datetime
) -> Edition | None:
    db = newsroom.db
    if not edition.placements and digest.empty == "skip":
        return None
    edition_id = edition_store.save_edition(db, edition, moment)
    queue_deliveries(db, edition_id, _choices(newsroom, digest), moment)
    skip_unwanted(db, edition_id, moment)
    return replace(edition, id=edition_id)

"""What `send --dry-run` shows and writes: each segment's mail, made by the same code as the real one."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path
from types import MappingProxyType

from digest.config.settings import DigestConfig, Settings
from digest.editions.compose import freeze_segment, render_segment
from digest.editions.mail import is_old
from digest.editions.ranks import BY_EDITOR, rank
from digest.editions.store import FrozenSegment
from digest.errors import PublishError
from digest.mail.mime import MessageMaker, SegmentMail
from digest.mail.tokens import EXAMPLE_ADDRESS, EXAMPLE_TOKENS
from digest.model import Choice, Edition, Layout, Preview, Segment
from digest.newsroom import Newsroom
from digest.store.files import private_folder, replace_and_stat

KB = 1000
LONG_WINDOW_DAYS = 45


def everything(settings: Settings, digest: DigestConfig, language: str | None = None) -> Choice:
    """The choice of a recipient who wants all that the digest has, first in `language`."""
    languages = settings.digest_languages(digest)
    first = language if language in languages else languages[0]
    rest = tuple(code for code in languages if code != first)
    return Choice(first, (first, *rest), settings.digest_themes(digest))


def preview_segments(
    newsroom: Newsroom,
    digest: DigestConfig,
    edition: Edition,
    segments: Sequence[Segment],
    date: datetime,
    frozen: Mapping[Choice, FrozenSegment] = MappingProxyType({}),
) -> list[Preview]:
    """Each segment's mail as it would be sent with this date, to an example recipient; without segments
    the mail of a recipient of everything. What is `frozen` is shown as it is.

    Its name, such as weekly-12-en-drugs-youth, is safe as a file name and unique.
    """
    settings = newsroom.settings
    previews: list[Preview] = []
    names: set[str] = set()
    for segment in segments or [Segment(everything(settings, digest), 0)]:
        choice = segment.choice
        layout, mail = shown_mail(newsroom, digest, edition, choice, frozen)
        maker = MessageMaker(mail, date, newsroom.signer)
        message = maker.make(EXAMPLE_ADDRESS, None, EXAMPLE_TOKENS)

        all_themes = choice.themes == settings.digest_themes(digest)
        themes = "everything" if all_themes else "-".join(choice.themes) or "nothing"
        base = f"{digest.name}-{edition.number}-{'-'.join(choice.languages)}-{themes}"[:120]
        base += "-corrections" if choice.extras.corrected else ""
        name, nth = base, 2
        while name in names:
            name, nth = f"{base}-{nth}", nth + 1
        names.add(name)

        warnings: list[str] = []
        if layout.total == 0 and not choice.extras.corrected:
            warnings.append("no articles for this choice; its recipients are skipped")
        if (size := weight(message)) > settings.mail.budget_kb * KB:
            warnings.append(
                f"{size / KB:.0f} kB of HTML are over mail.budget_kb = {settings.mail.budget_kb}; "
                "lower per_theme, or some mail programs will cut it"
            )
        days = (edition.window.ends_at - edition.window.starts_at).days
        if edition.number == 1 and days > LONG_WINDOW_DAYS:
            warnings.append(
                f"this first edition reaches back {days} days; set `since` of the digest to leave "
                "out what is old"
            )
        elif edition.number == 1 and is_old(
            edition.window, [one.article for part in layout.sections for one in part.shown]
        ):
            warnings.append(
                "most of these articles are from long before this first edition, so it says from when "
                "they are; set `since` of the digest to leave out what came in before, or "
                "`archive = true` for a source of old copy"
            )
        lead = edition.hand.lead
        if lead is not None and not any(
            one.why == BY_EDITOR for one in rank(edition, layout).values()
        ):
            warnings.append(
                f"the editor's lead, article {lead}, does not open this mail: it is not in its language, or "
                "not among its themes"
            )
        previews.append(Preview(segment, layout, mail.subject, message, name, tuple(warnings)))
    return previews


def weight(message: bytes) -> int:
    """The bytes of a message that Gmail counts before it cuts: those of the HTML part, decoded."""
    body = message_from_bytes(message, policy=policy.default).get_body(("html",))
    return 0 if body is None else len(body.get_content().encode())


def shown_mail(
    newsroom: Newsroom,
    digest: DigestConfig,
    edition: Edition,
    choice: Choice,
    frozen: Mapping[Choice, FrozenSegment],
) -> tuple[Layout, SegmentMail]:
    """What this choice gets, as it is frozen, else as it would be; also where that is nothing."""
    one = frozen.get(choice) or freeze_segment(newsroom, digest, edition, choice)
    return one.layout, one.mail or render_segment(newsroom, digest, edition, one.layout)


def write_parts(folder: Path, name: str, message: bytes) -> list[Path]:
    """NAME.eml, and its parts as .html and .txt, in `folder`, which is made if needed; returns their
    paths.

    Raises:
        PublishError: the folder cannot be written.
    """
    paths = [folder / f"{name}.{ending}" for ending in ("eml", "html", "txt")]
    read = message_from_bytes(message, policy=policy.default)
    bodies = [body for kind in ("html", "plain") if (body := read.get_body((kind,))) is not None]
    texts = [body.get_content().replace("\r\n", "\n") for body in bodies]
    parts = (message, *(text.encode() for text in texts))
    try:
        private_folder(folder)
        for path, data in zip(paths, parts, strict=True):
            replace_and_stat(path, data, folder, private=True)
    except OSError as e:
        raise _unwritable(folder, e) from e
    return paths


def _unwritable(folder: Path, error: OSError) -> PublishError:
    reason = error.strerror or error
    return PublishError(f"{folder}: cannot be written ({reason}); name another folder with --out")


def clear_previews(folder: Path, digest: str) -> None:
    """Remove the files of an earlier dry run of this digest.

    Raises:
        PublishError: the folder cannot be written.
    """
    ours = re.compile(rf"{re.escape(digest)}-\d+-[a-z0-9-]+\.(eml|html|txt)")
    try:
        if folder.is_dir():
            for path in folder.iterdir():
                if ours.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)
    except OSError as e:
        raise _unwritable(folder, e) from e

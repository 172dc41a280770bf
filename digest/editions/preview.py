"""What `send --dry-run` shows and writes: each segment's mail, made by the same code as the real one."""

import re
from collections.abc import Sequence
from pathlib import Path

from digest.config.settings import DigestConfig, Settings
from digest.editions.mail import make_segment
from digest.editions.selection import lay_out
from digest.errors import PublishError
from digest.model import Choice, Edition, Preview, RenderedMail, Segment
from digest.newsroom import Newsroom
from digest.store.files import private_folder, replace_and_stat

EXAMPLE_ADDRESS = "recipient@example.org"
EXAMPLE_TOKEN = "e" * 32
KB = 1000
LONG_WINDOW_DAYS = 45


def everything(settings: Settings, digest: DigestConfig, language: str | None = None) -> Choice:
    """The choice of a recipient who wants all that the digest has, first in `language`."""
    languages = settings.digest_languages(digest)
    first = language if language in languages else languages[0]
    rest = tuple(code for code in languages if code != first)
    return Choice(first, (first, *rest), settings.digest_themes(digest))


def preview_segments(
    newsroom: Newsroom, digest: DigestConfig, edition: Edition, segments: Sequence[Segment]
) -> list[Preview]:
    """Each segment's mail as it would be sent, to an example recipient; without segments the mail of
    a recipient of everything.

    Its name, such as weekly-12-en-drugs-youth, is safe as a file name and unique.
    """
    settings = newsroom.settings
    previews: list[Preview] = []
    names: set[str] = set()
    for segment in segments or [Segment(everything(settings, digest), 0)]:
        choice = segment.choice
        layout = lay_out(edition.placements, choice, per_theme=digest.per_theme)
        mail, maker = make_segment(
            settings=settings,
            digest=digest,
            edition=edition,
            layout=layout,
            environment=newsroom.templates,
            signer=newsroom.signer,
        )
        message = maker.make(EXAMPLE_ADDRESS, None, EXAMPLE_TOKEN)

        all_themes = choice.themes == settings.digest_themes(digest)
        themes = "everything" if all_themes else "-".join(choice.themes) or "nothing"
        base = f"{digest.name}-{edition.number}-{'-'.join(choice.languages)}-{themes}"[:120]
        name, nth = base, 2
        while name in names:
            name, nth = f"{base}-{nth}", nth + 1
        names.add(name)

        warnings: list[str] = []
        if layout.total == 0:
            warnings.append("no articles for this choice; its recipients are skipped")
        if (size := len(message)) > settings.mail.budget_kb * KB:
            warnings.append(
                f"{size / KB:.0f} kB are over mail.budget_kb = {settings.mail.budget_kb}; "
                "lower per_theme, or some mail programs will cut it"
            )
        days = (edition.window.ends_at - edition.window.starts_at).days
        if edition.number == 1 and days > LONG_WINDOW_DAYS:
            warnings.append(
                f"this first edition reaches back {days} days; set `since` of the digest to leave "
                "out what is old"
            )
        previews.append(Preview(segment, layout, mail, message, name, tuple(warnings)))
    return previews


def write_parts(folder: Path, name: str, message: bytes, mail: RenderedMail) -> list[Path]:
    """NAME.eml, .html and .txt in `folder`, which is made if needed; returns their paths.

    Raises:
        PublishError: the folder cannot be written.
    """
    paths = [folder / f"{name}.{ending}" for ending in ("eml", "html", "txt")]
    parts = (message, mail.html.encode(), mail.text.encode())
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

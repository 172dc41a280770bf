"""What copy says of itself: its language and its date."""

from collections.abc import Sequence
from dataclasses import replace

from digest.editorial.dates import date_entries
from digest.editorial.language import detect
from digest.model import Entry


def read_copy(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of one document in its order, each with its language and its date.

    What an entry already knows from its source stays as it is.
    """
    dates = date_entries(entries)
    return [
        replace(entry, language=entry.language or _language(entry), published=published)
        for entry, published in zip(entries, dates, strict=True)
    ]


def _language(entry: Entry) -> str:
    """By the text, which has more words to tell by; the title counts where there is little else."""
    return detect(entry.text) or detect(f"{entry.title}\n{entry.text}")

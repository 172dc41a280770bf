"""What `digest doctor` looks at in the published files: there, whole, and for the address in force."""

import json
from collections.abc import Iterator
from pathlib import Path

from digest.cli.findings import Finding
from digest.config.settings import Settings
from digest.feeds.channels import ATOM, JSON, RSS, Channel, channels

LARGEST = 1_000_000
"""Bytes; some readers and their services take no larger feed."""
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"


def feeds(settings: Settings) -> Finding:
    """Each channel's three feeds: parsed, for the address in force, and not too large."""
    if not settings.feeds.path.is_dir():
        said = f"nothing is published in {settings.feeds.path} yet"
        return Finding("published feeds", "yellow", said, "Run digest publish.")
    broken: list[str] = []
    missing: list[str] = []
    other: list[str] = []
    large: list[str] = []
    sound = 0
    for channel, ending, path in _files(settings):
        try:
            data = path.read_bytes()
            address = _address(data, ending)
        except FileNotFoundError:
            missing.append(path.name)
        except (OSError, ValueError, SyntaxError) as e:
            broken.append(f"{path.name}: {e}")
        else:
            sound += 1
            if address != channel.url(settings, ending):
                other.append(f"{path.name} is for {address}")
            if len(data) > LARGEST:
                large.append(f"{path.name} has {len(data) / 1_000_000:.1f} MB")
    if broken:
        return Finding("published feeds", "red", _some(broken), "Run digest publish.")
    if missing or other:
        said = _some([f"{name} is not there" for name in missing] + other)
        return Finding("published feeds", "yellow", said, "Run digest publish.")
    if large:
        advice = 'Lower feeds.entries, or set feeds.content = "summary".'
        return Finding("published feeds", "yellow", _some(large), advice)
    return Finding("published feeds", "green", f"{sound} are whole")


def _files(settings: Settings) -> Iterator[tuple[Channel, str, Path]]:
    for channel in channels(settings):
        for ending in (ATOM, RSS, JSON):
            yield channel, ending, settings.feeds.path / f"{channel.slug}.{ending}"


def _address(data: bytes, ending: str) -> str | None:
    """The address that a feed gives as its own.

    Raises:
        ValueError, SyntaxError: the file is no feed of this form.
    """
    if ending == JSON:
        found = json.loads(data)
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            raise ValueError("is no JSON feed")
        return found.get("feed_url")
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False))
    head = root if ending == ATOM else root.find("channel")
    if head is None:
        raise ValueError("is no RSS feed")
    links = (link for link in head.iterfind(ATOM_LINK) if link.get("rel") == "self")
    return next((link.get("href") for link in links), None)


def _some(told: list[str]) -> str:
    """The first three, and how many there are."""
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more

"""The words of an alarm, by mail and by webhook."""

import textwrap
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.mail.render import WIDTH
from digest.model import RenderedMail, Trouble


def alarm_mail(settings: Settings, trouble: Trouble, over_at: datetime | None) -> RenderedMail:
    """Plain text: what is wrong, since when, what to do; or, with `over_at`, that it is over."""
    site = settings.site
    subject = f"{'Over' if over_at else 'Alarm'}: {trouble.key}"
    since = _time(trouble.since, site.time_zone)
    parts = [_wrap(trouble.said)]
    if over_at:
        parts.insert(0, _wrap("This is over, and nothing is left to do:"))
        parts.append(_wrap(f"It lasted from {since} to {_time(over_at, site.time_zone)}."))
    else:
        parts += [
            _wrap(f"Since {since}."),
            _wrap(trouble.advice),
            "You hear of it once more, when it is over.\nUntil then: digest alarms list.",
        ]
    parts.append(f"-- \n{site.title}: {settings.path}")
    return RenderedMail(f"{site.title}: {subject}", "", "\n\n".join(parts) + "\n", "")


def alarm_payload(
    settings: Settings, trouble: Trouble, over_at: datetime | None, name: str
) -> dict[str, Any]:
    """What is posted. `id` is the same at each try; `text` is all of it in a line, which chats show."""
    what = "Over" if over_at else "Alarm"
    said = trouble.said if over_at else f"{trouble.said} {trouble.advice}"
    return {
        "id": name,
        "event": "over" if over_at else "begun",
        "newsroom": settings.site.title,
        "key": trouble.key,
        "said": trouble.said,
        "advice": trouble.advice,
        "since": trouble.since.isoformat(),
        "over": over_at and over_at.isoformat(),
        "text": f"{settings.site.title}: {what}: {trouble.key}. {said}",
    }


def _time(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)

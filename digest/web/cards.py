"""Pictures of the site: our copies of those of articles, and cards for those who share a page."""

import re
from http import HTTPStatus

from digest.errors import NotFoundError
from digest.store.pictures import picture_copy
from digest.web.site import Asked, Page, Place

DAY = 86_400
"""Seconds for which a picture is kept by readers: its name is of its bytes, but it may be withdrawn."""
_COPY = re.compile(r"([0-9a-f]{24})-(\d{3,4})\.(avif|webp)")
GONE = Page(b"Gone\n", "text/plain; charset=utf-8", HTTPStatus.GONE, headers=())


def picture(asked: Asked) -> Page:
    """A copy of a picture, while an article shows it."""
    named = _COPY.fullmatch(asked.names["name"])
    if named is None:
        raise NotFoundError("There is no such picture")
    name, width, form = named.groups()
    found = picture_copy(asked.db, asked.settings, asked.now, name, int(width), form)
    if found is None:
        raise NotFoundError("There is no such picture")
    data, is_shown = found
    return Page(data, f"image/{form}", max_age=DAY, headers=()) if is_shown else GONE


PLACES = (Place("/pictures/{name}", picture),)

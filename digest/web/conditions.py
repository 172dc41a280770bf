"""What a request's conditions and preferences mean (RFC 9110): no disk, no clock."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_QUALITY = re.compile(rb"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


CODINGS = (b"br", b"gzip")
"""What a file is kept in beside its plain form, the smallest first."""


@lru_cache(maxsize=256)
def best_coding(accept_encoding: bytes) -> bytes | None:
    """The one of `CODINGS` that an Accept-Encoding likes best, of several the smallest; None where it
    takes none of them, or likes none as well as the plain form that it names (RFC 9110 §12.5.3).
    """
    liking: dict[bytes, float] = {}
    for part in accept_encoding.lower().split(b","):
        coding, *parameters = part.split(b";")
        found = [match[1] for one in parameters if (match := _QUALITY.fullmatch(one))]
        liking[coding.strip().removeprefix(b"x-")] = float(found[0]) if found else 1.0
    others = liking.get(b"*", 0.0)
    best = max(CODINGS, key=lambda coding: liking.get(coding, others))
    quality = liking.get(best, others)
    return best if quality > 0 and quality >= liking.get(b"identity", 0.0) else None


def is_listed(if_none_match: bytes, etag: bytes) -> bool:
    """Whether If-None-Match holds `etag`, by weak comparison, or is * (RFC 9110 §13.1.2)."""
    if if_none_match in (etag, b"*"):
        return True
    return etag in _ENTITY_TAG.findall(if_none_match)


@lru_cache(maxsize=256)
def since(if_modified_since: bytes) -> datetime | None:
    """The moment of an If-Modified-Since; None where it is no date, which counts as absent (RFC 9110
    §13.1.3).
    """
    try:
        moment = parsedate_to_datetime(if_modified_since.decode("ascii"))
    except (ValueError, OverflowError):  # the latter for an offset of many digits
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def is_unchanged(
    etag: bytes, modified: datetime, if_none_match: bytes | None, if_modified_since: bytes | None
) -> bool:
    """Whether the answer is 304; If-None-Match beats If-Modified-Since (RFC 9110 §13.2.2).

    `modified` has whole seconds.
    """
    if if_none_match is not None:
        return is_listed(if_none_match, etag)
    if if_modified_since is None:
        return False
    moment = since(if_modified_since)
    return moment is not None and modified <= moment

"""Copies of articles' pictures in our own sizes and forms, so that a page asks no other server for them.

    due -> fetched, many at once -> decoded and resized, one after the other -> one short write for each

A picture that cannot be had is no fault of its source: it is asked for again later and later, then given up.
"""

import asyncio
import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from digest.config.settings import SourceSettings
from digest.errors import FetchError
from digest.language.text import foreign
from digest.newsroom import Newsroom
from digest.sources.fetch import MIB, Fetcher
from digest.sources.polling import make_fetcher
from digest.store.pictures import LARGE, SMALL, Due, Made, due_pictures, save_failure, save_picture

A_ROUND, AT_ONCE, SECONDS = 20, 5, 30.0
"""Pictures of one round, of those at the same time, and how long the round may take."""
LARGEST: Final = 10 * MIB
MOST_PIXELS, MOST_OF_JPEG = 9_000_000, 24_000_000
"""A decoder takes up to 16 bytes for each; that of JPEG can unpack it smaller."""
LEAST_WIDTH: Final = 200
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
ACCEPT: Final = "image/avif, image/webp, image/jpeg, image/png, image/gif"
QUALITIES = {"avif": (50, 35, 20), "webp": (75, 55, 35)}
"""The next one is tried where a copy is larger than LARGEST_COPY bytes."""
LARGEST_COPY: Final = 300_000
AGAIN = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=3))
"""So long after each failure it is asked for again."""
LATER = timedelta(minutes=10)
"""One whose turn did not come is asked for then."""


class NotUsedError(Exception):
    """A picture that readers do not get to see, and why."""


def fetch_pictures(
    newsroom: Newsroom, *, stop: Callable[[], bool] = lambda: False, seconds: float = SECONDS
) -> Counter[str]:
    """Fetch the pictures that are due: how many "pictures" were made, and of how many there are
    "no_pictures". Only the service does it, so nobody does it twice at a time."""
    counts = Counter[str]()
    if newsroom.settings.web.site:
        due = due_pictures(newsroom.db, newsroom.settings, newsroom.now(), A_ROUND)
        if due:
            asyncio.run(_round(newsroom, due, counts, stop, seconds))
    return counts


async def _round(
    newsroom: Newsroom,
    due: Sequence[Due],
    counts: Counter[str],
    stop: Callable[[], bool],
    seconds: float,
) -> None:
    loop = asyncio.get_running_loop()
    until, gate, decoding = loop.time() + seconds, asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    async def made(one: Due) -> Made | str:
        async with gate:
            source = newsroom.settings.sources_by_name[one.source]
            body = await fetched(source, fetcher, one.url)
            if isinstance(body, str):
                return body
            async with decoding:
                return await asyncio.to_thread(make_copies, body, one.url)

    def keep(one: Due, found: Made | str) -> None:
        now = newsroom.now()
        with newsroom.db.write():
            if isinstance(found, Made):
                save_picture(newsroom.db, one.url, found, now)
            else:
                again = now + AGAIN[one.failures] if one.failures < len(AGAIN) else None
                save_failure(newsroom.db, one.url, found, now, again, one.failures + 1)
        counts["pictures" if isinstance(found, Made) else "no_pictures"] += 1

    async with make_fetcher(newsroom) as fetcher:
        tasks = {asyncio.create_task(made(one)): one for one in due}
        waiting = set(tasks)
        while waiting and (left := until - loop.time()) > 0 and not stop():
            done, waiting = await asyncio.wait(
                waiting, timeout=min(left, 1.0), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                keep(tasks[task], task.result())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if waiting and not stop():
        now, why = newsroom.now(), "Its turn did not come in time"
        with newsroom.db.write():
            for one in (tasks[task] for task in waiting):
                save_failure(newsroom.db, one.url, why, now, now + LATER, one.failures)


async def fetched(source: SourceSettings, fetcher: Fetcher, url: str) -> bytes | str:
    """The bytes of a picture of a source, else why there are none."""
    try:
        answer = await fetcher.get(
            url,
            allow_private=source.allow_private and _is_at(url, source),
            size_limit=LARGEST,
            pause_seconds=source.pause_seconds,
            accept=ACCEPT,
        )
    except FetchError as e:
        return e.reason
    return answer.body if answer.status == 200 else f"The server answers {answer.status}"


def _is_at(url: str, source: SourceSettings) -> bool:
    """Whether a picture lies on the host of its source: others may not lead into a network of ours."""
    places = (source.url, *source.urls)
    return urlsplit(url).netloc in {urlsplit(str(place)).netloc for place in places if place}


def make_copies(body: bytes, url: str) -> Made | str:
    """The copies of a picture, else why it is not used: plain words, whatever is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which is not kept
            return _made(body, url)
    except NotUsedError as e:
        return str(e)
    except Image.DecompressionBombError:
        return f"It has too many pixels, more than {MOST_PIXELS:,}, as JPEG {MOST_OF_JPEG:,}"
    except UnidentifiedImageError:
        return f"It is none of {', '.join(FORMATS)}"
    except Exception as e:  # noqa: BLE001 - a decoder of hostile bytes may raise anything
        return f"It is damaged ({foreign(str(e), limit=100) or type(e).__name__})"


def _made(body: bytes, url: str) -> Made:
    with Image.open(io.BytesIO(body), formats=FORMATS) as image:
        width, height = image.size
        if width * height > (MOST_OF_JPEG if image.format == "JPEG" else MOST_PIXELS):
            raise Image.DecompressionBombError
        image.seek(0)
        image.draft("RGB", (2 * LARGE, 2 * LARGE))
        picture = _plain(image)
    width, height = picture.size
    if width < LEAST_WIDTH:
        raise NotUsedError(f"It is {width} pixels wide, less than {LEAST_WIDTH}")
    if height > 3 * width or width > 4 * height:
        raise NotUsedError(f"It is a strip of {width} x {height} pixels")
    large = min(width, LARGE)
    files: dict[tuple[int, str], bytes] = {}
    for wide in sorted({min(SMALL, width), large}):
        size = (wide, round(height * wide / width))
        copy = picture.resize(size, Image.Resampling.LANCZOS) if size != picture.size else picture
        files |= {(wide, form): _packed(copy, form) for form in QUALITIES}
    name = hashlib.blake2b(url.encode() + b"\0" + body, digest_size=12).hexdigest()
    return Made(name, large, round(height * large / width), files)


def _plain(image: Image.Image) -> Image.Image:
    """The pixels alone: upright, opaque on white, in sRGB, without any metadata."""
    profile = image.info.get("icc_profile")
    if image.mode[0] in "IF":
        raise NotUsedError("It has more than 8 bits a colour")
    if image.mode not in ("RGB", "RGBA", "L", "LA", "CMYK"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((3 * LARGE, 3 * LARGE), Image.Resampling.BOX)
    image = ImageOps.exif_transpose(image)
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            ours = ImageCms.createProfile("sRGB")
            image = ImageCms.profileToProfile(image, given, ours, outputMode="RGB") or image
        except (ImageCms.PyCMSError, OSError):
            pass  # a profile that is damaged or of another kind
    plain = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        plain.paste(image, mask=image.getchannel("A"))
    else:
        plain.paste(image.convert("RGB"))
    return plain


def _packed(copy: Image.Image, form: str) -> bytes:
    for quality in QUALITIES[form]:
        packed = io.BytesIO()
        more = {"speed": 7, "max_threads": 1} if form == "avif" else {"method": 4}
        copy.save(packed, form.upper(), quality=quality, **more)
        if packed.tell() <= LARGEST_COPY:
            return packed.getvalue()
    raise NotUsedError(f"A copy of it is larger than {LARGEST_COPY // 1000} kB")

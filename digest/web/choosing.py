"""The page of a reader's choice, behind the link in every mail, and their own feeds.

The token in the address is what lets somebody change the choice. A mail may be passed on, though: another
address, one's data and to be forgotten need a link that was mailed within 48 hours.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest.audience.follows import LONGEST, MOST, follow, unfollow
from digest.audience.preferences import forget, is_nobody, own_feed, personal_data
from digest.audience.recipients import EVERYTHING, By, change, offered
from digest.audience.signup import LAPSES, FormError
from digest.audience.store import (
    end_recipient,
    events_of,
    feed_of,
    follows_of,
    is_fresh_link,
    list_recipients,
    sent_to,
)
from digest.config.settings import Settings
from digest.editions.schedule import boundary_after
from digest.editions.store import stories_by_week
from digest.errors import FollowError, LimitError, NotReadyError, RecipientError, StoreError
from digest.feeds.channels import MEDIA_TYPES, OPML_NAME
from digest.feeds.own import NAMES, own_file, own_place
from digest.feeds.pages import Link, framed
from digest.language.text import foreign
from digest.language.wording import OWN_NAMES, Wording, wording_for
from digest.mail.tokens import CHOOSE, MINE, Purpose, read_token
from digest.model import Recipient, RecipientStatus, Window
from digest.newsroom import Newsroom
from digest.store.backups import is_small
from digest.store.database import moment_from_text
from digest.web.files import is_unchanged
from digest.web.forms import MOST_FIELDS, ReaderForms, how_often, leave_page, masked, title_of
from digest.web.joining import Option, asked

PAUSE, LONGEST_PAUSE = timedelta(weeks=4), timedelta(days=731)
WEEKS = 8
SHOWN = 10
"""How many of the last mails are listed."""
Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose choice a link opens; `fresh`: it was mailed within 48 hours, because they asked for it."""

    reader: Recipient
    fresh: bool


def routes(forms: ReaderForms) -> Sequence[Route]:
    """The page of a choice and the own feeds, as a part of the forms."""
    pages = Choosing(forms)
    return (
        Route(f"{CHOOSE}{{token}}", pages.choose, methods=["GET", "POST"]),
        Route(f"{MINE}{{token}}/{{name}}", pages.mine),
    )


class Choosing:
    def __init__(self, forms: ReaderForms) -> None:
        self.forms = forms

    async def choose(self, request: Request) -> Response:
        """The page, and each of its forms: what was done is said after a redirect to the page."""
        holder = await self.forms.look(holder_of, request.path_params["token"])
        if holder is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if is_nobody(reader := holder.reader):
            return await self.forms.page(leave_page, HTTPStatus.GONE, state="gone", reader=reader)
        said, status, named = f"said_{request.query_params.get('said', '')}", HTTPStatus.OK, {}
        fields: Fields = {}
        if request.method == "POST":
            settings = self.forms.newsroom.settings
            most = MOST_FIELDS + len(settings.theme_names) + len(settings.digests)
            form = await self.forms.form(request, own=True, most=most)
            fields = {
                name: [
                    foreign(one, limit=320) for one in form.getlist(name) if isinstance(one, str)
                ]
                for name in form
            }
            try:
                return await self._act(request, holder, fields)
            except FormError as e:
                said, status, named = e.key, HTTPStatus.UNPROCESSABLE_ENTITY, e.facts
            except FollowError as e:
                said, status = f"follow_{e.fault}", HTTPStatus.UNPROCESSABLE_ENTITY
            except LimitError:
                said, status = "many", HTTPStatus.TOO_MANY_REQUESTS
            except NotReadyError:
                said, status = "not_now", HTTPStatus.CONFLICT
            except RecipientError:  # they have left, and the page says so
                said, status = "", HTTPStatus.CONFLICT
        values = await self.forms.look(values_of, holder, said, named, fields)
        return await self.forms.page(framed, status, template="web/choose.html", **values)

    async def _act(self, request: Request, holder: Holder, fields: Fields) -> Response:
        reader, name = holder.reader, fields.get("act", [""])[0]
        if name in ("download", "forget", "move") and not holder.fresh:
            raise FormError("no_fresh")
        if name == "download":
            return Response(
                await self.forms.look(personal_data, reader),
                headers={"content-disposition": 'attachment; filename="my-data.json"'},
                media_type="application/json",
            )
        if name == "forget":
            if "sure" not in fields:
                raise FormError("no_sure")
            await self.forms.act(_forget, reader.id)
            return await self.forms.page(leave_page, state="forgotten", reader=reader)
        if name in ("link", "move"):
            to = fields.get("address", [""])[0] if name == "move" else reader.address
            more = {"language": reader.choice.language, "recipient_id": reader.id}
            await asked(self.forms, request, name, to, **more)
        elif name in ACTS:
            await self.forms.act(
                _do, holder, name, fields, By("link", self.forms.network_of(request))
            )
        else:
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        said = "saved" if name == "choose" else name
        return RedirectResponse(f"?said={said}", HTTPStatus.SEE_OTHER)

    async def mine(self, request: Request) -> Response:
        """A file of somebody's own feed."""
        token, name = request.path_params["token"], request.path_params["name"]
        if name not in NAMES:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        body, seconds = await self.forms.look(_own_file, token, name)
        if body is None:
            raise HTTPException(seconds)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": f"private, max-age={seconds}"}
        asks = request.headers.get("if-none-match")
        if asks and is_unchanged(tag.encode(), self.forms.newsroom.now(), asks.encode(), None):
            return Response(None, HTTPStatus.NOT_MODIFIED, headers)
        kind = "text/x-opml" if name == OPML_NAME else MEDIA_TYPES[NAMES[name]]
        return Response(body, media_type=f"{kind}; charset=utf-8", headers=headers)


def holder_of(newsroom: Newsroom, token: str) -> Holder | None:
    """Whom a link to a choice names; None if it is not ours."""
    if (named := read_token(newsroom.token_keys, token, Purpose.CHOICE)) is None:
        return None
    for reader in list_recipients(newsroom.db, recipient_id=named.recipient_id):
        since = newsroom.now() - LAPSES
        return Holder(reader, is_fresh_link(newsroom.db, named.edition_id, reader.id, since))
    return None


def _own_file(newsroom: Newsroom, token: str, name: str) -> tuple[bytes | None, int]:
    """The file and its seconds; without it the status: 404 for no link of ours, 410 for one that was
    revoked."""
    if (named := read_token(newsroom.token_keys, token, Purpose.FEED)) is None:
        return None, HTTPStatus.NOT_FOUND
    number, recipient_id = named
    found = list_recipients(newsroom.db, recipient_id=recipient_id)
    if not found or feed_of(newsroom.db, recipient_id) != number:
        return None, HTTPStatus.GONE
    place = own_place(newsroom, recipient_id, number)
    return own_file(newsroom, found[0].choice, place, name, newsroom.now())


ACTS = ("choose", "followed", "unfollowed", "feed", "nofeed", "left")


def _do(newsroom: Newsroom, holder: Holder, act: str, fields: Fields, by: By) -> None:
    """One of `ACTS`.

    Raises:
        FormError: nothing is chosen of one kind, or the day of a pause is none.
        RecipientError: config.toml does not offer it, or the reader has left.
    """
    db, settings, now, reader = newsroom.db, newsroom.settings, newsroom.now(), holder.reader
    if act == "choose":
        given, pause = _chosen(settings, reader, fields), fields.get("pause", ["keep"])[0]
        until = _pause(settings, now, pause, fields)
    with db.write():
        if act == "choose":
            change(
                db, settings, now, reader.address, given,
                paused_until=until, resume=pause == "none", by=by,
            )  # fmt: skip
        elif act == "followed":
            follow(newsroom, reader.id, fields.get("phrase", [""])[0])
        elif act == "unfollowed":
            number = fields.get("follow", [""])[0][:18]
            unfollow(newsroom, reader.id, int(number) if number.isdecimal() else 0)
        elif act == "left":
            end_recipient(db, reader.id, "the page of their choice", now, *by[:2])
        else:
            own_feed(newsroom, reader, on=act == "feed", by=by)


def _chosen(settings: Settings, reader: Recipient, fields: Fields) -> dict[str, list[str]]:
    """All themes are everything; the language of the mail stays the first."""
    given = {one: list(fields.get(one[:-1], ())) for one in ("themes", "languages", "digests")}
    for what, chosen in given.items():
        if not {*chosen} <= {*offered(settings)[what]}:
            raise FormError("not_offered")
        if not chosen and (what != "digests" or len(settings.digests) > 1):
            raise FormError(f"no_{what[:-1]}")
    if {*settings.theme_names} <= {*given["themes"]}:
        given["themes"] = [EVERYTHING]
    before = [*reader.choice.languages, *given["languages"]]
    given["languages"].sort(key=before.index)
    return given


def _pause(settings: Settings, now: datetime, pause: str, fields: Fields) -> datetime | None:
    """The morning on which mail comes again."""
    zone = ZoneInfo(settings.site.time_zone)
    if pause == "weeks":
        return datetime.combine(now.astimezone(zone).date() + PAUSE, time(), zone)
    if pause != "date":
        return None
    try:
        day = date.fromisoformat(fields.get("until", [""])[0])
        until = datetime.combine(day, time(), zone)
    except ValueError:
        raise FormError("no_day") from None
    if not now < until < now + LONGEST_PAUSE:
        raise FormError("no_day")
    return until


def _forget(newsroom: Newsroom, recipient_id: int) -> None:
    """`prune` rewrites a large file instead, as nobody else can write during that."""
    try:
        forget(newsroom, recipient_id, cleans=is_small(newsroom.db))
    except StoreError as e:
        if not is_nobody(list_recipients(newsroom.db, recipient_id=recipient_id)[0]):
            raise NotReadyError("nothing was deleted") from e


def values_of(
    newsroom: Newsroom, holder: Holder, said: str, named: Mapping[str, str], fields: Fields
) -> dict[str, Any]:
    """What `web/choose.html` shows: the choice, or that of the `fields` that could not be saved."""
    from babel.lists import format_list

    db, settings, now, reader = newsroom.db, newsroom.settings, newsroom.now(), holder.reader
    wording = wording_for(reader.choice.language, settings.site.languages)
    words, zone = wording.choosing, ZoneInfo(settings.site.time_zone)
    left = reader.status is RecipientStatus.ENDED
    paused = reader.paused_until if reader.paused_until and reader.paused_until > now else None

    def day(moment: datetime | str) -> str:
        at = moment_from_text(moment) if isinstance(moment, str) else moment
        return wording.day(at.astimezone(zone).date())

    ends = [now - timedelta(weeks=n) for n in range(WEEKS - 1, -1, -1)]
    weeks = [Window(end - timedelta(weeks=1), end) for end in ends]
    typed = {one: values[0] for one, values in fields.items()}
    chosen: Fields = {
        "theme": reader.choice.themes or (*settings.theme_names,),
        "language": reader.choice.languages,
        "digest": reader.digests,
    }
    if typed.get("act") == "choose":
        chosen = {one: fields.get(one, ()) for one in chosen}
    counts = stories_by_week(db, weeks, settings.theme_names)
    themes = [
        Option(
            key,
            theme.title(wording.language),
            key in chosen["theme"],
            _tally(wording, [sum(week.values()) for week in counts[key]]),
            theme=key,
        )
        for key, theme in settings.theme_names.items()
    ]
    facts = {
        "address": masked(reader.address),
        "site": settings.site.title,
        "contact": settings.site.contact,
        "backups": settings.store.keep_backups,
        "themes": format_list([one.text for one in themes if one.checked], locale=wording.locale),
        "most": MOST,
        "longest": LONGEST,
        **named,
    }
    faults = {f"follow_{key}": text for key, text in wording.following.items()}
    intro = words["intro_left" if left else "intro"].format(**facts)
    if not left:
        then = words["paused_now"].format(day=day(paused)) if paused else None
        intro = f"{intro} {then or next_edition(settings, reader.digests, wording, now)}".rstrip()
    event: Mapping[str, Any] = {"made_at": reader.added_at, "made_by": "", "words": None}
    for one in events_of(db, reader.id):
        event = one if one["act"] in ("joined", "returned") else event
    reason = "form" if event["words"] else "command"
    reason = "import" if event["made_by"] == "import" else reason
    feed = own_place(newsroom, reader.id, number) if (number := feed_of(db, reader.id)) else ""
    pauses = {"none": None, "keep": paused, "weeks": _pause(settings, now, "weeks", {})}
    typed.setdefault("pause", "keep" if paused else "none")
    return {
        "wording": wording,
        "words": words,
        "title": words["title"],
        "intro": intro,
        "said": {**wording.joining, **faults, **words}.get(said, "").format(**facts),
        "alert": not said.startswith("said_"),
        "left": left,
        "fresh": holder.fresh,
        "themes": themes,
        "choices": [
            Option(one, OWN_NAMES[one], one in chosen["language"], language=one)
            for one in settings.site.languages
        ],
        "digests": [
            Option(name, title_of(one, wording.language), name in chosen["digest"], often)
            for one in settings.digests
            for name, often in [(one.name, how_often(settings, one, wording, now))]
        ],
        "pauses": [
            Option(
                one, words[f"pause_{one}"].format(day=until and day(until)), one == typed["pause"]
            )
            for one, until in pauses.items()
            if until or one == "none"
        ],
        "typed": typed,
        "tomorrow": (now.astimezone(zone) + timedelta(days=1)).date().isoformat(),
        "follows": [
            (one.id, one.what) for one in follows_of(db, now, recipient_id=reader.id) if one.what
        ],
        "feeds": [Link(title, f"{feed}{name}") for name, title in _FEEDS.items()] if feed else [],
        "opml": f"{feed}{OPML_NAME}",
        "why": words[f"why_{reason}"].format(**{**facts, **event, "day": day(event["made_at"])}),
        "sent": [
            (
                day(one["moment"]),
                one["subject"] or words[f"sent_{one['kind']}"],
                words[f"status_{one['status']}"],
            )
            for one in sent_to(db, reader.id, SHOWN)
        ],
        "forget_about": words["forget_about"].format(**facts),
    }


_FEEDS = {"feed.atom": "Atom", "feed.rss": "RSS", "feed.json": "JSON Feed"}


def _tally(wording: Wording, weeks: Sequence[int]) -> str:
    """9 this week · earlier 1 to 4; only the first part before there were other weeks."""
    *earlier, now = weeks
    said = [wording.choosing["counts"].format(n=wording.number(now))] if any(weeks) else []
    if any(earlier):
        spread = wording.spread.format(low=min(earlier), high=max(earlier))
        said.append(wording.choosing["earlier"].format(spread=spread))
    return " · ".join(said)


def next_edition(
    settings: Settings, digests: Collection[str], wording: Wording, now: datetime
) -> str:
    """When the next edition of one of these digests closes, in the newsroom's zone."""
    from babel.dates import get_timezone_location

    name = settings.site.time_zone
    moments = [
        boundary_after(settings.digest_rule(one), settings.digest_zone(one), now)
        for one in settings.digests
        if one.name in digests
    ]
    if not moments:
        return ""
    local = min(moments).astimezone(ZoneInfo(name))
    return wording.choosing["next"].format(
        day=wording.day(local.date(), wording.choosing["day_pattern"]),
        time=f"{local:%-H:%M}",
        zone=get_timezone_location(name, locale=wording.locale, return_city=True),
    )

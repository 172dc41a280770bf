"""The page of a reader's choice, behind the link in every mail, and their own feeds.

The token in the address is what lets somebody change the choice. A mail may be passed on, though: another
address, one's data and to be forgotten need a link that was mailed within 48 hours.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest.audience.follows import LONGEST, MOST, follow, unfollow
from digest.audience.preferences import forget, is_nobody, own_feed, personal_data
from digest.audience.recipients import EVERYTHING, By, change
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
from digest.feeds.pages import Link, navigation, rendered
from digest.language.text import foreign
from digest.language.wording import OWN_NAMES, Wording, wording_for
from digest.mail.tokens import CHOOSE, MINE, Purpose, read_token
from digest.model import Recipient, RecipientStatus, Window
from digest.newsroom import Newsroom
from digest.store.backups import is_small
from digest.store.database import moment_from_text
from digest.web.files import is_unchanged
from digest.web.forms import ReaderForms, how_often, leave_page, masked, title_of
from digest.web.joining import Option, asked, network_of

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_PAUSE = timedelta(days=731)
WEEKS = 8
SHOWN = 10
"""How many of the last mails are listed."""
Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose choice a link opens; `fresh`: it was mailed within 48 hours, because they asked for it."""

    reader: Recipient
    fresh: bool

    @property
    def left(self) -> bool:
        return self.reader.status is RecipientStatus.ENDED


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
        fault, status, named = "", HTTPStatus.OK, {}
        if request.method == "POST":
            form = await self.forms.form(request, own=True)
            fields = {
                name: [
                    foreign(one, limit=320) for one in form.getlist(name) if isinstance(one, str)
                ]
                for name in form
            }
            try:
                return await self._act(request, holder, fields)
            except FormError as e:
                fault, status, named = e.key, HTTPStatus.UNPROCESSABLE_ENTITY, e.facts
            except FollowError as e:
                fault, status = f"follow_{e.fault}", HTTPStatus.UNPROCESSABLE_ENTITY
            except LimitError:
                fault, status = "many", HTTPStatus.TOO_MANY_REQUESTS
            except (RecipientError, NotReadyError):
                fault, status = "not_now", HTTPStatus.CONFLICT
        said = fault or f"said_{request.query_params.get('said', '')}"
        facts = await self.forms.look(facts_of, holder)
        return await self.forms.page(
            choice_page, status, holder=holder, said=said, named=named, **facts
        )

    async def _act(self, request: Request, holder: Holder, fields: Fields) -> Response:
        reader, network = holder.reader, network_of(request)
        name = fields.get("act", [""])[0]
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
            await self.forms.act(ACTS[name], holder, fields, By("link", network))
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
    """Whom a link to a choice names; None if it is not ours, or they are forgotten."""
    if (named := read_token(newsroom.token_keys, token, Purpose.CHOICE)) is None:
        return None
    for reader in list_recipients(newsroom.db, recipient_id=named.recipient_id):
        if not is_nobody(reader):
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


def _choose(newsroom: Newsroom, holder: Holder, fields: Fields, by: By) -> None:
    """Store themes, languages, digests and pause.

    Raises:
        FormError: nothing is chosen of one of them, or the day is none.
        RecipientError: config.toml does not offer it, or the reader has left.
    """
    settings, now, reader = newsroom.settings, newsroom.now(), holder.reader
    given = {one: list(fields.get(one[:-1], ())) for one in ("themes", "languages", "digests")}
    for what in given:
        if not given[what] and not (what == "digests" and len(settings.digests) == 1):
            raise FormError(f"no_{what[:-1]}")
    if {*settings.theme_names} <= {*given["themes"]}:
        given["themes"] = [EVERYTHING]
    given["languages"].sort(key=lambda one: _place(one, reader.choice.languages))
    pause, until = fields.get("pause", ["keep"])[0], None
    if pause == "weeks":
        until = _morning(now, settings, weeks=4)
    elif pause == "date":
        try:
            day = date.fromisoformat(fields.get("until", [""])[0])
            until = datetime.combine(day, time(), ZoneInfo(settings.site.time_zone))
        except ValueError:
            raise FormError("no_day") from None
        if not now < until < now + LONGEST_PAUSE:
            raise FormError("no_day")
    with newsroom.db.write():
        change(
            newsroom.db, settings, now, reader.address, given,
            paused_until=until, resume=pause == "none", by=by,
        )  # fmt: skip


def _place(one: str, before: Sequence[str]) -> int:
    return before.index(one) if one in before else len(before)


def _morning(now: datetime, settings: Settings, weeks: int) -> datetime:
    day = now.astimezone(ZoneInfo(settings.site.time_zone)) + timedelta(weeks=weeks)
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def _feed(newsroom: Newsroom, holder: Holder, fields: Fields, by: By) -> None:
    with newsroom.db.write():
        own_feed(newsroom, holder.reader, on=fields["act"][0] == "feed", by=by)


def _leave(newsroom: Newsroom, holder: Holder, _: Fields, by: By) -> None:
    with newsroom.db.write():
        end_recipient(
            newsroom.db, holder.reader.id, "the page of their choice", newsroom.now(), by.name
        )


def _follow(newsroom: Newsroom, holder: Holder, fields: Fields, _: By) -> None:
    with newsroom.db.write():
        follow(newsroom, holder.reader.id, fields.get("phrase", [""])[0])


def _unfollow(newsroom: Newsroom, holder: Holder, fields: Fields, _: By) -> None:
    number = fields.get("follow", [""])[0]
    with newsroom.db.write():
        unfollow(newsroom, holder.reader.id, int(number) if number.isdecimal() else 0)


ACTS = {
    "followed": _follow,
    "unfollowed": _unfollow,
    "choose": _choose,
    "feed": _feed,
    "nofeed": _feed,
    "left": _leave,
}


def _forget(newsroom: Newsroom, recipient_id: int) -> None:
    """A large file is written anew by `prune` instead, as nobody else can write meanwhile."""
    try:
        forget(newsroom, recipient_id, cleans=is_small(newsroom.db))
    except StoreError as e:
        if (
            list_recipients(newsroom.db, recipient_id=recipient_id)[0].status
            is not RecipientStatus.ENDED
        ):
            raise NotReadyError("nothing was deleted") from e


def facts_of(newsroom: Newsroom, holder: Holder) -> dict[str, Any]:
    """What the page shows from the database."""
    db, settings, now, reader = newsroom.db, newsroom.settings, newsroom.now(), holder.reader
    ends = [now - timedelta(weeks=n) for n in range(WEEKS - 1, -1, -1)]
    weeks = [Window(end - timedelta(weeks=1), end) for end in ends]
    counted = stories_by_week(db, weeks, settings.theme_names)
    number = feed_of(db, reader.id)
    events = [one for one in events_of(db, reader.id) if one["act"] in ("joined", "returned")]
    return {
        "now": now,
        "counts": {theme: [sum(week.values()) for week in all_] for theme, all_ in counted.items()},
        "feed": own_place(newsroom, reader.id, number) if number else "",
        "event": events[-1] if events else None,
        "sent": sent_to(db, reader.id, SHOWN),
        "follows": [
            (one.id, one.what) for one in follows_of(db, now, recipient_id=reader.id) if one.what
        ],
    }


def choice_page(
    environment: "Environment",
    settings: Settings,
    holder: Holder,
    now: datetime,
    counts: Mapping[str, Sequence[int]],
    feed: str,
    event: Mapping[str, Any] | None,
    sent: Sequence[Mapping[str, Any]],
    follows: Sequence[tuple[int, str]],
    said: str,
    named: Mapping[str, str],
) -> bytes:
    from babel.lists import format_list

    reader, site = holder.reader, settings.site
    wording = wording_for(reader.choice.language, site.languages)
    words, zone = wording.choosing, ZoneInfo(site.time_zone)
    language = wording.language if wording.language in site.languages else None
    root = f"{settings.feeds_url}/"
    around = navigation(None, language, wording, settings, root=root, inside=False)
    themes = [
        one.title(wording.language)
        for key, one in settings.theme_names.items()
        if not reader.choice.themes or key in reader.choice.themes
    ]
    facts = {
        "address": masked(reader.address),
        "site": site.title,
        "contact": site.contact,
        "days": settings.store.keep_backups,
        "themes": format_list(themes, locale=wording.locale),
    }

    faults = {f"follow_{key}": text for key, text in wording.following.items()}
    texts = {**wording.joining, **faults, **words}

    def day(moment: datetime) -> str:
        return wording.day(moment.astimezone(zone).date())

    paused = reader.paused_until if reader.paused_until and reader.paused_until > now else None
    lines = [words["intro_left" if holder.left else "intro"].format(**facts)]
    if paused and not holder.left:
        lines.append(words["paused_now"].format(day=day(paused)))
    elif not holder.left and (text := _next(settings, reader, wording, now)):
        lines.append(text)
    why = {"day": day(reader.added_at), "network": "", "words": "", **facts}
    if event is not None:
        why |= {**event, "day": day(moment_from_text(event["made_at"]))}
    known = event["made_by"] if event is not None and event["words"] else ""
    reason = "form" if known else "import" if event and event["made_by"] == "import" else "command"
    return rendered(
        environment,
        "web/choose.html",
        site=site,
        wording=wording,
        words=words,
        forget_about=words["forget_about"].format(**facts),
        root=root,
        address=around.home.href,
        navigation=around,
        title=words["title"],
        intro=" ".join(lines),
        said=texts.get(said, "").format(**{**facts, "most": MOST, "longest": LONGEST, **named}),
        alert=not said.startswith("said_"),
        left=holder.left,
        fresh=holder.fresh,
        follows=follows,
        themes=[
            Option(
                key,
                theme.title(wording.language),
                not reader.choice.themes or key in reader.choice.themes,
                _tally(wording, counts[key]),
                theme=key,
            )
            for key, theme in settings.theme_names.items()
        ],
        choices=[
            Option(one, OWN_NAMES[one], one in reader.choice.languages, language=one)
            for one in site.languages
        ],
        digests=[
            Option(
                one.name,
                title_of(one, wording.language),
                one.name in reader.digests,
                how_often(settings, one, wording, now),
            )
            for one in settings.digests
        ],
        pauses=[
            Option("none", words["pause_none"], not paused),
            *(
                [Option("keep", words["pause_keep"].format(day=day(paused)), True)]
                if paused
                else []
            ),
            Option(
                "weeks", words["pause_weeks"].format(day=day(_morning(now, settings, 4))), False
            ),
        ],
        tomorrow=(now.astimezone(zone) + timedelta(days=1)).date().isoformat(),
        feeds=[Link(title, f"{feed}{name}") for name, title in _FEEDS.items()] if feed else [],
        opml=f"{feed}{OPML_NAME}",
        why=words[f"why_{reason}"].format(**why),
        sent=[
            (day(moment_from_text(one["moment"])), one["subject"], words[f"status_{one['status']}"])
            for one in sent
        ],
    )


_FEEDS = {"feed.atom": "Atom", "feed.rss": "RSS", "feed.json": "JSON Feed"}


def _tally(wording: Wording, weeks: Sequence[int]) -> str:
    """9 this week · earlier 1 to 4; only the first part before there were other weeks."""
    *earlier, now = weeks
    said = [wording.choosing["counts"].format(n=wording.number(now))] if any(weeks) else []
    if any(earlier):
        spread = wording.spread.format(low=min(earlier), high=max(earlier))
        said.append(wording.choosing["earlier"].format(spread=spread))
    return " · ".join(said)


def _next(settings: Settings, reader: Recipient, wording: Wording, now: datetime) -> str:
    """When the next edition closes of a digest that the reader gets, in the newsroom's zone."""
    from babel.dates import get_timezone_location

    name = settings.site.time_zone
    moments = [
        boundary_after(settings.digest_rule(one), settings.digest_zone(one), now)
        for one in settings.digests
        if one.name in reader.digests
    ]
    if not moments:
        return ""
    local = min(moments).astimezone(ZoneInfo(name))
    return wording.choosing["next"].format(
        day=wording.day(local.date(), wording.choosing["day_pattern"]),
        time=f"{local:%-H:%M}",
        zone=get_timezone_location(name, locale=wording.locale, return_city=True),
    )

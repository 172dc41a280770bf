"""`digest sources`."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click

from digest.cli.options import ID, by_option, current_newsroom
from digest.cli.output import bar, counted, json_option, local, show, table, warn
from digest.errors import DocumentError, NotFoundError, NotReadyError

if TYPE_CHECKING:
    from digest.config.settings import SourceSettings
    from digest.model import FoundItem
    from digest.newsroom import Newsroom
    from digest.sources.polling import Asked

SHOWN, EXPLAINED = 10, 3
"""Items that `check` and `add` show; pages of which `check` shows every field."""


@click.group()
def sources() -> None:
    """Show, add, check and pause what the newsroom reads."""


def _rows(newsroom: "Newsroom") -> list[dict[str, Any]]:
    from digest.sources.store import poll_row, quiet_since
    from digest.store.articles import added_sources

    added = {row["name"] for row in added_sources(newsroom.db)}
    rows = []
    for source in newsroom.settings.sources:
        row = poll_row(newsroom.db, source.name) or {}
        quiet = quiet_since(newsroom.db, source.name, newsroom.now())
        state = next(
            (word for word in ("ended", "paused") if row.get(f"{word}_at")),
            "fails" if row.get("error") else "quiet" if quiet else "works" if row else "new",
        )
        rows.append(
            {
                "name": source.name,
                "title": source.title or source.name,
                "kind": source.kind,
                "state": state if source.is_online else "read",
                "from": "command" if source.name in added else "config.toml",
                "address": row.get("address") or source.url or str(source.path or ""),
                "shows": source.shows,
                **{key: row.get(key) for key in ("asked_at", "answered_at", "news_at", "status", "error")},
                "next_at": None if state in ("ended", "paused") else row.get("next_at"),
            }
        )  # fmt: skip
    return rows


@sources.command("list")
@json_option
def list_sources(as_json: bool) -> None:
    """List every source: how it answered, and when it is asked next."""
    from digest.store.database import moment_from_text

    newsroom = current_newsroom()
    zone = newsroom.settings.site.time_zone
    with newsroom.open(read_only=True) as newsroom:
        rows = _rows(newsroom)

    def at(text: str | None) -> str:
        return local(moment_from_text(text), zone) if text else "-"

    show(
        as_json,
        rows,
        f"{counted(len(rows), 'source')}. Next: digest sources show NAME, or digest ingest.",
        ("name", "kind", "state", "from", "news", "next", "error"),
        (
            (
                row["name"],
                row["kind"],
                row["state"],
                row["from"],
                at(row["news_at"]),
                at(row["next_at"]),
                row["error"] or "",
            )
            for row in rows
        ),
        wide="error",
    )


@sources.command("show")
@click.argument("name")
@json_option
def show_source(name: str, as_json: bool) -> None:
    """Show one source: its settings, its last answer, its pace."""
    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        source = _source(newsroom, name)
        [row] = [one for one in _rows(newsroom) if one["name"] == name]
    given = source.model_dump(mode="json", exclude_defaults=True, exclude={"imap": {"password"}})
    lines = [f"{key:<12} {value}" for key, value in {**given, **row}.items() if value is not None]
    then = {
        "ended": f"digest sources add ADDRESS if it has a new one, digest sources resume {name} if it is back, "
        f"or digest sources pause {name} to end its alarm.",
        "paused": f"digest sources resume {name}.",
    }
    lines.append(f"Next: {then.get(row['state'], f'digest sources check {name}.')}")
    show(as_json, {**given, **row}, "\n".join(lines))


def _source(newsroom: "Newsroom", name: str) -> "SourceSettings":
    source = newsroom.settings.sources_by_name.get(name)
    if source is None:
        raise NotFoundError(f"there is no source {name!r}. See digest sources list.")
    return source


def _asked(newsroom: "Newsroom", source: "SourceSettings") -> "Asked":
    """What the source answers now, with the days that its copy states where it says none itself; nothing is
    stored."""
    from digest.sources.dates import read_copy
    from digest.sources.documents import read_item
    from digest.sources.polling import ask_source, make_fetcher

    async def ask() -> "Asked":
        async with make_fetcher(newsroom) as fetcher:
            return await ask_source(newsroom, fetcher, source)

    asked, zone = asyncio.run(ask()), ZoneInfo(newsroom.settings.site.time_zone)
    for place, one in enumerate(asked.brought):
        if one.item is None or one.item.published.day:
            continue
        with suppress(DocumentError):
            entry = read_item(one.name, one.item, zone)
            [read] = read_copy([entry], newsroom.now().astimezone(zone).date())
            item = replace(one.item, published=read.published)
            asked.brought[place] = one._replace(item=item)
            if read.published.day and one.name in asked.stated:
                asked.stated[one.name]["published"] = "its text"
    return asked


def _refusal(address: str, asked: "Asked", done: str, options: str, then: str) -> NotReadyError:
    """The error of an address that brings nothing; what to do where something came that is no feed."""
    source, came = asked.source, asked.answer is not None and asked.answer.status == 200
    private = " --allow-private" if source.allow_private else ""
    add_it = f" Next: digest sources add {source.url}{options}{private} {then}."
    return NotReadyError(
        f"{address}: {asked.error}. {done}.{add_it if came and source.kind == 'feed' else ''}"
    )


def _print_brought(asked: "Asked") -> None:
    items = [item for item in (one.item for one in asked.brought) if item is not None]
    table(
        ("day", "text", "title"),
        [
            (
                item.published.day.isoformat() if item.published.day else "undated",
                "full" if item.complete else "summary",
                item.title,
            )
            for item in items[:SHOWN]
        ],
        wide="title",
    )
    for line in asked.faults[:SHOWN]:
        warn(line)


def _print_fields(item: "FoundItem | None", stated: Mapping[str, str]) -> None:
    """Each field of a page, and where the page states it, as a recipe may name it."""
    from digest.language.text import foreign

    shown = {name: getattr(item, name) for name in stated}
    if item is not None and stated:
        shown |= {"published": item.published.day, "picture": item.picture and item.picture.url}
        shown |= {
            "html": f"{len(item.html):,} characters",
            "categories": ", ".join(item.categories),
        }
    rows = [(name, stated[name], foreign(f"{shown[name] or ''}", limit=200)) for name in stated]
    table(("field", "from", "value"), rows, wide="value")


def _warn_of_recipe(asked: "Asked") -> None:
    """Say which selectors find nothing on the pages that were read."""
    recipe, pages = asked.source.recipe, asked.stated.values()
    for key, name in (("title", "title"), ("date", "published"), ("author", "author")):
        without = sum(one[name] != "recipe" for one in pages)
        if without and (selector := getattr(recipe, key)):
            where = "this page" if len(pages) == 1 else f"{without} of {len(pages)} pages"
            warn(
                f"recipe.{key} ({selector}) finds no{' date' if key == 'date' else 'thing'} on {where}"
            )


def _of_options(url: str | None, kind: str, **given: Any) -> "SourceSettings":
    from pydantic import ValidationError

    from digest.config.checks import fault_line
    from digest.config.settings import SourceSettings

    values = {key: value for key, value in given.items() if value not in (None, False, ())}
    values |= {"kind": kind, "url": url}
    try:
        return SourceSettings.model_validate(values)
    except ValidationError as e:
        faults = [{**one, "loc": ("sources", 0, *one["loc"])} for one in e.errors()]
        lines = [fault_line(one, {"sources": [values]}) for one in faults]
        raise NotReadyError(
            "\n".join(re.sub(r"^sources\[1\][.]?", "", one) for one in lines)
        ) from None


@sources.command()
@click.argument("source_or_url")
@click.option("--pages", is_flag=True, default=False, help="It is a page with links to articles.")
@click.option("--full-text", is_flag=True, default=False, help="Fetch the page of each item.")
@click.option(
    "--recipe",
    multiple=True,
    is_flag=False,
    flag_value="",
    metavar="KEY=SELECTOR",
    help="Such as date=.published; repeat it. Alone: where the page states each field.",
)
@click.option("--allow-private", is_flag=True, default=False, help="An address of this network.")
@json_option
def check(
    source_or_url: str,
    pages: bool,
    full_text: bool,
    recipe: tuple[str, ...],
    allow_private: bool,
    as_json: bool,
) -> None:
    """Show what a source or an address would bring; store nothing.

    With --recipe and without --pages the address is that of one article.
    """
    newsroom = current_newsroom()
    with newsroom.open_or_empty() as newsroom:
        if (source := newsroom.settings.sources_by_name.get(source_or_url)) is None:
            is_one = bool(recipe) and not pages
            source = _of_options(
                None if is_one else source_or_url,
                "pages" if pages or recipe else "feed",
                name="check",
                urls=(source_or_url,) if is_one else (),
                full_text=full_text,
                allow_private=allow_private,
                recipe=dict(one.partition("=")[::2] for one in recipe if one),
            )
        if not source.is_online:
            raise NotReadyError(f"{source.name} is a folder. Next: digest doctor.")
        asked = _asked(newsroom, source)
    if asked.error is not None:
        raise _refusal(source_or_url, asked, "Nothing was stored", "", "looks for its feeds")
    _warn_of_recipe(asked)
    if not as_json:
        _print_brought(asked)
        for one in asked.brought[: EXPLAINED if asked.stated else 0]:
            _print_fields(one.item, asked.stated.get(one.name, {}))
        if len(asked.stated) > EXPLAINED:
            of = f"the first {EXPLAINED} of {len(asked.stated)} pages"
            click.echo(f"Fields of {of}. Of another: digest sources check ADDRESS --recipe.")
    data = [
        {
            "title": item.title,
            "url": item.url,
            "day": item.published.day and item.published.day.isoformat(),
            "complete": item.complete,
        }
        | ({"from": asked.stated[item.key]} if item.key in asked.stated else {})
        for item in (one.item for one in asked.brought)
        if item is not None
    ]
    show(
        as_json,
        data,
        f"{counted(len(asked.brought), 'item')}; nothing was stored. Next: digest sources add.",
    )


@sources.command()
@click.argument("url")
@click.option("--name", metavar="NAME", help="a-z, 0-9, -. Default: by the address.")
@click.option("--title", metavar="TEXT", help="As readers see it. Default: the feed's own.")
@click.option(
    "--pages", is_flag=True, default=False, help="A page with links to articles, not a feed."
)
@click.option("--follow", metavar="PATTERN", help="Which links of the page are articles: /news/*.")
@click.option("--full-text", is_flag=True, default=False, help="Fetch the page of each item.")
@click.option("--language", metavar="CODE", help="Its language, where it does not say it.")
@click.option("--publish", type=click.Choice(("full", "summary", "link")), help="What readers get.")
@click.option("--credit", metavar="TEXT", help="A line below each of its articles.")
@click.option("--allow-private", is_flag=True, default=False, help="An address of this network.")
@by_option
def add(url: str, name: str | None, pages: bool, by: str | None, **given: Any) -> None:
    """Add a feed, or a page with links; show what it brings."""
    from digest.sources.polling import find_source

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        name = name or _name_of(url)
        if name in newsroom.settings.sources_by_name:
            raise NotReadyError(f"there is a source {name!r} already. Give another --name.")
        source = _of_options(url, "pages" if pages else "feed", name=name, **given)
        asked = _asked(newsroom, source)
        if asked.error is not None and not pages:
            for address, _ in find_source(newsroom, source):
                found = source.model_copy(update={"url": address})
                again = _asked(newsroom, found)
                if again.error is None:
                    source, asked = found, again
                    break
        if asked.error is not None:
            then = "if it is a page with links"
            raise _refusal(url, asked, "Nothing was added", " --pages", then)
        _print_brought(asked)
        source = source.model_copy(update={"title": source.title or asked.title or None})
        _store(newsroom, source, by or newsroom.person)
    click.echo(
        f"Added {name}: {counted(len(asked.brought), 'item')} now, of which the newest {source.backlog} come "
        "into the next edition. Next: digest ingest."
    )


def _name_of(url: str) -> str:
    host = re.sub(r"^https?://(www\.)?", "", url).partition("/")[0].partition(":")[0]
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:40] or "source"


def _is_local(url: str) -> bool:
    """Whether the host is an address or a bare name of a network of one's own."""
    from digest.sources.fetch import is_public

    host = urlsplit(url).hostname or ""
    is_number = ":" in host or host.rpartition(".")[2].isdigit()
    return not is_public(host) if is_number else "." not in host


def _store(newsroom: "Newsroom", source: "SourceSettings", by: str) -> None:
    from digest.sources.store import add_source

    settings = source.model_dump_json(exclude_defaults=True)
    with newsroom.db.write():
        add_source(newsroom.db, source.name, settings, by, newsroom.now())


def _set(name: str, *, paused: bool) -> None:
    from digest.sources.store import save_poll, source_row
    from digest.store.database import text_from_moment

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        source = _source(newsroom, name)
        if not source.is_online:
            raise NotReadyError(f"{name} is a folder. Take its table out of config.toml instead.")
        at = text_from_moment(newsroom.now()) if paused else None
        with newsroom.db.write():
            source_id = source_row(newsroom.db, name, source.kind, source.title or name)
            values = {"paused_at": at} | ({} if paused else {"ended_at": None, "next_at": ""})
            save_poll(newsroom.db, source_id, values)
    done, then = ("paused", "sources list") if paused else ("asked again", "ingest")
    click.echo(f"{name} is {done}. Next: digest {then}.")


@sources.command()
@click.argument("name")
def pause(name: str) -> None:
    """Ask a source no more until it is resumed."""
    _set(name, paused=True)


@sources.command()
@click.argument("name")
def resume(name: str) -> None:
    """Ask a paused or ended source again."""
    _set(name, paused=False)


@sources.command()
@json_option
def letters(as_json: bool) -> None:
    """List the letters of senders that are not listed; they wait for you."""
    from digest.mail import messages
    from digest.sources.store import waiting_letters

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        rows = waiting_letters(newsroom.db)
    heads = [(row, messages.parse(bytes(row["data"]))) for row in rows]
    shown = [
        {"id": row["id"], "source": row["source"]}
        | {name.lower(): messages.header(head, name) for name in ("From", "Subject")}
        for row, head in heads
    ]
    show(
        as_json,
        shown,
        f"{counted(len(rows), 'letter')}. Next: digest sources accept ID, or add the sender to `senders`.",
        ("id", "source", "from", "subject"),
        (tuple(one.values()) for one in shown),
        wide="subject",
    )


@sources.command()
@click.argument("letter_id", type=ID, metavar="ID")
def accept(letter_id: int) -> None:
    """Let a letter that waits become an article."""
    from digest.sources.store import accept_letter

    newsroom = current_newsroom()
    with newsroom.open() as newsroom, newsroom.db.write():
        if not accept_letter(newsroom.db, letter_id):
            raise NotFoundError(f"no letter {letter_id} waits. See digest sources letters.")
    click.echo(f"Letter {letter_id} will be an article. Next: digest ingest.")


@sources.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--allow-private",
    is_flag=True,
    default=False,
    help="Also those with an address of this network.",
)
@by_option
def import_sources(file: Path, allow_private: bool, by: str | None) -> None:
    """Add the feeds of an OPML file, as every feed reader writes it."""
    from digest.sources.syndication import canonical, read_opml

    newsroom = current_newsroom()
    with newsroom.open() as newsroom:
        known = {canonical(source.url or "", "") for source in newsroom.settings.sources}
        names = set(newsroom.settings.sources_by_name)
        added = there = local = refused = 0
        for title, address, _ in bar("Adding")(read_opml(file.read_bytes())):
            if canonical(address, "") is None:
                warn(
                    f"{title or 'A feed'}: not added. Its address is not http or https: {address or 'none'}"
                )
                refused += 1
                continue
            if address in known:
                there += 1
                continue
            if (is_local := _is_local(address)) and not allow_private:
                warn(f"{title or 'A feed'}: not added. It is of this network: {address}")
                local += 1
                continue
            known.add(address)
            base, nth = _name_of(address)[:36], 2
            name = base
            while name in names:
                name, nth = f"{base}-{nth}", nth + 1
            try:
                source = _of_options(
                    address, "feed", name=name, title=title or None, allow_private=is_local
                )
            except NotReadyError as e:
                warn(f"{address}: not added. {e}")
                refused += 1
                continue
            names.add(name)
            _store(newsroom, source, by or newsroom.person)
            added += 1
    if local:
        warn(
            f"{counted(local, 'feed')} of this network, not of the internet: not added. If that is meant: "
            f"digest sources import {file} --allow-private"
        )
    there_too = f"{there} {'was' if there == 1 else 'were'} there already"
    left = f", {refused + local} not added" if refused + local else ""
    then = "digest ingest" if added else "digest sources list"
    click.echo(f"Added {counted(added, 'source')}; {there_too}{left}. Next: {then}.")


@sources.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
def export_sources(file: Path) -> None:
    """Write the feeds that have not ended as OPML; - is standard output."""
    from digest.sources.syndication import write_opml
    from digest.store.files import replace_and_stat

    newsroom = current_newsroom()
    with newsroom.open(read_only=True) as newsroom:
        feeds = [
            (row["title"], row["address"], "")
            for row in _rows(newsroom)
            if row["kind"] == "feed" and row["state"] != "ended"
        ]
        title = newsroom.settings.site.title
    data = write_opml(feeds, title)
    if str(file) == "-":
        click.echo(data, nl=False)
        return
    replace_and_stat(file, data, file.parent)
    click.echo(f"Wrote {counted(len(feeds), 'feed')} to {file}. Next: digest sources list.")

"""`digest sources`: what is read, how it answered, and what an address would bring."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.newsroom import Newsroom
from tests.desks import Desk
from tests.journeys.test_sources import Net, conditional, page, rss
from tests.sources.serving import Reply, Site

OPML = """<opml version="2.0"><body><outline text="News"><outline type="rss" text="One" xmlUrl="{}/feed"/>
<outline type="rss" text="Two" xmlUrl="feed://two.example/?feed=rss2"/></outline></body></opml>"""


@pytest.fixture
def site(net: Net) -> Site:
    home = b"<html><head><link rel=alternate type=application/rss+xml href=/feed></head><body>Hi</body></html>"
    routes = {
        "/feed": conditional(rss(1), "application/rss+xml"),
        "/": Reply(home, headers={"Content-Type": "text/html"}),
        "/0.html": Reply(page(0), headers={"Content-Type": "text/html"}),
    }
    return net.serve("127.0.0.1", routes)


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.close()


def test_an_address_is_checked_added_read_paused_and_exported(
    filled: Desk, site: Site, tmp_path: Path
) -> None:
    """For the editor: what it would bring first, then each step with what comes next."""
    before = filled.files()
    checked = filled.run("sources", "check", f"{site.root}/feed", "--allow-private")
    assert "3 items; nothing was stored. Next: digest sources add." in checked.output
    assert filled.files() == before
    refused = filled.run("sources", "check", f"{site.root}/feed")
    assert refused.exit_code == 1
    assert "--allow-private" in refused.output
    added = filled.run("sources", "add", f"{site.root}/", "--name", "one", "--allow-private")
    assert "Added one: 3 items now" in added.output
    assert (
        "there is a source 'one' already"
        in filled.run("sources", "add", f"{site.root}/", "--name", "one").output
    )
    assert "3 new articles" in filled.run("ingest").output
    [one] = [row for row in filled.json("sources", "list") if row["name"] == "one"]
    assert (one["kind"], one["state"], one["from"], one["shows"]) == (
        "feed",
        "works",
        "command",
        "summary",
    )
    assert f"{site.root}/feed" in filled.run("sources", "show", "one").output
    assert "one is paused" in filled.run("sources", "pause", "one").output
    assert filled.json("sources", "show", "one")["state"] == "paused"
    filled.run("sources", "resume", "one")
    file = tmp_path / "feeds.opml"
    assert "Wrote 1 feed" in filled.run("sources", "export", str(file)).output
    assert f"{site.root}/feed" in file.read_text("utf-8")
    assert filled.run("sources", "export", "-").stdout == file.read_text("utf-8")
    assert "seeds is a folder" in filled.run("sources", "pause", "seeds").output
    assert "there is no source 'none'" in filled.run("sources", "pause", "none").output


def test_check_says_where_a_page_states_each_field(filled: Desk, site: Site) -> None:
    """For who writes a recipe; nothing is stored."""
    before = filled.files()
    address = f"{site.root}/0.html"
    plain = filled.run("sources", "check", address, "--allow-private", "--recipe")
    assert re.search(r"title +(heading|JSON-LD|og:title|<title>) +\w", plain.output), plain.output
    own = filled.run("sources", "check", address, "--allow-private", "--recipe", "title=title")
    assert re.search(r"title +recipe +\w", own.output)
    assert "1 item; nothing was stored" in own.output
    [item] = filled.json("sources", "check", address, "--allow-private", "--recipe", "title=h1")
    assert item["from"]["title"] == "recipe"
    wrong = ("--recipe", "title=h9.no", "--recipe", "date=h1")
    said = filled.run("sources", "check", address, "--allow-private", *wrong).output
    assert "recipe.title (h9.no) finds nothing on this page" in said
    assert "recipe.date (h1) finds no date on this page" in said
    keys = ("--recipe", "foo=.x", "--recipe", "title=h1[", "--recipe", "h1")
    said = filled.run("sources", "check", address, *keys).output
    assert "recipe.foo: unknown key; known keys are author, date, links, next, text, title" in said
    assert "recipe.title: found 'h1['; must be a CSS selector" in said
    assert "recipe.h1: unknown key" in said
    assert filled.files() == before


def test_what_comes_next_fits_the_command(filled: Desk, site: Site) -> None:
    """For the editor who copies the line; advice only for an answer that it helps with."""
    page = f"{site.root}/0.html"
    said = filled.run("sources", "check", page, "--allow-private").output
    assert (
        f"not a feed. Nothing was stored. Next: digest sources add {page} --allow-private" in said
    )
    said = filled.run("sources", "add", page, "--allow-private", "--name", "one").output
    assert f"Nothing was added. Next: digest sources add {page} --pages --allow-private" in said
    said = filled.run("sources", "add", f"{site.root}/none", "--allow-private").output
    assert said.endswith("there is nothing. Nothing was added.\n")


def test_a_feed_that_ended_is_not_asked_again_nor_exported(filled: Desk, site: Site) -> None:
    """For the editor: 410 ends it, and what to do is said."""
    filled.run("sources", "add", f"{site.root}/feed", "--allow-private", "--name", "one")
    site.routes["/feed"] = Reply(status=410)
    filled.run("ingest")
    one = filled.json("sources", "show", "one")
    assert (one["state"], one["next_at"]) == ("ended", None)
    shown = filled.run("sources", "show", "one").output
    assert "digest sources resume one if it is back" in shown
    assert "/feed" not in filled.run("sources", "export", "-").stdout
    site.routes["/feed"] = conditional(rss(1), "application/rss+xml")
    assert "Next: digest ingest." in filled.run("sources", "resume", "one").output
    assert "3 new articles" in filled.run("ingest").output


def test_what_a_command_added_is_known_whatever_was_asked_before(filled: Desk, site: Site) -> None:
    """For the service, which has looked for sources in config.toml by name before one was added."""
    filled.run("sources", "add", f"{site.root}/feed", "--allow-private", "--name", "one")
    newsroom = Newsroom.from_file(filled.config)
    assert "one" not in newsroom.settings.sources_by_name
    with newsroom.open() as opened:
        assert opened.settings.sources_by_name["one"].kind == "feed"


def test_the_feeds_of_a_reader_are_imported_once(filled: Desk, site: Site, tmp_path: Path) -> None:
    """For the newcomer with an OPML file; what config.toml or a command has already stays as it is."""
    file = tmp_path / "reader.opml"
    file.write_text(OPML.format(site.root), "utf-8")
    first = filled.run("sources", "import", str(file)).output
    assert f"1 feed of this network, not of the internet: not added. If that is meant: digest sources import {file} --allow-private" in first  # fmt: skip
    assert f"One: not added. It is of this network: {site.root}/feed" in first
    assert "Added 1 source; 0 were there already, 1 not added" in first
    allowed = ("sources", "import", str(file), "--allow-private")
    assert "Added 1 source; 1 was there already" in filled.run(*allowed).output
    assert "Added 0 sources; 2 were there already" in filled.run(*allowed).output
    lines = ("ftp://three.example/x", "", "feed://two.example/?feed=rss2")
    listed = "".join(f'<outline type="rss" text="Three" xmlUrl="{url}"/>' for url in lines)
    file.write_text(f"<opml><body>{listed}</body></opml>", "utf-8")
    said = filled.run(*allowed).output
    assert "Three: not added. Its address is not http or https: ftp://three.example/x" in said
    assert "Three: not added. Its address is not http or https: none" in said
    assert "Added 0 sources; 1 was there already, 2 not added. Next: digest sources list." in said
    names = {row["name"]: row["from"] for row in filled.json("sources", "list")}
    assert names == {"seeds": "config.toml", "127-0-0-1": "command", "two-example": "command"}


def test_what_readers_get_is_what_the_source_allows(filled: Desk, site: Site) -> None:
    """For the agency whose copy it is: a summary and a link, never its whole text, and its name."""
    add = ("sources", "add", f"{site.root}/feed", "--allow-private", "--name", "one")
    filled.run(*add, "--publish", "link", "--credit", "Courtesy of Agency One")
    filled.run("ingest")
    filled.run("publish")
    atom = (filled.folder / "feeds" / "all.atom").read_text("utf-8")
    assert "Officers of port 1 seized parcel 1" in atom
    assert "with heroin on" not in atom
    assert f'<link href="{site.root}/feed"' in atom
    pages = [
        path.read_text("utf-8") for path in (filled.folder / "feeds" / "articles").glob("*.html")
    ]
    assert any("Courtesy of Agency One</small></p>" in text for text in pages)
    for form in ("atom", "rss", "json"):
        assert "Courtesy of Agency One" in (filled.folder / "feeds" / f"all.{form}").read_text(
            "utf-8"
        )
    assert not any("the source cut the rest" in text for text in pages if "Agency One" in text)
    assert not any("with heroin on" in text for text in pages)

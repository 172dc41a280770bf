"""docs/templates.md describes every template of the mail and the pages, and every variable."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import meta, nodes

from digest.config.urls import SitePages
from digest.editions import mail
from digest.feeds.channels import Channel
from digest.feeds.items import Item, Version, item_of
from digest.feeds.pages import (
    Headline,
    Link,
    Mark,
    Navigation,
    article_page_bytes,
    feed_page_bytes,
    style_bytes,
)
from digest.language.text import Stroke
from digest.language.wording import Wording, wording_for
from digest.mail.letters import Letter
from digest.newsroom import make_environment, packaged
from digest.service.report import ReportItem, ReportMail, ReportPart
from digest.store.pictures import Copies
from digest.stories.sharing import Shared
from digest.web import about, archive, reading, searching, story
from digest.web.forms import leave_page
from digest.web.joining import Option, answer_page, join_page
from tests.desks import MADE_AT
from tests.factories import make_article, make_settings
from tests.feeds.views import make_view

DOCS = (Path(__file__).parents[1] / "docs" / "templates.md").read_text(encoding="utf-8")
MAILS, _, WEB = DOCS.partition("\n## The pages\n")
PAGES, _, SITE = WEB.partition("\n## The site\n")
DIGEST, _, OTHERS = MAILS.partition("\n## The mail to the editors\n")
REPORT, _, LETTERS = OTHERS.partition("\n## The mails that answer forms\n")
TEMPLATES = sorted(
    path.relative_to(packaged("templates")).as_posix()
    for folder in ("mail", "web")
    for path in packaged("templates").joinpath(folder).iterdir()
    if path.suffix in {".html", ".txt", ".css"}
)
SITE_TEMPLATES = [
    one
    for one in re.findall(r"^\| `(web/\w+\.html)` \| \S", SITE, re.MULTILINE)
    if '{% extends "web/base.html" %}' in packaged("templates").joinpath(one).read_text("utf-8")
]
DIGEST_VIEWS: dict[str, type] = {
    "mail": mail.Mail,
    "mail.footer": mail.Footer,
    "part": mail.Part,
    "item": mail.Item,
    "told": mail.Told,
    "one": Stroke,
    "link": mail.Link,
}
REPORT_VIEWS: dict[str, type] = {"mail": ReportMail, "part": ReportPart, "item": ReportItem}
LETTER_VIEWS: dict[str, type] = {"mail": Letter}
PAGE_VIEWS: dict[str, type] = {
    "navigation": Navigation,
    "mark": Mark,
    "channel": Channel,
    "headline": Headline,
    "item": Item,
    "version": Version,
    "link": Link,
    "option": Option,
    "wording": Wording,
}
SITE_VIEWS: dict[str, type] = {
    "to": SitePages,
    "subject": about.Subject,
    "feed": about.Followed,
    "told": about.Told,
    "chart": reading.Chart,
    "shown": Copies,
    "query": searching.Query,
    "hit": searching.Hit,
    "row": archive.Row,
    "column": story.Column,
    "same": Shared,
}
METHODS = {
    *(f"wording.{key}" for key, made in vars(Wording).items() if key[0] != "_" and callable(made)),
    "headline.withdrawn",
}
"""What templates of pages may call or ask besides fields."""
ADDRESSES = {f"to.{key}" for key in vars(SitePages) if key[0] != "_"} - {
    "to.root",
    "to.language",
} | {"shown.file"}
BUILT_IN = {"format", "get", "items", "partition"}
WORDS = {field.name for field in dataclasses.fields(Wording) if field.type is not str}
"""The tables of the wording: their keys are not documented one by one."""


def first_cells(text: str) -> set[str]:
    """Every name.field in the first column of a table, without the arguments of a method."""
    return set(re.findall(r"^\| `(\w+\.[\w.]+)(?:\([\w, ]+\))?` \|", text, re.MULTILINE))


def page_variables() -> dict[str, set[str]]:
    """The documented variables of each kind of page."""
    lines = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| \S", PAGES, re.MULTILINE)
    kinds = ("feed", "article", "leave", "join", "answer", "style")
    return {kind: {name for name, where in lines if kind in where.split(", ")} for kind in kinds}


def tree(template: str) -> nodes.Template:
    environment = make_environment()
    assert environment.loader is not None
    return environment.parse(environment.loader.get_source(environment, template)[0])


def names_made(template: nodes.Template) -> set[str]:
    """What a template sets, imports or defines itself, for its blocks too."""
    imported = (name for found in template.find_all(nodes.FromImport) for name in found.names)
    made = {name if isinstance(name, str) else name[1] for name in imported}
    made |= {found.name for found in template.find_all(nodes.Macro)}
    targets = (found.target for found in template.find_all(nodes.Assign))
    return made | {target.name for target in targets if isinstance(target, nodes.Name)}


def names_used(template: str) -> set[str]:
    """What a template needs, with all that it extends and imports."""
    waiting, seen = {template}, dict[str, nodes.Template]()
    while waiting:
        name = waiting.pop()
        seen[name] = tree(name)
        waiting |= {one for one in meta.find_referenced_templates(seen[name]) if one} - seen.keys()
    used = {name for one in seen.values() for name in meta.find_undeclared_variables(one)}
    return used - {name for one in seen.values() for name in names_made(one)}


def chains(node: nodes.Node) -> Iterator[str]:
    """Every a.b.c in a template, as it is written, but not those of a loop or of blocks."""
    for attribute in node.find_all(nodes.Getattr):
        names, inner = [attribute.attr], attribute.node
        while isinstance(inner, nodes.Getattr):
            names.append(inner.attr)
            inner = inner.node
        start = inner.name if isinstance(inner, nodes.Name) else ""
        if start not in ("loop", "self"):
            yield ".".join([start, *reversed(names)])


def test_every_template_is_named() -> None:
    """An operator knows which file to copy."""
    assert sorted(re.findall(r"^\| `((?:mail|web)/[\w.]+)` \| \S", DOCS, re.MULTILINE)) == TEMPLATES


@pytest.mark.parametrize(
    ("text", "views", "others"),
    [
        pytest.param(DIGEST, DIGEST_VIEWS, set(), id="the digest"),
        pytest.param(REPORT, REPORT_VIEWS, set(), id="the mail to the editors"),
        pytest.param(LETTERS, LETTER_VIEWS, set(), id="the mails that answer forms"),
        pytest.param(PAGES, PAGE_VIEWS, METHODS, id="the pages"),
        pytest.param(SITE, SITE_VIEWS, ADDRESSES, id="the site"),
    ],
)
def test_every_variable_is_documented(text: str, views: dict[str, type], others: set[str]) -> None:
    """An operator who writes a template finds all there is, and nothing that does not exist."""
    fields = {
        f"{name}.{field.name}" for name, view in views.items() for field in dataclasses.fields(view)
    }
    assert first_cells(text) - others == fields
    assert others <= first_cells(text)
    assert all(
        hasattr(views[name], attribute) for name, attribute in (o.split(".") for o in others)
    )


@pytest.mark.parametrize("template", [one for one in TEMPLATES if one.startswith("mail/")])
def test_a_template_of_mail_prints_only_what_is_documented(template: str) -> None:
    """Each chain is documented, or leads to a link and then to a field of a link."""
    texts = {"report": REPORT, "letter": LETTERS}
    known = first_cells(texts.get(Path(template).stem, DIGEST))
    for chain in chains(tree(template)):
        before, _, field = chain.rpartition(".")
        if before:
            assert chain in known or (before in known and f"link.{field}" in known), chain


@pytest.mark.parametrize("template", [one for one in TEMPLATES if one.startswith("web/")])
def test_a_template_of_pages_reads_only_documented_fields(template: str) -> None:
    """No template of ours knows more than an operator's can, and no text is missing."""
    text = DOCS if f"`{template}`" in SITE else PAGES
    named = re.findall(r"`(\w+\.[\w.]+)(?:\([\w, ]+\))?`", text)
    known = {name.rpartition(".")[2] for name in named} | BUILT_IN
    for chain in chains(tree(template)):
        first, *names = chain.split(".")
        if first == "words":
            first, names = "wording", ["desk", *names]
        if first == "wording" and names[0] in WORDS and len(names) > 1:
            assert names[1] in getattr(wording_for("en"), names[0]), chain
        else:
            assert names[-1] in known, chain


@pytest.mark.parametrize("kind", ["feed", "article", "leave", "join", "answer", "style"])
def test_a_template_of_pages_uses_only_documented_variables(kind: str) -> None:
    """Our pages use only what the docs promise to an operator's."""
    assert (
        names_used(f"web/{kind}.{'css' if kind == 'style' else 'html'}") <= page_variables()[kind]
    )


def test_the_pages_of_the_site_use_what_is_documented_and_nothing_else() -> None:
    """For each page of the site: what its template and those that it is made of use, and no more."""
    rows = re.findall(r"^\| `(\w+)` \| ([a-z_, ]+) \| \S", SITE, re.MULTILINE)
    everywhere = {name for name, pages in rows if pages == "all"}
    named = {page for _, where in rows for page in where.split(", ")} - {"all"}
    pages = {Path(one).stem for one in SITE_TEMPLATES} | named
    documented = {page: {one for one, where in rows if page in where.split(", ")} for page in pages}
    used = {page: names_used(f"web/{page}.html") - everywhere for page in pages}
    assert names_used("web/base.html") <= everywhere
    assert used == documented


def test_a_page_gets_every_documented_variable(tmp_path: Path) -> None:
    """An operator's template may print every variable: each exists in each kind of page."""
    (tmp_path / "web").mkdir()
    for kind, names in page_variables().items():
        text = "".join(f"{{{{ {name} }}}}" for name in sorted(names))
        (tmp_path / "web" / f"{kind}.{'css' if kind == 'style' else 'html'}").write_text(
            text, encoding="utf-8"
        )
    environment, settings = make_environment(tmp_path), make_settings()
    assert feed_page_bytes(environment, make_view([make_article()]), settings)
    assert article_page_bytes(environment, item_of(make_article(), (), settings), settings)
    assert leave_page(environment, settings, "busy")
    assert join_page(environment, settings, wording_for("en"), "join", MADE_AT)
    assert answer_page(environment, settings, wording_for("en"), "lapsed")
    assert style_bytes(environment, settings)


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(Wording) if field.type is str]
)
def test_the_words_are_the_current_ones(name: str) -> None:
    """The table shows the words of a page in English."""
    line = re.search(rf"^\| `wording\.{name}` \| (.+) \|$", PAGES, re.MULTILINE)
    assert line is not None
    assert getattr(wording_for("en"), name) in line[1]

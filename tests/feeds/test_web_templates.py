"""docs/templates.md tells the truth about every template of the pages and every variable."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from jinja2 import Environment, meta, nodes

from digest.feeds.channels import Channel
from digest.feeds.items import Item, Version, item_of
from digest.feeds.pages import (
    Headline,
    Link,
    Navigation,
    article_page_bytes,
    feed_page_bytes,
    style_bytes,
)
from digest.language.wording import Wording, wording_for
from digest.newsroom import make_environment, packaged_templates
from tests.factories import make_article, make_settings
from tests.feeds.views import make_view

DOCS = Path(__file__).parents[2] / "docs" / "templates.md"
PAGES = DOCS.read_text(encoding="utf-8").partition("\n## The pages\n")[2]
TEMPLATES = sorted(
    path.relative_to(packaged_templates()).as_posix()
    for path in packaged_templates().joinpath("web").iterdir()
)
VIEWS: Mapping[str, type] = {
    "navigation": Navigation,
    "channel": Channel,
    "headline": Headline,
    "item": Item,
    "version": Version,
    "link": Link,
    "wording": Wording,
}
METHODS = {
    *(
        f"wording.{name}"
        for name, made in vars(Wording).items()
        if name[0] != "_" and callable(made)
    ),
    "headline.withdrawn",
}
"""What templates may call or ask besides fields."""


def first_cells() -> list[str]:
    """What the first column of each table names, without the arguments of a method."""
    return re.findall(r"^\| `([\w.]+)(?:\([\w, ]+\))?` \|", PAGES, re.MULTILINE)


def told_of_pages() -> dict[str, set[str]]:
    """The variables that each kind of page gets: of feed, article and style."""
    lines = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| \S", PAGES, re.MULTILINE)
    kinds = ("feed", "article", "style")
    return {kind: {name for name, where in lines if kind in where.split(", ")} for kind in kinds}


def tree(environment: Environment, template: str) -> nodes.Template:
    assert environment.loader is not None
    return environment.parse(environment.loader.get_source(environment, template)[0])


def names_made(template: nodes.Template) -> set[str]:
    """What a template sets, imports or defines itself, for its blocks too."""
    imported = (name for found in template.find_all(nodes.FromImport) for name in found.names)
    made = {name if isinstance(name, str) else name[1] for name in imported}
    made |= {found.name for found in template.find_all(nodes.Macro)}
    targets = (found.target for found in template.find_all(nodes.Assign))
    return made | {target.name for target in targets if isinstance(target, nodes.Name)}


def fields_read(template: nodes.Template) -> Iterator[str]:
    """The last name of every a.b.c in a template."""
    for found in template.find_all(nodes.Getattr):
        if not (isinstance(found.node, nodes.Name) and found.node.name == "loop"):
            yield found.attr


def test_every_template_is_named() -> None:
    """An operator knows which file to copy."""
    assert sorted(re.findall(r"^\| `(web/[\w.]+)` \| \S", PAGES, re.MULTILINE)) == TEMPLATES


@pytest.mark.parametrize("name", VIEWS)
def test_every_variable_of_a_page_is_told(name: str) -> None:
    """Who writes a template finds all there is, and nothing that is not."""
    fields = {f"{name}.{field.name}" for field in dataclasses.fields(VIEWS[name])}
    told = {cell for cell in first_cells() if cell.startswith(f"{name}.")}
    assert told - METHODS == fields


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_can_be_called_is_told(method: str) -> None:
    """Days and counts in the page's language, and whether an article was withdrawn."""
    name, _, attribute = method.partition(".")
    assert method in first_cells()
    assert hasattr(VIEWS[name], attribute)


@pytest.mark.parametrize(
    ("kind", "templates"),
    [
        pytest.param("feed", ["web/feed.html", "web/base.html"], id="a feed's page"),
        pytest.param("article", ["web/article.html", "web/base.html"], id="an article's page"),
        pytest.param("style", ["web/style.css"], id="the style sheet"),
    ],
)
def test_a_template_knows_what_is_told(kind: str, templates: list[str]) -> None:
    """Our pages use only what the docs promise to an operator's."""
    trees = [tree(make_environment(), template) for template in templates]
    used = {name for one in trees for name in meta.find_undeclared_variables(one)}
    made = {name for one in trees for name in names_made(one)}
    assert used - made <= told_of_pages()[kind]


def test_a_page_is_given_what_is_told(tmp_path: Path) -> None:
    """An operator's template may print every variable: each is there, in each kind of page."""
    (tmp_path / "web").mkdir()
    endings = {"feed": "html", "article": "html", "style": "css"}
    for kind, names in told_of_pages().items():
        text = "".join(f"{{{{ {name} }}}}" for name in sorted(names))
        (tmp_path / "web" / f"{kind}.{endings[kind]}").write_text(text, encoding="utf-8")
    environment, settings = make_environment(tmp_path), make_settings()
    assert feed_page_bytes(environment, make_view([make_article()]), settings)
    assert article_page_bytes(environment, item_of(make_article(), (), settings), settings)
    assert style_bytes(environment, settings)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_reads_only_fields_that_are_told(template: str) -> None:
    """No template of ours knows more than an operator's can."""
    told = {
        name.rpartition(".")[2] for name in re.findall(r"`(\w+\.[\w.]+)(?:\([\w, ]+\))?`", PAGES)
    }
    assert set(fields_read(tree(make_environment(), template))) <= told


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(Wording) if field.type is str]
)
def test_the_words_are_those_in_force(name: str) -> None:
    """The table shows what the page says in English."""
    line = re.search(rf"^\| `wording\.{name}` \| (.+) \|$", PAGES, re.MULTILINE)
    assert line is not None
    assert getattr(wording_for("en"), name) in line[1]

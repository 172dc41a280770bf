"""docs/templates.md tells the truth about every template of the mail and every variable."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes

from digest.editions.mail import Footer, Item, Link, Mail, Part
from digest.newsroom import make_environment, packaged_templates
from digest.service.report import ReportItem, ReportMail, ReportPart

DOCS = Path(__file__).parent.parent.parent / "docs" / "templates.md"
TEMPLATES = sorted(
    path.relative_to(packaged_templates()).as_posix()
    for path in packaged_templates().joinpath("mail").iterdir()
    if path.suffix in {".html", ".txt"}
)
VIEWS = {"mail": Mail, "mail.footer": Footer, "part": Part, "item": Item, "link": Link}
REPORT_VIEWS = {"mail": ReportMail, "part": ReportPart, "item": ReportItem}
REPORT = "mail/report."


def fields(views: dict[str, type]) -> set[str]:
    return {
        f"{name}.{field.name}" for name, view in views.items() for field in dataclasses.fields(view)
    }


def documented(template: str = "mail/edition.html") -> set[str]:
    """Every `name.field` in the first column of a table about the mail that the template sets."""
    mails = DOCS.read_text("utf-8").partition("\n## The pages\n")[0]
    digest, _, report = mails.partition("\n## The mail to the editors\n")
    text = report if template.startswith(REPORT) else digest
    return set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))


def chains(node: nodes.Node) -> Iterator[str]:
    """Every a.b.c in a template, as it is written."""
    for found in node.find_all(nodes.Getattr):
        names, inner = [found.attr], found.node
        while isinstance(inner, nodes.Getattr):
            names.append(inner.attr)
            inner = inner.node
        if isinstance(inner, nodes.Name):
            yield ".".join([inner.name, *reversed(names)])


def is_documented(chain: str, known: set[str]) -> bool:
    """The chain itself, or what leads to a link and then a field of a link."""
    before, _, field = chain.rpartition(".")
    return chain in known or (before in known and f"link.{field}" in known)


def test_every_variable_of_the_mail_is_documented() -> None:
    """An operator who writes a template finds all there is, and nothing that is not."""
    assert documented() - {"ruled"} - set(TEMPLATES) == fields(VIEWS)
    assert documented(REPORT) - set(TEMPLATES) == fields(REPORT_VIEWS)


def test_every_template_is_named() -> None:
    """An operator knows which file to copy."""
    named = set(re.findall(r"^\| `(mail/[\w.]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE))
    assert named == set(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_prints_only_what_is_documented(template: str) -> None:
    """No template of ours knows more than an operator's can."""
    environment = make_environment()
    assert environment.loader is not None
    source = environment.loader.get_source(environment, template)[0]
    for chain in chains(environment.parse(source)):
        if not chain.startswith("loop."):
            assert is_documented(chain, documented(template)), chain

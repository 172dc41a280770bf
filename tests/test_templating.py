"""Templates: the operator's come first, ours stay reachable, and HTML is always escaped."""

from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from digest.errors import NotReadyError
from digest.newsroom import make_environment, packaged


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_operators_template_replaces_ours(tmp_path: Path) -> None:
    """An operator changes a page with a file of the same name."""
    write(tmp_path, "web/feed.html", "mine")
    assert make_environment(tmp_path).get_template("web/feed.html").render() == "mine"


def test_an_override_can_extend_the_template_that_it_replaces(tmp_path: Path) -> None:
    """`builtin/` names ours even where a file of the same name replaces it."""
    write(tmp_path, "web/base.html", '{% extends "builtin/web/base.html" %}')
    environment = make_environment(tmp_path)
    assert environment.get_template("web/base.html").filename == str(tmp_path / "web/base.html")
    ours = environment.get_template("builtin/web/base.html").filename
    assert ours == str(packaged("templates") / "web/base.html")


@pytest.mark.parametrize(("name", "shown"), [("a.html", "&lt;b&gt;"), ("a.txt", "<b>")])
def test_only_html_is_escaped(tmp_path: Path, name: str, shown: str) -> None:
    """Both parts of a mail show a title with markup as it is written."""
    write(tmp_path, name, "{{ title }}")
    assert make_environment(tmp_path).get_template(name).render(title="<b>") == shown


def test_a_misspelt_name_is_an_error(tmp_path: Path) -> None:
    """An operator's slip does not print an empty text."""
    write(tmp_path, "a.html", "{{ tilte }}")
    with pytest.raises(UndefinedError, match="tilte"):
        make_environment(tmp_path).get_template("a.html").render(title="x")


def test_a_loop_without_an_end_is_an_error(tmp_path: Path) -> None:
    """Readers would wait for a page that never comes."""
    write(tmp_path, "a.html", "{% for one in range(10 ** 9) %}{% endfor %}")
    with pytest.raises(OverflowError, match="too big"):
        make_environment(tmp_path).get_template("a.html").render()


def test_a_template_outside_the_folders_is_not_found(tmp_path: Path) -> None:
    """A name cannot climb out of the operator's folder."""
    write(tmp_path, "secret.html", "x")
    (tmp_path / "mine").mkdir()
    with pytest.raises(TemplateNotFound):
        make_environment(tmp_path / "mine").get_template("../secret.html")


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        pytest.param(lambda folder: folder.rename(folder.with_name("away")), "No such file", id="gone"),
        pytest.param(lambda folder: (folder.rename(folder.with_name("away")), folder.write_text("")), "Not a directory", id="a file"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [False, True], ids=["from the start", "while the service runs"])
def test_mail_never_falls_back_to_our_templates(
    tmp_path: Path, breaks: Callable[[Path], object], says: str, before: bool
) -> None:
    """Without the operator's folder, each template is an error that names the folder."""
    folder = tmp_path / "mine"
    write(folder, "mail/edition.txt", "mine")
    environment = make_environment(folder)
    if before:
        assert environment.get_template("mail/edition.txt").render() == "mine"
    breaks(folder)
    for ask in (lambda: environment.get_template("mail/edition.txt"), environment.list_templates):
        with pytest.raises(NotReadyError, match=f"{folder}: .*{says}.* digest doctor"):
            ask()


def test_a_template_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """One clear error for `publish`, `send` and `doctor` alike."""
    (tmp_path / "a.txt").write_bytes("Новости".encode("cp1251"))
    with pytest.raises(NotReadyError, match=r"a\.txt: not readable as text\. Save it as UTF-8"):
        make_environment(tmp_path).get_template("a.txt")

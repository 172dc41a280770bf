"""Settings as types: what follows from them, and that the shipped config.toml shows every one."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from digest.config.base import contrast, secret
from digest.config.combined import LOWEST_CONTRAST, PAPER_DARK, PAPER_LIGHT
from digest.config.load import load_settings
from digest.config.settings import Settings
from digest.config.themes import PALETTE, SPARE
from digest.editorial.lexicon import compile_lexicon
from digest.model import OTHER

SHIPPED = Path(__file__).parents[2] / "config.toml"
UNITS = {"seconds": "seconds", "mib": "MiB", "kb": "kB", "hours": "hours", "days": "days"}


def table_in(annotation: Any) -> type[BaseModel] | None:
    """The type of the table that a field holds, by itself, in a list or by language."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (table_in(one) for one in get_args(annotation))
    return next((table for table in inner if table is not None), None)


def keys(model: type[BaseModel] = Settings, table: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every key of every table as (table, key, field); tables by language stand as those of "en"."""
    for name, field in model.model_fields.items():
        inner = table_in(field.annotation)
        by_language = "dict[" in str(field.annotation)
        if model is Settings and name == "path":
            continue
        if inner is None:
            yield table, name, field
        else:
            yield from keys(inner, f"{table}.{name}".strip(".") + (".en" if by_language else ""))


def shown() -> dict[str, dict[str, str]]:
    """The lines of config.toml by table and key, those commented out as well."""
    tables: dict[str, dict[str, str]] = {}
    table = ""
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"(?:# )?\[\[?([a-z_.]+)\]\]?\s*(?:#.*)?", line):
            table = header[1]
        elif key := re.match(r"(?:# )?([a-z_]+) = ", line):
            tables.setdefault(table, {}).setdefault(key[1], line)
    return tables


EVERY = [pytest.param(*entry, id=f"{entry[0]}.{entry[1]}") for entry in keys()]


@pytest.mark.parametrize(("table", "key", "field"), EVERY)
def test_config_toml_shows_every_setting(table: str, key: str, field: Any):
    """The operator finds each key in the file, with its default and its unit, or commented out."""
    line = shown().get(table, {}).get(key)
    assert line is not None, f"[{table}] {key} is not in config.toml"
    comment = line.rpartition("#")[2]
    assert comment.strip(), f"[{table}] {key} has no comment"
    if not field.is_required() and field.get_default() not in ((), {}):
        assert "default" in comment, f"[{table}] {key} has no default in its comment"
    unit = UNITS.get(key.rpartition("_")[2])
    if unit is not None:
        assert unit in comment, f"[{table}] {key} has no unit in its comment"


def test_the_shipped_file_holds_no_key_that_is_unknown():
    """Also what is commented out can be used by taking the sign away."""
    known = {(table, key) for table, key, _ in keys()}
    assert {(table, key) for table, lines in shown().items() for key in lines} <= known


def test_what_is_commented_out_works(tmp_path: Path):
    """Every optional line of config.toml is valid when its sign is taken away."""
    text = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", SHIPPED.read_text(encoding="utf-8"))
    assert tomllib.loads(text)
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    compile_lexicon(load_settings(path).themes)


def test_shown_defaults_are_the_defaults():
    """A default in a comment is the one in force: numbers and words in its line."""
    for table, key, field in keys():
        default = field.get_default()
        if isinstance(default, bool):
            told = str(default).lower()
        elif isinstance(default, int | float):
            told = f"{default:g}"
        elif isinstance(default, str | Path):
            told = f'"{default}"'
        else:
            continue
        line = shown()[table][key]
        assert f"default {told}" in line, f"[{table}] {key}: the comment lacks `default {told}`"


def test_every_colour_of_ours_can_be_read():
    """The colours that a theme gets by itself keep WCAG's 4.5 : 1 on light and on dark ground."""
    for light, dark in [*PALETTE.values(), *SPARE]:
        assert contrast(light, PAPER_LIGHT) >= LOWEST_CONTRAST
        assert contrast(dark, PAPER_DARK) >= LOWEST_CONTRAST


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        pytest.param("#000000", "#ffffff", 21.0, id="black on white"),
        pytest.param("#ffffff", "#ffffff", 1.0, id="white on white"),
        pytest.param("#767676", "#ffffff", 4.54, id="the lightest grey that passes"),
        pytest.param("#ffffff", "#777777", 4.48, id="the darkest that does not, either way round"),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float):
    """WCAG 2.2, 1.4.3, with its own examples."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


def test_themes_stand_in_the_order_of_the_file_with_other_news_last():
    """The mail and the pages follow config.toml."""
    settings = load_settings(SHIPPED)
    digest = settings.digests[0]
    assert tuple(settings.theme_names) == (*settings.theme_keys, OTHER)
    assert settings.digest_themes(digest) == (*settings.theme_keys, OTHER)
    chosen = digest.model_copy(update={"themes": (OTHER, "youth", "drugs")})
    assert settings.digest_themes(chosen) == ("drugs", "youth", OTHER)


def test_a_theme_without_a_colour_gets_one_of_its_own():
    """Two themes that the operator adds do not look alike."""
    settings = load_settings(SHIPPED)
    bare = settings.themes[0].model_copy(update={"colour": None, "colour_dark": None})
    themes = [bare.model_copy(update={"name": name}) for name in ("drugs", "trade", "water")]
    names = settings.model_copy(update={"themes": tuple(themes)}).theme_names
    assert (names["drugs"].colour, names["drugs"].colour_dark) == PALETTE["drugs"]
    assert len({name.colour for name in names.values()}) == 4


def test_a_secret_comes_from_the_environment_else_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Both ways of a container and of a service manager work; an empty one counts as unset."""
    file = tmp_path / "secret"
    file.write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("DESK_SECRET", "from the environment")
    assert secret(env="DESK_SECRET", file=file) == "from the environment"
    monkeypatch.setenv("DESK_SECRET", "")
    assert secret(env="DESK_SECRET", file=file) == "from the file"
    assert secret(env=None, file=tmp_path / "missing") is None
    assert secret(env=None, file=None) is None

"""docs/configuration.md has every setting, with its default and limits."""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le

from tests.settings_keys import EVERY, UNITS, Setting, every_setting

PAGE = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")


def rows() -> dict[tuple[str, str], list[str]]:
    """The cells of each key's line, by table and key: meaning, default, unit, allowed."""
    lines: dict[tuple[str, str], list[str]] = {}
    table = ""
    for line in PAGE.splitlines():
        if heading := re.fullmatch(r"## \[+([a-z_.]+)\]+", line):
            table = heading[1]
        elif line.startswith("| `"):
            key, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            lines[table, key.strip("`")] = cells
    return lines


ROWS = rows()


def limits(annotation: Any, metadata: list[Any]) -> list[str]:
    """The limits of the type, in the page's words: choices as code, numbers as they are."""
    nested = [limits(one, list(getattr(one, "__metadata__", ()))) for one in get_args(annotation)]
    texts = [text for inner in nested for text in inner]
    if get_origin(annotation) is Literal:
        texts += [f"`{choice}`" for choice in get_args(annotation)]
    for limit in metadata:
        match limit:
            case Gt(gt=bound):
                texts.append(f"above {bound:g}")
            case Ge(ge=bound) | Le(le=bound):
                texts.append(f"{bound:g}")
    return texts


@pytest.mark.parametrize("setting", EVERY)
def test_a_setting_has_its_line(setting: Setting):
    """Meaning, default, unit and limits are those of the program."""
    assert (setting.table, setting.key) in ROWS, "no line in docs/configuration.md"
    meaning, default, unit, allowed = ROWS[setting.table, setting.key]
    assert meaning
    assert allowed
    assert (default == "must be given") is setting.field.is_required()
    if setting.default is not None:
        assert default == f"`{setting.default}`"
    suffix = setting.key.rpartition("_")[2]
    assert unit == UNITS.get(suffix, unit)
    for limit in limits(setting.field.annotation, setting.field.metadata):
        assert re.search(rf"{re.escape(limit)}(?!\d)", allowed), f"{limit} is missing"


def test_no_line_is_of_a_removed_setting():
    """The page has no unknown key."""
    assert set(ROWS) == {(setting.table, setting.key) for setting in every_setting()}

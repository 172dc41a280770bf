"""docs/configuration.md is made from config.toml, and has every setting with its default and limits."""

import re
import runpy
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le

from tests.desks import CONFIG, ROOT
from tests.settings_keys import EVERY, UNITS, Setting, every_setting

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "configuration_page"))


def rows() -> dict[tuple[str, str], list[str]]:
    """The cells of each key's line, by table and key: meaning, default, allowed."""
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
    """Default, unit and limits are those of the program."""
    assert (setting.table, setting.key) in ROWS, "no line in docs/configuration.md"
    meaning, default, allowed = ROWS[setting.table, setting.key]
    assert meaning
    assert allowed
    assert (default == "must be given") is setting.field.is_required()
    if setting.default is not None:
        assert default == f"`{setting.default}`"
    suffix = setting.key.rpartition("_")[2]
    assert UNITS.get(suffix, "") in meaning
    for limit in limits(setting.field.annotation, setting.field.metadata):
        assert re.search(rf"{re.escape(limit)}(?!\d)", allowed), f"{limit} is missing"


def test_no_line_is_of_a_removed_setting():
    """The page has no unknown key."""
    assert set(ROWS) == {(setting.table, setting.key) for setting in every_setting()}


def test_the_page_is_what_the_script_makes_of_config_toml():
    """One source of truth: the file that `digest config --all` prints."""
    made = SCRIPT["page"](PAGE, CONFIG.read_text(encoding="utf-8"))
    assert made == PAGE, "next: scripts/configuration_page"


def test_a_table_that_the_page_lacks_is_named():
    """A new table of config.toml needs its heading, and its sentence."""
    with pytest.raises(SystemExit, match=r"no heading with a table for \[prune\]"):
        SCRIPT["page"]("# Configuration\n", "[prune]\nbounce_days = 90  # days; default 90\n")

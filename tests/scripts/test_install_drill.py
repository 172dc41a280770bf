"""scripts/install-drill types what the page says; here, whether it finds the commands."""

import runpy
import subprocess

import pytest

from tests.desks import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "install-drill"))
PAGE = SCRIPT["read_pages"]()


def test_the_drill_types_every_command_of_its_sections() -> None:
    """Nobody who follows the page types a line that CI has not tried."""
    for section in SCRIPT["SECTIONS"]:
        text = PAGE.split(f"### {section}\n")[1].split("\n## ")[0].split("\n### ")[0]
        assert text.count("```") == 2 * len(SCRIPT["blocks"](PAGE, section))
    typed = "".join(
        block for section in SCRIPT["SECTIONS"] for block in SCRIPT["blocks"](PAGE, section)
    )
    for needed in (
        " venv ",
        "pip install",
        "useradd",
        "systemctl enable",
        "/feeds/",
        "digest send",
    ):
        assert needed in typed


@pytest.mark.parametrize("section", ["Nowhere", "Watching it"])
def test_a_section_without_commands_is_told(section: str) -> None:
    """A heading that was renamed does not make the drill pass by doing nothing."""
    with pytest.raises(SystemExit, match=section):
        SCRIPT["blocks"](PAGE, section)


@pytest.mark.parametrize("name", ["packaging/digest", ".ci/run", "scripts/check"])
def test_a_shell_script_can_be_read(name: str) -> None:
    """Scripts that only run as root, or in CI, at least parse."""
    words = ["bash", "-n", str(ROOT / name)]
    assert subprocess.run(words, capture_output=True, check=False, text=True).stderr == ""

"""The pictures of the README show the mail as it is."""

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "pictures"))


def test_the_pictures_are_of_these_templates() -> None:
    """Where it fails, run scripts/pictures and look at what it made."""
    assert SCRIPT["MARK"].read_text("utf-8") == SCRIPT["made_from"]()

"""Every import is declared, and every dependency has its line in docs/decisions.md."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> list[str]:
    """Bare names of distributions, as PEP 503 compares them."""
    bare = [re.match(r"[\w.-]+", requirement)[0] for requirement in requirements]
    return [re.sub(r"[-_.]+", "-", name).lower() for name in bare]


CORE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(wanted) for extra, wanted in PROJECT["optional-dependencies"].items()}
AT_RUN_TIME = {*CORE, *(n for extra in EXTRAS.keys() - {"test", "dev"} for n in EXTRAS[extra])}
EVERY = dict.fromkeys([*CORE, *(name for extra in EXTRAS.values() for name in extra)])


def test_every_import_is_declared():
    """The package uses no library that is only on a developer's machine."""
    graph = grimp.build_graph("digest", include_external_packages=True, cache_dir=None)
    installed = packages_distributions()
    undeclared = {
        module
        for module in graph.modules
        if graph.is_module_squashed(module)
        and module not in sys.stdlib_module_names
        and not AT_RUN_TIME & set(names(installed.get(module, [module])))
    }
    assert undeclared == set()


@pytest.mark.parametrize("name", [name for name in EVERY if name != names([PROJECT["name"]])[0]])
def test_every_dependency_says_what_it_is_for(name: str):
    """Its line in docs/decisions.md says what for, why this one, and its size."""
    page = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ") and line.count("|") == 5]
    rows = {names([line.split("|")[1].strip()])[0]: line for line in lines}
    assert name in rows
    assert all(cell.strip() for cell in rows[name].split("|")[1:-1])

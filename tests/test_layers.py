"""Imports run one way, and every contract catches one that does not."""

import ast
import copy
import re
from itertools import pairwise, permutations, product
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter import Contract
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

TYPES: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
}
RULES: dict[str, Any] = read_configuration(str(Path(__file__).parents[1] / "pyproject.toml"))
CONTRACTS: dict[str, dict[str, Any]] = {rule["id"]: rule for rule in RULES["contracts_options"]}
LAYERS = [
    [f"digest.{package.strip()}" for package in layer.split("|")]
    for layer in CONTRACTS["layers"]["layers"]
]
UPWARDS = [pair for upper, lower in pairwise(LAYERS) for pair in product(lower, upper)]
SIDEWAYS = [pair for packages in LAYERS for pair in permutations(packages, 2)]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import of the package."""
    return grimp.build_graph("digest", include_external_packages=True, cache_dir=None)


def is_kept(contract: str, graph: grimp.ImportGraph) -> bool:
    options = CONTRACTS[contract]
    rule = TYPES[options["type"]](options["name"], RULES["session_options"], options)
    return bool(rule.check(copy.deepcopy(graph), verbose=False).kept)


def with_import(graph: grimp.ImportGraph, importer: str, imported: str) -> grimp.ImportGraph:
    changed = copy.deepcopy(graph)
    changed.add_module(importer)
    changed.add_module(imported, is_squashed=not imported.startswith("digest."))
    changed.add_import(importer=importer, imported=imported, line_number=1, line_contents="")
    return changed


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_package_keeps_every_contract(contract: str, graph: grimp.ImportGraph):
    """No import breaks a contract."""
    assert is_kept(contract, graph)


@pytest.mark.parametrize(("importer", "imported"), [*UPWARDS, *SIDEWAYS])
def test_an_import_upwards_or_sideways_is_caught(
    importer: str, imported: str, graph: grimp.ImportGraph
):
    """Every package imports neither the one above it nor the one beside it."""
    assert not is_kept("layers", with_import(graph, importer, imported))


def test_a_package_without_a_place_is_caught(graph: grimp.ImportGraph):
    """A new package needs its place in the layers first."""
    changed = copy.deepcopy(graph)
    changed.add_module("digest.utils")
    assert not is_kept("layers", changed)


@pytest.mark.parametrize("module", CONTRACTS["pure"]["source_modules"])
def test_a_pure_module_that_reads_the_clock_is_caught(module: str, graph: grimp.ImportGraph):
    """Every module in the contract exists and is checked."""
    assert module in graph.modules
    assert not is_kept("pure", with_import(graph, module, "time"))


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [
        pytest.param("pure", "digest.editions.schedule", "digest.store", id="deciding asks no store"),
        pytest.param("pure", "digest.editions.schedule", "sqlite_utils", id="nor a database"),
        pytest.param("pure", "digest.sources.documents", "httpx2", id="parsing has no network"),
        pytest.param("pure", "digest.feeds.formats", "digest.store.files", id="feeds are bytes before they are files"),
        pytest.param("pure", "digest.feeds.items", "subprocess", id="feeds start no programs"),
        pytest.param("pure", "digest.editions.mail", "digest.mail.smtp", id="rendering sends nothing"),
        pytest.param("pure", "digest.mail.mime", "random", id="a message has no chance in it"),
        pytest.param("pure", "digest.language.text", "time", id="text has no clock"),
        pytest.param("network", "digest.sources.folder", "socket", id="a folder is no network"),
        pytest.param("network", "digest.cli.main", "httpx2", id="a command fetches nothing itself"),
        pytest.param("network", "digest.editions.mail", "aiosmtplib", id="rendering has no network"),
        pytest.param("sql", "digest.cli.articles", "sqlite_utils", id="a command sees no database type"),
        pytest.param("sql", "digest.feeds.publish", "sqlite3", id="nor does a verb"),
        pytest.param("sql", "digest.sources.store", "sqlite_utils", id="nor a package's own SQL"),
        pytest.param("circles", "digest.store.database", "digest.store.articles", id="no circle in a package"),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_caught(
    contract: str, importer: str, imported: str, graph: grimp.ImportGraph
):
    """Effects are only where they are allowed."""
    assert not is_kept(contract, with_import(graph, importer, imported))


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        pytest.param("digest.sources.fetch", "httpx2", id="the fetcher has the network"),
        pytest.param("digest.mail.smtp.connection", "aiosmtplib", id="the mailer has the network"),
        pytest.param("digest.sources.ingest", "digest.sources.fetch", id="a verb uses the fetcher"),
        pytest.param("digest.editions.deliver", "digest.mail.smtp", id="a verb uses the mailer"),
    ],
)
def test_an_allowed_import_is_not_caught(importer: str, imported: str, graph: grimp.ImportGraph):
    """The contracts allow modules that are still to come."""
    changed = with_import(graph, importer, imported)
    assert [contract for contract in CONTRACTS if not is_kept(contract, changed)] == []


SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|WITH)\s")
STORES = re.compile(
    r"store/|\w+/store\.py|editions/deliveries\.py|audience/(?:suppressions|evidence)\.py"
)
SQLITE_ONLY = re.compile(
    r"(?i)INDEXED BY|INSERT OR|\browid\b|\b(strftime|julianday|unixepoch)\(|\bdatetime\('"
)
KNOWS_SQLITE = re.compile(r"store/(database|backups)\.py")


@pytest.mark.parametrize(
    ("sql", "allowed"),
    [
        pytest.param(SQL, STORES, id="tables are seen in stores only"),
        pytest.param(SQLITE_ONLY, KNOWS_SQLITE, id="elsewhere SQL that other databases take"),
    ],
)
def test_sql_is_where_it_belongs(sql: re.Pattern[str], allowed: re.Pattern[str]):
    """Import-linter does not see strings."""
    package = Path(__file__).parents[1] / "digest"
    misplaced = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and SQL.match(text) and sql.search(text):
                name = path.relative_to(package).as_posix()
                misplaced += [] if allowed.match(name) else [(name, node.lineno)]
    assert misplaced == []

"""The house holds: imports run one way, and every contract would notice one that does not."""

import copy
from itertools import pairwise, permutations, product
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter import Contract
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

TYPES: dict[str, type[Contract]] = {"forbidden": ForbiddenContract, "layers": LayersContract}
RULES: dict[str, Any] = read_configuration(str(Path(__file__).parents[1] / "pyproject.toml"))
CONTRACTS: dict[str, dict[str, Any]] = {rule["id"]: rule for rule in RULES["contracts_options"]}
ROOMS = [
    [f"digest.{room.strip(' ()')}" for room in layer.split("|")]
    for layer in CONTRACTS["house"]["layers"]
]
UPWARDS = [pair for upper, lower in pairwise(ROOMS) for pair in product(lower, upper)]
SIDEWAYS = [pair for rooms in ROOMS for pair in permutations(rooms, 2)]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom in the package as it is."""
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
    """No import runs against the order of the house."""
    assert is_kept(contract, graph)


@pytest.mark.parametrize(("importer", "imported"), [*UPWARDS, *SIDEWAYS])
def test_an_import_upwards_or_sideways_is_noticed(
    importer: str, imported: str, graph: grimp.ImportGraph
):
    """For every room: not the one above it, not the one beside it."""
    assert not is_kept("house", with_import(graph, importer, imported))


def test_a_room_that_nobody_has_placed_is_noticed(graph: grimp.ImportGraph):
    """A new module must be given its place in the house."""
    changed = copy.deepcopy(graph)
    changed.add_module("digest.utils")
    assert not is_kept("house", changed)


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [
        pytest.param("effects", "digest.sources.documents", "digest.sources.folder", id="parsing reads no folder"),
        pytest.param("effects", "digest.sources.documents", "digest.sources.fetch", id="parsing fetches nothing"),
        pytest.param("effects", "digest.feeds.atom_rss", "digest.feeds.files", id="feeds are bytes before they are files"),
        pytest.param("effects", "digest.mail.render", "digest.mail.smtp", id="rendering sends nothing"),
        pytest.param("pure", "digest.editorial.window", "digest.store", id="deciding does not ask the store"),
        pytest.param("pure", "digest.editorial.window", "sqlite_utils", id="nor the database"),
        pytest.param("pure", "digest.sources.documents", "httpx2", id="parsing has no network"),
        pytest.param("pure", "digest.sources.folder", "socket", id="a folder is no network"),
        pytest.param("pure", "digest.feeds.jsonfeed", "subprocess", id="feeds start no programs"),
        pytest.param("pure", "digest.mail.render", "aiosmtplib", id="rendering has no network"),
        pytest.param("pure", "digest.mail.message", "random", id="a message has no chance in it"),
        pytest.param("pure", "digest.prose", "time", id="nothing pure has a clock"),
        pytest.param("sql", "digest.cli.articles", "sqlite_utils", id="a command has no SQL"),
        pytest.param("sql", "digest.publish", "sqlite3", id="a verb has no SQL"),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_noticed(
    contract: str, importer: str, imported: str, graph: grimp.ImportGraph
):
    """Where the effects are is not a matter of taste."""
    assert not is_kept(contract, with_import(graph, importer, imported))


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        pytest.param("digest.sources.fetch", "httpx2", id="the fetcher has the network"),
        pytest.param("digest.mail.smtp.dialogue", "aiosmtplib", id="the mailer has the network"),
        pytest.param("digest.ingest", "digest.sources.fetch", id="a verb uses the fetcher"),
        pytest.param("digest.deliver", "digest.mail.smtp", id="a verb uses the mailer"),
    ],
)
def test_what_has_effects_by_trade_may_have_them(
    importer: str, imported: str, graph: grimp.ImportGraph
):
    """The contracts do not get in the way of rooms that are still to come."""
    changed = with_import(graph, importer, imported)
    assert [contract for contract in CONTRACTS if not is_kept(contract, changed)] == []

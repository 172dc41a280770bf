"""A restore drill with the commands of docs/trouble.md: a backup made while the newsroom works is sound
in another place, and mails nobody there until it is activated."""

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.desks import ROOT, Desk, make_desk
from tests.journeys.crashing import sender
from tests.journeys.relay import Relay, relaying
from tests.journeys.serving import Running, service
from tests.mailing import Office, use_smtp

pytestmark = pytest.mark.drill
PAGE = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
DRILL = runpy.run_path(str(ROOT / "scripts" / "install-drill"))
RECIPIENTS = 160
PROGRAM = "/opt/digest/venv/bin/digest"


class Operator:
    """Types the page's commands, with the folders of the test for /srv/newsroom and /srv/drill."""

    def __init__(self, desk: Desk, drill: Path, folder: Path) -> None:
        self.places = {"/srv/newsroom": desk.folder, "/srv/drill": drill, PROGRAM: "digest"}
        program = folder / "bin" / "digest"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m digest "$@"\n')
        program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DIGEST_CONFIG": str(desk.config),
        }

    def type(self, commands: str, answer: str = "") -> str:
        """What the commands print."""
        for place, here in self.places.items():
            commands = commands.replace(place, str(here))
        screen = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment,
        )
        assert screen.returncode == 0, screen.stdout + screen.stderr
        return screen.stdout


@dataclass
class Drilled:
    """A newsroom that was copied while it worked, and the place where the copy was tried."""

    desk: Desk
    drill: Desk
    operator: Operator
    relay: Relay
    copied: dict[str, int]


def copy_under_load(desk: Desk, relay: Relay, running: Running, operator: Operator) -> None:
    """The page's backup, while a sender is in the middle of an edition and new copy arrives."""
    relay.seconds = 0.1
    with sender(desk) as sending:
        relay.wait_for_messages(10)
        for n in range(20):
            text = f"Customs news {n}\n\nOfficers found drugs in lorry {n} on 20 November 2026.\n"
            (desk.seeds / f"late-{n}.txt").write_text(text, "utf-8")
        operator.type("digest backup")
        assert sending.poll() is None
        relay.seconds = 0.0
        output, errors = sending.communicate(timeout=60)
        assert sending.returncode == 0, output + errors
    running.until_added()


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory, ingested_store: Path) -> Iterator[Drilled]:
    """The page's drill, typed once, after a backup under load."""
    folder = tmp_path_factory.mktemp("restore")
    desk, drill = make_desk(folder / "newsroom", ingested_store), Desk(folder / "drill")
    desk.configure(
        ingest_every_minutes="0.01",
        lease_seconds="3.0",
        send="false",
        base_url='"https://desk.test"',
    )
    with desk.open() as db:
        Office(desk, db).add(*[f"r{n}@reader.example" for n in range(RECIPIENTS)])
    operator = Operator(desk, drill.folder, folder)
    [restore, _] = DRILL["blocks"](PAGE, "Trying a restore")
    with relaying(Relay()) as relay:
        use_smtp(desk, relay.port)
        desk.configure(data_timeout_seconds="30.0", command_timeout_seconds="30.0")
        with service(desk) as running:
            copy_under_load(desk, relay, running, operator)
            assert " 0 wrong" in operator.type(restore)
        copied = drill.json("editions", "show", "1")["deliveries"]
        yield Drilled(desk, drill, operator, relay, copied)


def test_a_backup_under_load_is_of_one_moment(drilled: Drilled) -> None:
    """In the middle of an edition: its counts balance, and the newsroom itself continued unharmed."""
    assert drilled.drill.json("editions", "show", "1")["balanced"]
    assert 0 < drilled.copied["sent"] < RECIPIENTS
    assert drilled.copied["queued"] > 0
    assert drilled.desk.json("editions", "show", "1")["deliveries"] == {"sent": RECIPIENTS}
    assert list((drilled.drill.folder / "preview").glob("*.eml"))


def test_a_restored_copy_mails_nobody_until_it_is_activated(drilled: Drilled) -> None:
    """The clone guard: the newsroom that it was copied from may be sending, too. The steps of the page
    before `digest activate` keep everybody from a second mail."""
    drill = drilled.drill
    refused = drill.run("send", "--yes")
    assert refused.exit_code == 1
    assert "digest activate" in refused.stderr
    assert drill.run("editions", "hold", "1").exit_code == 0
    assert drill.run("activate", "--hold").exit_code == 0
    assert drill.run("send", "--yes").exit_code == 0
    assert set(drilled.relay.taken.values()) == {1}
    assert drill.run("editions", "cancel", "1").exit_code == 0
    assert drill.json("editions", "show", "1")["balanced"]


def test_the_old_place_is_restored_by_the_page(drilled: Drilled) -> None:
    """The old files are kept; it, too, sends only when activated."""
    [restore] = DRILL["blocks"](PAGE, "Restoring")
    assert " 0 wrong" in drilled.operator.type(restore, answer="y\n")
    assert len(list(drilled.desk.folder.glob("digest-before-*.db"))) == 1
    assert drilled.desk.json("editions", "show", "1")["deliveries"] == drilled.copied
    assert drilled.desk.run("send", "--yes").exit_code == 1
    assert drilled.relay.taken.total() == RECIPIENTS

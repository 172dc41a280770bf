"""The running service notifies its operator once, whatever else runs and whatever fails."""

import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from digest.mail.tokens import EXAMPLE_ADDRESS
from tests.desks import Desk
from tests.hooks import Hook, running_hook
from tests.journeys.returns import make_maildir
from tests.journeys.serving import Running, service
from tests.journeys.submission import submitting
from tests.mail.fault_server import HANG, FaultServer
from tests.mail.fault_server import running as running_server
from tests.mailing import use_smtp

pytestmark = pytest.mark.drill


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with running_server(FaultServer()) as running:
        yield running


@pytest.fixture
def watched(desk: Desk, hook: Hook, server: FaultServer) -> Desk:
    """A desk whose service checks each second, and notifies at once, by mail and by webhook."""
    use_smtp(desk, server.port)
    desk.configure(
        lease_seconds="3.0", every_minutes="0.02", after_minutes="0.0", quiet_minutes="0.0"
    )
    (desk.folder / "hook").write_text(hook.url)
    named = '[alarms]\nmail_to = ["operator@news.example.org"]\nwebhook_file = "hook"'
    desk.edit_config("[alarms]\nmail_to = []", named)
    return desk


def events(hook: Hook) -> list[tuple[str, str]]:
    return [(body["event"], body["key"]) for _, body in hook.taken]


def until_notified(running: Running, messages: int = 2) -> None:
    """Until this many more messages were accepted, in any number of checks."""
    while messages > 0:
        messages -= running.until("watch").get("told", 0)


@contextlib.contextmanager
def two_services(desk: Desk) -> Iterator[tuple[Running, Running]]:
    """One that leads and one that waits."""
    with service(desk) as first:
        first.until("read")
        with service(desk) as second:
            second.until("waiting")
            yield first, second


def test_the_operator_is_notified_when_trouble_begins_and_when_it_ends(
    watched: Desk, hook: Hook, server: FaultServer
) -> None:
    """Once by each channel, although two services run; the log names no address and no token."""
    away = watched.folder / "elsewhere"
    with two_services(watched) as (first, second):
        watched.seeds.rename(away)
        until_notified(first)
        away.rename(watched.seeds)
        until_notified(first)
    assert events(hook) == [("begun", "source seeds"), ("over", "source seeds")]
    assert server.taken == ["operator@news.example.org"] * 2
    log = str([*first.log, *second.log])
    assert "operator@" not in log
    assert "token=abc" not in log


def test_a_database_that_cannot_be_used_is_reported(
    watched: Desk, hook: Hook, server: FaultServer
) -> None:
    """Even while the lease cannot be renewed; and again when work goes on."""
    watched.configure(busy_timeout_seconds="0.2")
    with service(watched) as running:
        running.until("read")
        with watched.open() as db, db.write():
            until_notified(running)
            assert running.get("/healthz")[0] == 200
        until_notified(running)
    assert events(hook) == [("begun", "database"), ("over", "database")]
    assert "another process is writing" in hook.taken[0][1]["said"]
    assert len(server.messages) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_leader_that_is_stopped_while_it_sends_is_named(
    watched: Desk, hook: Hook, server: FaultServer
) -> None:
    """The waiting service leads, cannot send, and says who is in the way; once that one goes on, it does
    nothing as a leader, and nobody is mailed twice.
    """
    server.acts["asleep"] = ("end", HANG)
    watched.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    for address in ("asleep.0@reader.example", "awake.0@reader.example"):
        assert watched.run("recipients", "add", address).exit_code == 0
    watched.configure(
        schedule='"* * * * *"', send_every_minutes="0.02", data_timeout_seconds="60.0"
    )
    with two_services(watched) as (first, second):
        with watched.open() as db:
            handed = "SELECT 1 FROM deliveries WHERE status = 'handed'"
            while db.value(handed) is None and first.process.poll() is None:
                pass
            with db.write():  # so it is not stopped in a write
                first.process.send_signal(signal.SIGSTOP)
        second.until("leading")
        while "sender" not in second.until("watch").get("raised", ()):
            pass
        said = f"Mail waits for process {first.process.pid}, which began to send at"
        status, _, body = second.watch("/readyz")
        assert (status, said in json.loads(body)["faults"]["sender"]) == (503, True)
        assert said in watched.run("status").stdout
        first.process.send_signal(signal.SIGCONT)
        first.until("no longer leading")
        first.process.kill()
        later = [json.loads(line)["event"] for line in first.process.stderr]
        assert first.process.wait(20)
        while not second.until("send").get("recovered"):
            pass
    assert set(later) <= {"send"}
    assert sorted(one for one in server.taken if "reader" in one) == [
        "asleep.0@reader.example",
        "awake.0@reader.example",
    ]
    assert ("begun", "sender") in events(hook)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_leader_that_is_stopped_in_a_write_is_named(watched: Desk, hook: Hook) -> None:
    """The waiting service cannot take over: it says so, and that the leader may be stopped."""
    watched.configure(busy_timeout_seconds="1.0")
    watched.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    with two_services(watched) as (first, second):
        with watched.open() as db, db.write():  # stands for the write in which it is stopped
            first.process.send_signal(signal.SIGSTOP)
            until_notified(second)
            assert "lease" in json.loads(second.watch("/readyz")[2])["faults"]
        first.process.send_signal(signal.SIGCONT)
        until_notified(second)
    taken = [body for _, body in hook.taken if body["key"] == "database"]
    assert [one["event"] for one in taken] == ["begun", "over"]
    assert f"process {first.process.pid} led until 2" in taken[0]["said"]


def test_both_mails_pass_a_submission_server(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, over STARTTLS with a login, as mail providers require."""
    desk.configure(mail_to=f'["{EXAMPLE_ADDRESS}"]', after_minutes="0.0")
    assert desk.run("ingest").exit_code == 0  # today, so that no past edition is late
    with desk.open() as db:
        db.run("UPDATE meta SET value = '2020-01-01T00:00:00.000000Z' WHERE key = 'created_at'")
    desk.seeds.rename(desk.folder / "elsewhere")
    with submitting(desk, monkeypatch) as server:
        assert desk.run("alarms", "check").exit_code == 1  # there is trouble
        assert desk.run("report", "send").exit_code == 0
    (alarm_from, alarm_to, alarm), (desk_from, desk_to, week) = server.mails
    assert (alarm_to, desk_to) == (EXAMPLE_ADDRESS, EXAMPLE_ADDRESS)
    assert alarm_from.startswith("bounces+alarm-")
    assert desk_from.startswith("bounces+desk-")
    assert message_from_bytes(alarm)["Subject"] == "Ashgabat Desk: Alarm: source seeds"
    assert message_from_bytes(week).get_content_type() == "multipart/alternative"


def test_a_verb_that_fails_repeatedly_is_reported(watched: Desk, hook: Hook) -> None:
    """Known only in the service's memory: three failures in a row, and the first success after."""
    shutil.rmtree(watched.folder / "bounces")
    watched.configure(bounces_every_minutes="0.01")
    with service(watched) as running:
        until_notified(running)
        make_maildir(watched.folder / "bounces")
        until_notified(running)
    assert events(hook) == [("begun", "verb bounces"), ("over", "verb bounces")]
    assert "is not a maildir" in hook.taken[0][1]["said"]

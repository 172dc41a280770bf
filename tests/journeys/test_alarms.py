"""The running service tells its operator: once, whoever else runs, and whatever fails."""

from collections.abc import Iterator

import pytest

from tests.desks import Desk
from tests.hooks import Hook, running_hook
from tests.journeys.serving import Running, service
from tests.mail.fault_server import FaultServer
from tests.mail.fault_server import running as running_server
from tests.mailing import use_smtp


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
    """A desk whose service looks each second, and tells at once, by mail and by webhook."""
    use_smtp(desk, server.port)
    desk.configure(
        lease_seconds="3.0", every_minutes="0.02", after_minutes="0.0", quiet_minutes="0.0"
    )
    (desk.folder / "hook").write_text(hook.url)
    text = desk.config.read_text("utf-8")
    named = '[alarms]\nmail_to = ["operator@news.example.org"]\nwebhook_file = "hook"'
    desk.config.write_text(text.replace("[alarms]\nmail_to = []", named), "utf-8")
    return desk


def events(hook: Hook) -> list[tuple[str, str]]:
    return [(body["event"], body["key"]) for _, body in hook.taken]


def until_told(running: Running, messages: int) -> None:
    """Until so many messages more were taken, by whatever ticks."""
    while messages > 0:
        messages -= running.until("watch").get("told", 0)


def test_the_operator_hears_of_a_trouble_and_of_its_end(
    watched: Desk, hook: Hook, server: FaultServer
) -> None:
    """Once by each way, although two services run; and no line of the log names whom or where."""
    away = watched.folder / "elsewhere"
    with service(watched) as first:
        first.until("read")
        with service(watched) as second:
            second.until("waiting")
            watched.seeds.rename(away)
            until_told(first, 2)
            away.rename(watched.seeds)
            until_told(first, 2)
            assert second.end() == 0
        assert first.end() == 0
    assert events(hook) == [("begun", "source seeds"), ("over", "source seeds")]
    assert server.taken == ["operator@news.example.org"] * 2
    log = str([*first.told, *second.told])
    assert "operator@" not in log
    assert "token=abc" not in log


def test_a_database_that_cannot_be_used_is_told(
    watched: Desk, hook: Hook, server: FaultServer
) -> None:
    """While nobody can even renew the lease; and once more when it goes on."""
    watched.configure(busy_timeout_seconds="0.2")
    with service(watched) as running:
        running.until("read")
        with watched.open() as db, db.write():
            until_told(running, 2)
            assert running.get("/healthz")[0] == 200
        until_told(running, 2)
        assert running.end() == 0
    assert events(hook) == [("begun", "database"), ("over", "database")]
    assert "another process is writing" in hook.taken[0][1]["said"]
    assert len(server.messages) == 2

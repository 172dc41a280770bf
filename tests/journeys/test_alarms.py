"""The running service tells its operator: once, whoever else runs, and whatever fails."""

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from digest.editions.preview import EXAMPLE_ADDRESS
from tests.desks import Desk
from tests.hooks import Hook, running_hook
from tests.journeys.serving import Running, service
from tests.journeys.submission import LOGIN_WORD, USER, VARIABLE, submitting
from tests.mail.certificates import write_certificate
from tests.mail.fault_server import FaultServer
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


def test_both_mails_pass_a_submission_server(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, over STARTTLS with a login, as a mail server of the trade takes them."""
    monkeypatch.setenv(VARIABLE, LOGIN_WORD)
    desk.configure(mail_to=f'["{EXAMPLE_ADDRESS}"]', after_minutes="0.0")
    assert desk.run("ingest").exit_code == 0  # now, so that no edition of the past is late
    with desk.open() as db:
        db.run("UPDATE meta SET value = '2020-01-01T00:00:00.000000Z' WHERE key = 'created_at'")
    desk.seeds.rename(desk.folder / "elsewhere")
    certificate = write_certificate(tmp_path_factory.mktemp("tls"), "localhost")
    with submitting(certificate) as server:
        use_smtp(
            desk,
            server.port,
            host="localhost",
            tls="starttls",
            ca_file=certificate,
            username=USER,
            password_env=VARIABLE,
        )
        assert desk.run("alarms", "check").exit_code == 1  # there is trouble
        assert desk.run("report", "send").exit_code == 0
    (alarm_from, alarm_to, alarm), (desk_from, desk_to, week) = server.mails
    assert (alarm_to, desk_to) == (EXAMPLE_ADDRESS, EXAMPLE_ADDRESS)
    assert alarm_from.startswith("bounces+alarm-")
    assert desk_from.startswith("bounces+desk-")
    assert message_from_bytes(alarm)["Subject"] == "Ashgabat Desk: Alarm: source seeds"
    assert message_from_bytes(week).get_content_type() == "multipart/alternative"


def test_a_verb_that_fails_again_and_again_is_told(watched: Desk, hook: Hook) -> None:
    """What only the service's memory knows: three failures in a row, and the first success after."""
    place = watched.folder / "bounces"
    text = watched.config.read_text("utf-8")
    watched.config.write_text(text.replace('# bounces = "bounces"', 'bounces = "bounces"'), "utf-8")
    watched.configure(bounces_every_minutes="0.01")
    with service(watched) as running:
        until_told(running, 2)
        for folder in ("tmp", "new", "cur"):
            (place / folder).mkdir(parents=True)
        until_told(running, 2)
        assert running.end() == 0
    assert events(hook) == [("begun", "verb bounces"), ("over", "verb bounces")]
    assert "is not a maildir" in hook.taken[0][1]["said"]

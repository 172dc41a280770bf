"""An operator is notified of a trouble once when it has lasted, and once more when it is over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from digest.errors import NotReadyError
from digest.mail.notices import Ways
from digest.mail.outgoing import Kind, Transport
from digest.mail.smtp.transport import SmtpTransport
from digest.model import Trouble
from digest.newsroom import Newsroom
from digest.service.alarms import (
    AlarmReport,
    DatabaseAlarm,
    list_alarms,
    send_alarms,
    update_alarms,
)
from digest.service.troubles import find_troubles
from digest.store.database import Database
from tests.desks import CONFIG, Desk, opened
from tests.hooks import Hook, running_hook
from tests.mail.fault_server import HANG, FaultServer
from tests.mailing import HASTE, mails, use_smtp

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OPERATOR, OTHER = "operator.one@news.example.org", "new@news.example.org"
RELAY = Trouble(
    "relay", "Mail is deferred by relay.test:25: 451 later.", START, "Next: digest doctor."
)
NOBODY, NAMED = "[alarms]\nmail_to = []", f'[alarms]\nmail_to = ["{OPERATOR}"]'
LATER = ("rcpt", "451 4.3.0 not now")


@dataclass
class Post:
    """A desk with its alarms, on a clock that the test moves."""

    desk: Desk
    db: Database
    now: datetime = START
    transport: Callable[[], Transport] | None = None

    def ways(self) -> Ways:
        settings = self.desk.settings
        transport = self.transport or (lambda: SmtpTransport(settings.mail, patience=HASTE))
        return Ways(settings, transport, signer=lambda: None)

    def newsroom(self, db: Database | None = None) -> Newsroom:
        return opened(db or self.db, self.desk.settings, ways=self.ways(), clock=lambda: self.now)

    def watch(
        self, *troubles: Trouble, minutes: float = 0, sound: tuple[str, ...] = ()
    ) -> AlarmReport:
        """One tick, so much later than the last."""
        self.now += timedelta(minutes=minutes)
        report = update_alarms(self.newsroom(), troubles, self.now, sound=sound)
        send_alarms(self.newsroom(), report)
        return report

    def messages(self) -> list[tuple[str, str, str, int]]:
        """Of every alarm: occasion, place, status, attempts."""
        return [
            (one["occasion"], one["place"], one["status"], one["attempts"])
            for row in reversed(list_alarms(self.db, 100))
            for one in row["messages"]
        ]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


@pytest.fixture
def post(desk: Desk, server: FaultServer, hook: Hook) -> Iterator[Post]:
    """A desk that notifies its operator by mail and by webhook."""
    use_smtp(desk, server.port)
    (desk.folder / "hook").write_text(hook.url)
    desk.edit_config(NOBODY, f'{NAMED}\nwebhook_file = "hook"')
    with desk.open() as db:
        yield Post(desk, db)


@pytest.fixture(scope="module")
def desk_of_one(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with one operator, for many ticks one after the other."""
    made = Desk(tmp_path_factory.mktemp("watch"))
    made.config.write_text((CONFIG).read_text("utf-8"), "utf-8")
    made.edit_config(NOBODY, NAMED)
    return made


def events(hook: Hook) -> list[str]:
    return [body["event"] for _, body in hook.taken]


def test_a_trouble_is_notified_once_and_once_more_when_it_is_over(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """However often the service checks."""
    for _ in range(20):
        post.watch(RELAY, minutes=2)
    assert (len(server.messages), events(hook)) == (1, ["begun"])
    for _ in range(30):
        post.watch(minutes=2)
    begun, over = mails(server)
    assert events(hook) == ["begun", "over"]
    assert begun["Subject"] == "Ashgabat Desk: Alarm: relay"
    assert over["Subject"] == "Ashgabat Desk: Over: relay"
    assert (begun["To"], begun["Auto-Submitted"]) == (OPERATOR, "auto-generated")
    text = begun.get_content()
    assert "deferred by relay.test:25: 451 later." in text
    assert "Since 2026-11-23 08:00 (Asia/Ashgabat)." in text
    assert "Next: digest doctor." in text
    assert (
        "It lasted from 2026-11-23 08:00 (Asia/Ashgabat) to 2026-11-23 08:42" in over.get_content()
    )
    assert begun["Message-ID"] != over["Message-ID"]
    assert hook.taken[0][1]["text"].startswith("Ashgabat Desk: Alarm: relay. Mail is deferred")


def test_what_passes_by_itself_is_not_notified(post: Post, server: FaultServer, hook: Hook) -> None:
    """A trouble that ends before `after_minutes` wakes nobody, then or later."""
    post.watch(RELAY)
    post.watch(RELAY, minutes=9)
    for _ in range(30):
        post.watch(minutes=2)
    assert (server.messages, hook.taken) == ([], [])
    assert [row["raised_at"] for row in list_alarms(post.db, 9)] == [None]


def test_a_trouble_that_flaps_is_one(post: Post, server: FaultServer, hook: Hook) -> None:
    """Away for less than `quiet_minutes`, it has never gone; away for longer, it is a new one."""
    for _ in range(6):
        post.watch(RELAY, minutes=11)
        post.watch(minutes=11)
    assert events(hook) == ["begun"]
    post.watch(minutes=31)
    assert events(hook) == ["begun", "over"]
    post.watch(Trouble(RELAY.key, RELAY.said, post.now, RELAY.advice))
    post.watch(RELAY, minutes=11)
    assert events(hook) == ["begun", "over", "begun"]
    assert len({one["Message-ID"] for one in mails(server)}) == 3


def test_a_trouble_that_is_found_late_is_notified_at_once(post: Post, hook: Hook) -> None:
    """What has lasted for hours before the service began needs no ten minutes more."""
    post.now += timedelta(hours=3)
    assert post.watch(RELAY).raised == ["relay"]
    assert events(hook) == ["begun"]


def test_each_place_is_notified_by_itself(post: Post, server: FaultServer, hook: Hook) -> None:
    """While no mail server can be used the webhook is notified, and the mail follows later."""
    server.acts["operator"] = LATER
    post.watch(RELAY, minutes=11)
    assert (events(hook), server.messages) == (["begun"], [])
    server.acts.clear()
    assert post.watch(RELAY, minutes=1).sent == 0  # its next try is not due yet
    assert post.watch(RELAY, minutes=1).sent == 1
    hook.status = 500
    for _ in range(16):
        post.watch(minutes=2)
    assert [one["Subject"] for one in mails(server)][-1] == "Ashgabat Desk: Over: relay"
    hook.status = 200
    post.watch(minutes=120)
    assert events(hook)[-1] == "over"
    assert {status for _, _, status, _ in post.messages()} == {"sent"}


def test_a_relay_that_is_away_is_tried_until_it_is_back(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """An operator who could not be notified at first is notified once, that it was and is over."""

    def away() -> Transport:
        raise NotReadyError("the password is not there")

    post.transport = away
    for _ in range(60):
        post.watch(RELAY, minutes=2)
    for _ in range(20):
        post.watch(minutes=2)
    assert events(hook) == ["begun", "over"]
    post.transport = None
    post.watch(minutes=60)
    [only] = mails(server)
    assert only["Subject"] == "Ashgabat Desk: Over: relay"
    assert ("begun", OPERATOR, "failed") in [message[:3] for message in post.messages()]


def test_a_crash_before_the_answer_costs_no_alarm(post: Post, server: FaultServer) -> None:
    """The next try is on disk before the message is handed over: sent twice, with one Message-ID."""
    server.acts["operator"] = ("end", HANG)
    post.watch(RELAY, minutes=11)
    assert post.messages()[1] == ("begun", OPERATOR, "queued", 1)
    server.acts.clear()
    post.watch(RELAY, minutes=2)
    first, second = mails(server)
    assert first["Message-ID"] == second["Message-ID"]
    assert bytes(first) == bytes(second)
    assert post.messages()[1] == ("begun", OPERATOR, "sent", 2)


class DiedError(Exception):
    """The process ends here."""


def test_an_alarm_that_was_never_handed_over_is_sent_by_the_next(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """A process that dies between the row and the message leaves it to the next tick."""

    def dies() -> Transport:
        raise DiedError

    post.transport = dies
    with pytest.raises(DiedError):
        post.watch(RELAY, minutes=11)
    post.transport = None
    post.watch(RELAY, minutes=0.1)
    assert (len(server.messages), events(hook)) == (1, ["begun"])


def test_two_that_check_at_once_notify_once(post: Post, server: FaultServer, hook: Hook) -> None:
    """A command beside the service, or two services whose clocks disagree."""
    post.now += timedelta(minutes=11)
    with post.desk.open() as other:
        for db in (post.db, other):
            update_alarms(post.newsroom(db), [RELAY], post.now)

        def meanwhile() -> Transport:
            post.transport = None
            send_alarms(post.newsroom(other), AlarmReport())
            return SmtpTransport(post.desk.settings.mail, patience=HASTE)

        post.transport = meanwhile
        send_alarms(post.newsroom(), AlarmReport())
    assert (len(server.messages), events(hook)) == (1, ["begun"])


def test_an_operator_who_is_named_later_is_notified_of_what_is_still_open(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """And one who is no longer named hears nothing more."""
    post.watch(RELAY, minutes=11)
    post.desk.edit_config(OPERATOR, OTHER)
    post.watch(RELAY, minutes=2)
    post.watch(minutes=2)
    post.watch(minutes=31)
    assert [one["To"] for one in mails(server)] == [OPERATOR, OTHER, OTHER]
    assert events(hook) == ["begun", "over"]


def test_what_only_the_service_knows_is_not_over_because_a_command_does_not_see_it(
    post: Post, hook: Hook
) -> None:
    """`digest alarms check` beside a service whose verb fails; and a service that has just begun."""
    verb = Trouble("verb send", "It failed.", START, "Next: digest doctor.")
    post.watch(verb, minutes=11)
    for _ in range(20):
        post.watch(minutes=2)
    assert events(hook) == ["begun"]
    post.watch(sound=("verb send",))
    post.watch(sound=("verb send",), minutes=31)
    assert events(hook) == ["begun", "over"]


def test_a_webhook_that_cannot_be_read_holds_up_no_mail(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """For the operator: the mail comes, from the database and from memory, once each."""
    (post.desk.folder / "hook").write_bytes(b"\xff")
    post.watch(RELAY, minutes=11)
    alarm = DatabaseAlarm()
    sent = [
        alarm.check(post.ways(), "the disk is full", START + timedelta(minutes=at), lambda: False)
        for at in (0, 11, 13)
    ]
    assert sent == [0, 1, 0]
    keys = ("relay", "database")
    assert [one["Subject"] for one in mails(server)] == [
        f"Ashgabat Desk: Alarm: {key}" for key in keys
    ]
    assert events(hook) == []


def test_a_clock_that_is_put_back_silences_no_alarm(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """A trouble that began, a deferred message and a trouble that went: none waits for the old time."""
    server.acts["operator"] = LATER
    post.watch(RELAY, minutes=5)
    post.watch(RELAY, minutes=-1440)
    post.watch(RELAY, minutes=11)
    assert (events(hook), server.messages) == (["begun"], [])
    server.acts.clear()
    post.watch(RELAY, minutes=-1440)
    assert len(server.messages) == 1
    post.watch(minutes=1)
    post.watch(minutes=-1440)
    assert events(hook) == ["begun"]
    post.watch(minutes=31)
    assert events(hook) == ["begun", "over"]
    assert len(server.messages) == 2


def test_a_clock_that_is_put_back_silences_no_alarm_about_the_database(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """Sent once it has lasted, and once it has stayed away, by the clock as it is now."""
    alarm = DatabaseAlarm()
    steps: list[tuple[float, str | None]] = [(0, "full"), (-1440, "full"), (11, "full")]
    for minutes, fault in [*steps, (1, None), (-1440, None), (31, None)]:
        post.now += timedelta(minutes=minutes)
        alarm.check(post.ways(), fault, post.now, lambda: False)
    assert events(hook) == ["begun", "over"]
    assert len(server.messages) == 2


def test_that_it_is_over_is_not_tried_for_ever(post: Post, hook: Hook) -> None:
    """Even if nothing else is wrong, a webhook that is gone is left alone after a week."""
    post.watch(RELAY, minutes=11)
    hook.status = 500
    post.watch()
    for _ in range(10):
        post.watch(minutes=1440)
    assert ("over", "webhook", "failed") in [message[:3] for message in post.messages()]
    tried = len(hook.taken)
    post.watch(minutes=1440)
    assert len(hook.taken) == tried


def test_an_operator_who_has_left_does_not_hear_that_it_is_over(
    post: Post, server: FaultServer
) -> None:
    """Even if nothing else is wrong: what is queued goes to nobody who is no longer named."""
    post.watch(RELAY, minutes=11)
    server.acts["operator"] = LATER
    post.watch()
    post.watch(minutes=31)
    server.acts.clear()
    post.desk.edit_config(OPERATOR, OTHER)
    post.watch(minutes=60)
    assert len(server.messages) == 1
    assert ("over", OPERATOR, "failed") in [message[:3] for message in post.messages()]


def test_an_operator_who_is_named_again_is_notified_of_what_is_still_open(
    post: Post, server: FaultServer
) -> None:
    """A place that was removed for a tick, before it was notified, is notified like any other."""
    server.acts["operator"] = LATER
    post.watch(RELAY, minutes=11)
    post.desk.edit_config(f'["{OPERATOR}"]', "[]  # nobody")
    post.watch(RELAY, minutes=2)
    assert ("begun", OPERATOR, "failed") in [message[:3] for message in post.messages()]
    post.desk.edit_config("[]  # nobody", f'["{OPERATOR}"]')
    server.acts.clear()
    for _ in range(3):
        post.watch(RELAY, minutes=2)
    assert [one["To"] for one in mails(server)] == [OPERATOR]


def test_the_webhook_is_neither_stored_nor_shown(post: Post, hook: Hook) -> None:
    """Its address is a secret: neither the database nor what is shown holds it."""
    hook.status = 500
    post.watch(RELAY, minutes=11)
    dump = "\n".join(str(row) for row in list_alarms(post.db, 9))
    assert "answered 500" in dump
    assert "token=abc" not in dump
    shown = post.desk.run("config").output
    assert "token=abc" not in shown
    assert "(hidden)" in shown


def test_a_database_that_fails_is_notified_from_memory(
    post: Post, server: FaultServer, hook: Hook
) -> None:
    """Once, both ways, and once when it can be used again; nothing of it is in the database."""
    alarm, start = DatabaseAlarm(), START

    def tick(minutes: float, fault: str | None) -> int:
        return alarm.check(post.ways(), fault, start + timedelta(minutes=minutes), lambda: False)

    assert [tick(at, "the disk is full") for at in (0, 8, 10, 12, 14)] == [0, 0, 2, 0, 0]
    assert [tick(at, None) for at in (16, 40)] == [0, 0]
    assert [tick(at, fault) for at, fault in ((41, "the disk is full"), (42, None))] == [0, 0]
    hook.status = 500
    assert [tick(at, None) for at in (73, 75)] == [1, 0]
    hook.status = 200
    assert [tick(at, None) for at in (77, 79)] == [1, 0]
    assert [one["Subject"] for one in mails(server)] == [
        "Ashgabat Desk: Alarm: database",
        "Ashgabat Desk: Over: database",
    ]
    assert list_alarms(post.db, 9) == []


def test_a_person_checks_as_the_service_does(desk: Desk) -> None:
    """`digest alarms check` sends what is due; `--dry-run` changes nothing; `list` shows the notices."""
    desk.run("ingest")
    desk.configure(transport='"maildir"', after_minutes="0.0", quiet_minutes="0.0")
    desk.edit_config(NOBODY, NAMED)
    assert desk.run("alarms", "list").stdout.startswith("There has been no alarm.")
    desk.seeds.rename(desk.folder / "elsewhere")
    before = desk.files()
    dry = desk.run("alarms", "check", "--dry-run")
    assert (dry.exit_code, desk.files()) == (1, before)
    assert "source seeds" in dry.stdout
    assert desk.run("alarms", "check").stdout.rstrip().endswith("1 message sent to 1 place.")
    assert len(list((desk.folder / "outbox" / "new").iterdir())) == 1
    assert "1 of 1" in desk.run("alarms", "list").stdout
    (desk.folder / "elsewhere").rename(desk.seeds)
    assert desk.run("alarms", "check").exit_code == 0
    outbox = [path.read_text("ascii") for path in (desk.folder / "outbox" / "new").iterdir()]
    assert sorted("Over: source seeds" in one for one in outbox) == [False, True]
    [row] = desk.json("alarms", "list")
    assert row["closed_at"]
    assert [one["status"] for one in row["messages"]] == ["sent", "sent"]


def test_a_deferred_notice_shows_that_the_relay_refuses(post: Post, server: FaultServer) -> None:
    """While no edition goes out, an alarm that cannot leave is what shows it."""
    post.desk.ingest(START)
    server.acts["operator"] = LATER
    post.watch(Trouble("disk feeds", "Only 3 MB are free.", START, "Make room."), minutes=11)

    def keys() -> list[str]:
        return [one.key for one in find_troubles(opened(post.db, post.desk.settings), post.now)]

    post.now += timedelta(minutes=29)
    assert "relay" not in keys()
    post.now += timedelta(minutes=2)
    assert "relay" in keys()


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=40)


@given(steps=STEPS)
@hypothesis_settings(max_examples=60, deadline=None)
def test_begun_and_over_take_turns(desk_of_one: Desk, steps: list[tuple[bool, int]]) -> None:
    """Whatever comes and goes: no trouble is notified as begun twice running, nor as over before it
    began; none before it has lasted, nor as over before it has stayed away.
    """
    now, present_since, absent_since = START, None, START
    expected: list[Kind] = []
    with desk_of_one.open() as db:
        with db.write():
            for table in ("notices", "alarms"):
                db.run(f"DELETE FROM {table}")  # noqa: S608 - ours
        settings = desk_of_one.settings
        for present, minutes in steps:
            now += timedelta(minutes=minutes)
            if present:
                present_since, absent_since = present_since or now, None
            else:
                absent_since = absent_since or now
            troubles = [replace(RELAY, since=now)] if present else []
            report = update_alarms(opened(db, settings), troubles, now)
            if report.raised:
                assert present_since is not None
                assert now - present_since >= timedelta(minutes=10)
                expected.append(Kind.BEGUN)
            if report.closed:
                assert absent_since is not None
                assert now - absent_since >= timedelta(minutes=30)
                expected.append(Kind.OVER)
            if absent_since is not None and now - absent_since >= timedelta(minutes=30):
                present_since = None
        messages = Post(desk_of_one, db).messages()
    pairs, rest = divmod(len(expected), 2)
    assert expected == [Kind.BEGUN, Kind.OVER] * pairs + [Kind.BEGUN] * rest
    assert [occasion for occasion, *_ in messages] == expected

"""`digest doctor` finds what can go wrong, and `digest send` holds back what it finds wrong."""

import json
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from digest.config.settings import ServerSettings
from digest.mail.smtp.transport import reach
from digest.service.troubles import LEASE
from digest.store.owner import take_lease
from tests.desks import Desk
from tests.mail.fault_server import FaultServer, running
from tests.mailing import Office, sign, use_smtp, write_key


def findings(desk: Desk) -> dict[str, tuple[str, str]]:
    """Grade and words by name."""
    rows = json.loads(desk.run("doctor", "--json").stdout)
    return {row["name"]: (row["grade"], f"{row['said']} {row['advice']}") for row in rows}


def grade(desk: Desk, name: str) -> str:
    return findings(desk)[name][0]


def test_a_new_newsroom_is_well(filled: Desk) -> None:
    """For a newcomer: nothing is red."""
    found = findings(filled)
    assert {name for name, (mark, _) in found.items() if mark == "red"} == set()
    assert {"configuration", "store", "database", "clock", "relay", "leaving"} <= set(found)
    assert filled.run("doctor").exit_code == 0


def test_copy_that_no_digest_carries_is_counted(filled: Desk) -> None:
    """For the operator: which languages came in that nobody gets by mail."""
    assert "languages" not in findings(filled)
    with filled.open() as db, db.write():
        db.run("UPDATE articles SET language = 'de' WHERE id IN (1, 2)")
        db.run("UPDATE articles SET language = '' WHERE id = 3")
    mark, said = findings(filled)["languages"]
    assert mark == "yellow"
    assert "articles: 2 in de, 1 in an unknown language; no digest" in said


def test_a_backup_that_is_missing_or_old_is_found(filled: Desk) -> None:
    """For the operator whose cron died."""
    assert grade(filled, "backup") == "green"
    with filled.open() as db, db.write():
        db.run("UPDATE meta SET value = '2020-01-01T00:00:00.000000Z' WHERE key = 'created_at'")
    mark, said = findings(filled)["backup"]
    assert mark == "yellow"
    assert "there is none" in said
    filled.run("backup")
    assert grade(filled, "backup") == "green"
    (copy,) = (filled.folder / "backups").iterdir()
    for made in ("2020", "2999"):  # one that a clock made that ran ahead is no copy of today
        copy = copy.rename(copy.with_name(f"digest-{made}0101T000000Z.db"))
        assert findings(filled)["backup"][0] == "yellow"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_what_every_user_may_read_is_named_with_the_command_that_closes_it(filled: Desk) -> None:
    """Files that an earlier version made; a group that was given access may stay."""
    for words in (("recipients", "add", "reader@example.net"), ("send", "--yes")):
        assert filled.run(*words).exit_code == 0
    filled.store.chmod(0o640)
    assert findings(filled)["private files"][0] == "green"
    filled.store.chmod(0o644)
    new = filled.folder / "outbox" / "new"
    new.chmod(0o755)
    next(new.iterdir()).chmod(0o644)
    mark, said = findings(filled)["private files"]
    assert mark == "yellow"
    assert f"{filled.store}, " in said
    assert f"{new}, and 1 inside" in said
    subprocess.run(["sh", "-c", said[said.index("chmod") :].rstrip(".")], check=True)
    assert findings(filled)["private files"][0] == "green"


def test_what_waits_for_a_person_is_counted(filled: Desk) -> None:
    """For the operator: held, uncertain and overdue, each with the command that settles it."""
    with filled.open() as db:
        office = Office(filled, db, now=datetime(2026, 11, 19, tzinfo=UTC))
        office.add("a@reader.example", "b@reader.example", "c@reader.example")
        edition = office.compose()
        early = "2020-01-01T00:00:00.000000Z"
        with db.write():
            db.run("UPDATE deliveries SET due_at = ?", (early,))
            db.run("UPDATE deliveries SET status = 'uncertain' WHERE id = 1")
        found = findings(filled)
        assert found["overdue deliveries"][1].startswith("2 ")
        assert found["uncertain deliveries"][1].startswith("1 ")
        assert "digest deliveries settle" in found["uncertain deliveries"][1]
        assert found["held editions"][0] == "green"
        assert filled.run("editions", "hold", str(edition)).exit_code == 0
        found = findings(filled)
        assert found["held editions"][1].startswith("1 ")
        assert found["overdue deliveries"][0] == "green"


@pytest.mark.parametrize(
    ("address", "mark"),
    [
        pytest.param("leave@news.example.org", "green", id="ours"),
        pytest.param("leave@lists.news.example.org", "green", id="below ours"),
        pytest.param("leave@elsewhere.example", "yellow", id="another's"),
    ],
)
def test_mail_to_leave_comes_to_our_domain(filled: Desk, address: str, mark: str) -> None:
    """For the recipients: a wish to leave must reach us."""
    filled.configure(unsubscribe_address=f'"{address}"')
    assert grade(filled, "leaving") == mark


def test_readers_can_leave_with_one_click(filled: Desk) -> None:
    """What large providers ask; no question where mail stays here."""
    assert findings(filled)["one-click"][0] == "green"
    use_smtp(filled, 1)
    mark, text = findings(filled)["one-click"]
    assert mark == "yellow"
    assert "5,000" in text
    assert "web.public_url" in text
    filled.edit_config("# public_url", "public_url")
    assert grade(filled, "one-click") == "green"


def test_a_mail_over_its_budget_is_found(filled: Desk) -> None:
    """For readers in Gmail, which clips it."""
    filled.configure(budget_kb="10")
    mark, said = findings(filled)["digest weekly"]
    assert mark == "yellow"
    assert "per_theme" in said


@pytest.mark.parametrize(
    ("name", "text", "item", "line"),
    [
        pytest.param("mail/edition.html", "\n{% if %}", "templates", 2, id="syntax"),
        pytest.param("mail/edition.txt", "\n\n{{ mail.nam }}", "sample mail", 3, id="misspelt"),
        pytest.param("web/feed.html", "{{ 1 / 0 }}", "sample pages", 1, id="what Python refuses"),
        pytest.param("web/article.html", "{{ x.y }}", "sample pages", 1, id="page of an article"),
        pytest.param("web/leave.html", "{{ x.y }}", "sample pages", 1, id="page for leaving"),
        pytest.param("mail/edition.txt", "News", "sample mail", None, id="no way to leave"),
    ],
)
def test_a_broken_template_of_the_operator_is_found_before_any_news(
    desk: Desk, name: str, text: str, item: str, line: int | None
) -> None:
    """For its author: its file and line, while the store is still empty; and no command ends in a
    trace."""
    place = desk.folder / "mine" / name
    place.parent.mkdir(parents=True)
    place.write_text(text, "utf-8")
    desk.edit_config('# templates = "my-templates"', 'templates = "mine"')
    mark, said = findings(desk)[item]
    assert mark == "red"
    assert name in said
    assert line is None or f"{place}, line {line}:" in said
    if name.startswith("web/") and name != "web/leave.html":  # which is not published
        desk.run("ingest")
        result = desk.run("publish")
        assert result.exit_code == 1
        assert f"{place}, line {line}:" in result.stderr


def test_a_folder_of_templates_that_is_gone_is_found(filled: Desk) -> None:
    """For the operator who moved it: red, and no command falls back to our look."""
    mine = filled.folder / "mine"
    (mine / "mail").mkdir(parents=True)
    (mine / "mail" / "edition.txt").write_text("{{ mail.footer.leave.url }}\n", "utf-8")
    filled.edit_config('# templates = "my-templates"', 'templates = "mine"')
    assert findings(filled)["templates"] == ("green", f"37 can be read, 1 of them in {mine} ")
    mine.rename(filled.folder / "moved")
    mark, said = findings(filled)["templates"]
    assert mark == "red"
    assert f"{mine}: the folder of web.templates cannot be read: No such file" in said
    for command in (("send", "--dry-run"), ("publish",)):
        result = filled.run(*command)
        assert result.exit_code == 1
        assert f"Error: {mine}: the folder of web.templates cannot be read" in result.stderr


AS_NOBODY = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from digest.service.mail_checks import folder
from digest.config.load import load_settings
from digest.newsroom import Newsroom
from digest.service.troubles import find_troubles, written_paths
settings = load_settings(Path(sys.argv[1]))
with Newsroom(settings).open() as newsroom:
    if os.geteuid() == 0:
        os.setgid(65534); os.setuid(65534)
    checks = [folder(name, path) for name, path in written_paths(settings).items()]
    troubles = find_troubles(newsroom, datetime(2026, 11, 18, tzinfo=UTC))
    print(json.dumps([
        {one.name: (one.grade, one.said) for one in checks},
        {one.key: one.said for one in troubles},
    ]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
@pytest.mark.parametrize(
    ("closed", "wrong"),
    [
        pytest.param("", [], id="nothing is closed"),
        pytest.param("outbox", ["outbox"], id="a folder"),
        pytest.param("digest.db", ["store"], id="the file of the database"),
        pytest.param(".", ["store", "feeds"], id="the folder in which they are made"),
    ],
)
def test_what_cannot_be_written_is_found(desk: Desk, closed: str, wrong: list[str]) -> None:
    """For an operator who installed it as root: doctor and status say the same of the service's user."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(desk.folder, folder, dirs_exist_ok=True)
        (folder / "outbox").mkdir()
        Desk(folder).ingest(datetime(2026, 11, 18, tzinfo=UTC))
        for one in (folder, *folder.iterdir()):
            one.chmod(0o777)
        if closed:
            (folder / closed).chmod(0o555)
        words = [sys.executable, "-c", AS_NOBODY, str(folder / "config.toml")]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
        found, troubles = json.loads(done.stdout)
        folder.chmod(0o755)
        assert [name for name, (mark, _) in found.items() if mark == "red"] == wrong
        expected = {f"disk {name}": f"{found[name][1]}." for name in wrong}
        assert {key: said for key, said in troubles.items() if key.startswith("disk")} == expected
        assert all(said == f"{folder / closed} cannot be written to." for said in troubles.values())


def test_the_service_that_died_is_named(filled: Desk) -> None:
    """For the operator who finds old feeds: since when, and which one it was."""
    assert findings(filled)["service"][0] == "green"
    now = datetime.now(UTC)  # noqa: TID251 - the command reads the real clock
    length = timedelta(seconds=30)
    for moment, mark, word in (
        (now, "green", "desk, process 7"),
        (now - timedelta(days=2), "yellow", "did not shut down"),
        (now + timedelta(days=2), "yellow", "put back"),
    ):
        with filled.open() as db:
            take_lease(db, LEASE, "desk, process 7", "aa", moment, length)
        found = findings(filled)["service"]
        assert found[0] == mark
        assert word in found[1]


def test_published_feeds_are_looked_at(filled: Desk) -> None:
    """For the readers: missing, for another address, cut short, too large; each with what to do."""
    assert findings(filled)["published feeds"][0] == "yellow"
    filled.publish()
    assert findings(filled)["published feeds"] == ("green", "54 are complete ")
    filled.configure(entries="51", base_url='"https://news.ashgabat.test"')
    filled.edit_config("news.example.org/feeds", "news.elsewhere.test/feeds")
    mark, said = findings(filled)["published feeds"]
    assert mark == "yellow"
    assert "is for https://news.example.org/feeds/" in said
    filled.publish()
    assert grade(filled, "published feeds") == "green"
    feeds = filled.folder / "feeds"
    complete = (feeds / "all.json").read_bytes()
    (feeds / "all.json").write_bytes(complete + b" " * 1_000_000)
    assert "feeds.entries" in findings(filled)["published feeds"][1]
    (feeds / "all.json").write_bytes(complete)
    (feeds / "ru.json").unlink()
    assert "ru.json is missing" in findings(filled)["published feeds"][1]
    (feeds / "en.json").write_text("[]")
    (feeds / "all.rss").write_bytes((feeds / "all.rss").read_bytes()[:500])
    mark, said = findings(filled)["published feeds"]
    assert mark == "red"
    assert "all.rss" in said
    assert "en.json" in said
    assert filled.run("send", "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("named", "webhook", "mark", "said"),
    [
        pytest.param("", None, "yellow", "nobody is notified", id="nobody"),
        pytest.param('mail_to = ["op@example.org"]', None, "green", "sent by mail", id="mail"),
        pytest.param('webhook_file = "hook"', b"https://hook.test/1", "green", "sent by the webhook", id="webhook"),
        pytest.param('webhook_env = "NOT_SET"', None, "red", "is not there", id="a variable that is not set"),
        pytest.param('webhook_file = "hook"', b"hook.test", "red", "no absolute http", id="no address"),
        pytest.param('webhook_file = "hook"', b"\xff", "red", "not UTF-8", id="no text"),
    ],
)  # fmt: skip
def test_whether_somebody_is_notified_is_checked(
    filled: Desk, named: str, webhook: bytes | None, mark: str, said: str
) -> None:
    """An alarm that cannot be sent is found before it is needed."""
    filled.edit_config("[alarms]\nmail_to = []", f"[alarms]\n{named}")
    if webhook is not None:
        (filled.folder / "hook").write_bytes(webhook)
    grade, text = findings(filled)["alarms"]
    assert grade == mark
    assert said in text
    assert "hook.test" not in text


def test_the_rules_of_the_time_zones_are_shown(filled: Desk) -> None:
    """For readers of times: which zones, by which release."""
    mark, said = findings(filled)["zones"]
    assert mark == "green"
    assert said.startswith("Asia/Ashgabat, by the rules of ")


def test_a_damaged_database_does_not_end_the_doctor(filled: Desk) -> None:
    """For the operator: it is named with what to do, and the other checks are made."""
    data = bytearray(filled.store.read_bytes())
    data[40_960:81_920] = b"\xa5" * 40_960
    filled.store.write_bytes(data)
    found = findings(filled)
    assert found["database"][0] == "red"
    assert "backup" in found["database"][1]
    assert found["leaving"][0] == "green"


def test_what_came_back_must_be_read_and_decided(filled: Desk, server: FaultServer) -> None:
    """For people who leave by mail: red until somebody reads it; what waits is named."""
    use_smtp(filled, server.port, reads=False)
    assert findings(filled)["bounces"][0] == "red"
    assert "Set bounces in [service]" in findings(filled)["bounces"][1]
    for name in ("cur", "new", "tmp"):
        (filled.folder / "mail" / name).mkdir(parents=True)
    assert findings(filled)["decisions"][0] == "green"
    filled.run("recipients", "add", "a@reader.example")
    letter = "From: a@reader.example\nTo: leave@news.example.org\nSubject: bye\n\n\n"
    (filled.folder / "mail" / "new" / "1").write_text(letter, "utf-8")
    filled.run("bounces", "read", str(filled.folder / "mail"))
    found = findings(filled)
    assert (found["bounces"][0], found["decisions"][0]) == ("green", "yellow")
    assert found["decisions"][1].startswith("1 without proof")


def test_a_relay_that_accepts_us_is_green(filled: Desk, server: FaultServer) -> None:
    """For the operator before the first edition; no message is sent."""
    use_smtp(filled, server.port)
    assert grade(filled, f"relay 127.0.0.1:{server.port}") == "green"
    assert server.taken == []
    assert "QUIT" in [command.upper() for command in server.commands] or server.connections


def test_a_relay_that_refuses_our_login_is_red(
    filled: Desk, server: FaultServer, tmp_path: Path
) -> None:
    """For the operator with a wrong password: what the server said, and never the password."""
    (tmp_path / "password").write_text("hunter22")
    server.extensions = ("AUTH PLAIN LOGIN",)
    use_smtp(filled, server.port, username="digest", password_file=str(tmp_path / "password"))
    mark, said = findings(filled)[f"relay 127.0.0.1:{server.port}"]
    assert mark == "red"
    assert "535" in said
    assert "hunter22" not in said


def test_a_relay_that_is_not_there_is_red(filled: Desk) -> None:
    """For the operator with a wrong port, or without the password."""
    with running(FaultServer()) as gone:
        pass
    use_smtp(filled, gone.port)
    assert grade(filled, f"relay 127.0.0.1:{gone.port}") == "red"
    with filled.config.open("a", encoding="utf-8") as config:
        config.write('username = "digest"\npassword_env = "NO_SUCH_NAME"\n')
    assert "no password" in findings(filled)["relay"][1]


def test_a_relay_that_says_nothing_is_not_waited_for_long() -> None:
    """For the operator: a limit, whatever the server does."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        settings = ServerSettings(host="127.0.0.1", port=port, tls="none")
        ((name, fault),) = reach([settings], helo_name="desk", seconds=0.2)
    assert name == f"127.0.0.1:{port}"
    assert fault is not None


def test_links_to_nowhere_are_not_mailed(filled: Desk) -> None:
    """For the readers: an address of the example leaves by no server but one on this machine."""
    assert grade(filled, "site") == "yellow"
    use_smtp(filled, 25, host="127.0.0.1")
    assert grade(filled, "site") == "yellow"
    filled.edit_config('host = "127.0.0.1"\nport = 25', 'host = "192.0.2.1"\nport = 1')
    filled.edit_config('tls = "none"\nconn', 'tls = "none"\nallow_plaintext = true\nconn')
    filled.run("recipients", "add", "a@reader.example")
    before = filled.files()
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "Nothing was sent" in refused.stderr
    assert "--despite site" in refused.stderr
    assert filled.files() == before


def test_a_clock_that_went_back_holds_the_mail(filled: Desk) -> None:
    """For the recipients, and the operator who knows better names it."""
    soon = datetime.now(UTC) + timedelta(days=400)  # noqa: TID251 - the command reads the real clock
    with filled.open() as db:
        office = Office(filled, db, now=soon)
        office.add("a@reader.example")
        office.compose()
        with db.write():
            db.run("UPDATE deliveries SET due_at = '2020-01-01T00:00:00.000000Z'")
    assert grade(filled, "clock") == "red"
    assert filled.run("doctor").exit_code == 1
    refused = filled.run("send", "--yes")
    assert refused.exit_code == 1
    assert "digest send --despite clock" in refused.stderr
    assert filled.run("send", "--yes", "--despite", "site").exit_code == 1
    assert filled.run("send", "--yes", "--despite", "clock").exit_code == 0


def test_a_dkim_key_is_shown_as_dns_must_hold_it(filled: Desk) -> None:
    """For the editor of the zone: the name and the text, to be pasted; a missing key is red."""
    sign(filled)
    (filled.folder / "key.pem").unlink()
    assert grade(filled, "dkim") == "red"
    write_key(filled.folder / "key.pem")
    mark, said = findings(filled)["dkim"]
    assert mark == "green"
    assert 'one._domainkey.news.example.org TXT "v=DKIM1; k=rsa; p=MII' in said

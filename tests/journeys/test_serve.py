"""`digest serve` as an operator runs it: a process of its own, asked over HTTP."""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
from datetime import UTC, datetime
from typing import BinaryIO

import pytest

from tests.desks import WATCHING, Desk
from tests.journeys.serving import service
from tests.mail.fault_server import HANG, FaultServer
from tests.mail.fault_server import running as running_server
from tests.mailing import use_smtp

ADDRESS = "reader@example.net"


def read_answer(lines: BinaryIO, *, head: bool) -> tuple[int, str, bool]:
    """The next answer on a connection: status, type, and whether it had a body."""
    status = int(lines.readline().split()[1])
    headers = http.client.parse_headers(lines)
    empty = head or status == 304
    body = b"" if empty else lines.read(int(headers["content-length"]))
    return status, (headers["content-type"] or "").partition(";")[0], bool(body)


@pytest.fixture
def quick(desk: Desk) -> Desk:
    """A desk whose lease is short."""
    desk.configure(lease_seconds="12.0")
    return desk


def test_one_command_reads_publishes_and_serves(quick: Desk):
    """From copy in a folder to a feed in a reader; the second poll gets a 304."""
    with service(quick) as running:
        assert running.until("read")["added"] == 36
        for ending, kind in (("atom", "application/atom+xml"), ("json", "application/feed+json")):
            status, headers, body = running.get(f"/feeds/all.{ending}")
            assert (status, headers["content-type"].split(";")[0]) == (200, kind)
            assert body == (quick.folder / "feeds" / f"all.{ending}").read_bytes()
            again = running.get(f"/feeds/all.{ending}", If_None_Match=headers["etag"])
            assert (again[0], again[1]["etag"], again[2]) == (304, headers["etag"], b"")
            by_date = running.get(
                f"/feeds/all.{ending}", If_Modified_Since=headers["last-modified"]
            )
            assert by_date[0] == 304
        pace = re.search(r"<ttl>(\d+)</ttl>", running.get("/feeds/all.rss")[2].decode())
        assert pace is not None
        for ending in ("atom", "rss", "json", "html"):
            said = running.get(f"/feeds/all.{ending}")[1]["cache-control"]
            assert said == f"public, max-age={int(pace[1]) * 60}"
        status, headers, body = running.get("/feeds/all.html", "HEAD", Accept_Encoding="gzip, br")
        assert (status, headers["content-encoding"], body) == (200, "br", b"")

        status, _, body = running.watch("/readyz")
        ready = json.loads(body)
        assert (status, ready["ready"], ready["lease"]["leads"]) == (200, True, True)
        figures = running.watch("/metrics")[2].decode()
        assert 'digest_articles{source="seeds"} 36.0' in figures
        assert 'digest_http_responses_total{route="atom",status="304"} 2.0' in figures
        assert quick.run("schedule").stdout.rstrip().endswith(f"process {running.process.pid}.")
    assert running.log[-1]["whole"] is True


def test_answers_come_in_order_whichever_way_they_are_made(quick: Desk):
    """Several requests at once on one connection: from memory, from disk, without a body, with one."""
    with service(quick) as running:
        running.until("read")
        running.get("/feeds/all.atom")
        running.get("/feeds/all.json")
        asked = [
            b"GET /feeds/all.atom HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /feeds/all.json HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
            b"GET /feeds/none.rss HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HEAD /feeds/all.json HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /feeds/all.atom?a=1 HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n",
            b"GET /feeds/all.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ]
        with socket.create_connection(("127.0.0.1", running.port), 10) as connection:
            connection.sendall(b"".join(asked))
            with connection.makefile("rb") as lines:
                answers = [read_answer(lines, head=one.startswith(b"HEAD")) for one in asked]
                assert lines.read() == b""
    atom, json_feed = "application/atom+xml", "application/feed+json"
    assert answers == [
        (200, atom, True),
        (200, json_feed, True),
        (404, "text/html", True),
        (200, json_feed, False),
        (304, "", False),
        (200, json_feed, True),
    ]


def test_an_edition_that_is_due_is_sent_automatically(quick: Desk):
    """Composed and delivered once, without an operator, and nobody's address is in the log."""
    quick.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    assert quick.run("recipients", "add", ADDRESS).exit_code == 0
    quick.configure(schedule='"* * * * *"')
    with service(quick) as running:
        sent = running.until("send")["editions"]
        assert [(one["digest"], one["sent"], one["queued"]) for one in sent] == [("weekly", 1, 0)]
        assert 'state="sent"} 1.0' in running.watch("/metrics")[2].decode()
    assert len(list((quick.folder / "outbox" / "new").iterdir())) == 1
    assert ADDRESS not in json.dumps(running.log)


def test_a_new_config_is_loaded_and_a_faulty_one_refused(quick: Desk):
    """SIGHUP reads it again; faults change nothing and are logged, and so are keys that need a restart."""
    with service(quick) as running:
        running.until("read")
        quick.configure(cache_seconds="-1")
        running.process.send_signal(signal.SIGHUP)
        assert "web.cache_seconds" in running.until("config refused")["faults"][0]
        assert "max-age=300" in running.get("/feeds/feeds.opml")[1]["cache-control"]
        quick.configure(cache_seconds="7", port="1")
        running.process.send_signal(signal.SIGHUP)
        assert running.until("config reloaded")["needs_restart"] == ["web.port"]
        assert "max-age=7" in running.get("/feeds/feeds.opml")[1]["cache-control"]


def test_only_who_has_the_token_sees_how_the_service_is(quick: Desk):
    """To others a report is a missing page; a new token counts after SIGHUP, and no log names one."""
    token = quick.folder / "monitor-token"
    with service(quick) as running:
        running.until("read")
        for path in ("/readyz", "/metrics"):
            assert running.watch(path)[0] == 200
            status, headers, body = running.get(path)
            missing = running.get("/nothing")
            assert (status, body) == (404, missing[2])
            assert headers.keys() == missing[1].keys()
        for new in (b"another-token-of-ours\n", b"\xff"):
            token.write_bytes(new)
            running.process.send_signal(signal.SIGHUP)
            running.until("config reloaded" if new[-1:] == b"\n" else "monitoring is closed")
            assert running.watch("/readyz")[0] == 404
        assert running.get("/readyz", Authorization="Bearer another-token-of-ours")[0] == 404
    log = json.dumps(running.log)
    assert WATCHING["Authorization"].split()[1] not in log
    assert "another-token" not in log


def test_a_verb_that_fails_is_logged_and_stops_nothing(quick: Desk):
    """A folder of feeds that cannot be created: the log and /metrics say so, the rest goes on."""
    (quick.folder / "feeds").write_text("in the way")
    with service(quick) as running:
        assert "feeds" in running.until("read")["fault"]
        assert 'digest_failures_total{verb="read"} 1.0' in running.watch("/metrics")[2].decode()
        assert running.get("/healthz")[0] == 200


def test_a_delivery_that_does_not_end_in_time_is_settled_at_the_next_start(quick: Desk):
    """A silent mail server does not delay the stop; its delivery is uncertain, and not sent again."""
    quick.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    assert quick.run("recipients", "add", "asleep.0@reader.example").exit_code == 0
    quick.configure(schedule='"* * * * *"', drain_seconds="0.0")
    with running_server(FaultServer(acts={"asleep": ("end", HANG)})) as server:
        use_smtp(quick, server.port)
        quick.configure(data_timeout_seconds="60.0")
        with service(quick) as running:
            running.until("compose")
            with quick.open(read_only=True) as db:
                handed = "SELECT 1 FROM deliveries WHERE status = 'handed'"
                while db.value(handed) is None and running.process.poll() is None:
                    pass
            assert running.end() == 1
            assert running.log[-1]["whole"] is False
        quick.configure(schedule='"0 0 1 1 *"', drain_seconds="20.0")
        with service(quick) as running:
            assert running.until("send")["recovered"] == 1
    with quick.open(read_only=True) as db:
        rows = db.rows("SELECT status, attempts FROM deliveries")
    assert rows == [{"status": "uncertain", "attempts": 1}]


def test_a_port_in_use_is_reported(quick: Desk):
    """One sentence, and nothing was started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = quick.run("serve", "--port", port)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in result.stderr


def test_a_look_at_the_schedule_changes_nothing(quick: Desk):
    """`digest schedule` only reads."""
    quick.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    before = quick.files("feeds")
    quick.run("schedule")
    assert quick.files("feeds") == before


def test_no_fault_of_config_toml_ends_the_service(quick: Desk):
    """The old settings stay until the file is corrected, whatever is wrong with it."""
    sound = quick.config.read_text("utf-8")
    faults = (
        ('outbox = "outbox"', 'outbox = "~nosuchuser/outbox"'),
        ("every_minutes = 2.0", "every_minutes = 1e-12"),
        ("port = 8080", "port = " + "9" * 5000),
        ('languages = ["en", "ru"]', f"languages = {'[' * 2000}{']' * 2000}"),
        ("[mail]", "since = 0001-01-01T00:00:00+05:00\n[mail]"),
    )
    with service(quick) as running:
        running.until("read")
        for old, new in faults:
            assert old in sound
            quick.config.write_text(sound.replace(old, new), "utf-8")
            running.process.send_signal(signal.SIGHUP)
            running.until("config refused")
        quick.config.write_text(sound, "utf-8")
        running.process.send_signal(signal.SIGHUP)
        running.until("config reloaded")
        assert running.get("/healthz")[0] == 200


def test_idle_connections_leave_the_verbs_their_files(quick: Desk):
    """A thousand of them, with 256 open files: copy is read and published, and others are answered."""
    quick.configure(ingest_every_minutes="0.02")
    with service(quick, files=256) as running, contextlib.ExitStack() as opened:
        running.until("read")
        idle = [
            opened.enter_context(socket.create_connection(("127.0.0.1", running.port), 20))
            for _ in range(1000)
        ]
        (quick.seeds / "new.txt").write_text(
            "New rules for customs officers\n\nThey apply at once."
        )
        running.until_added()
        assert running.watch("/readyz")[0] == 200
        closed = [select.select([one], [], [], 0)[0] != [] for one in idle]
        assert closed == [True] * 945 + [False] * 55
    assert {one["level"] for one in running.log} == {"info"}


def test_a_service_stops_although_its_notify_socket_is_gone(quick: Desk):
    """The socket that systemd named."""
    gone = {**os.environ, "NOTIFY_SOCKET": str(quick.folder / "gone")}
    with service(quick, gone) as running:
        running.until("read")

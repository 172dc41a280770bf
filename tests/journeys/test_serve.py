"""`digest serve` as an operator runs it: a process of its own, asked over HTTP."""

import http.client
import json
import os
import signal
import socket
from datetime import UTC, datetime
from typing import BinaryIO

import pytest

from tests.desks import Desk
from tests.journeys.serving import service
from tests.mail.fault_server import HANG, FaultServer
from tests.mail.fault_server import running as running_server
from tests.mailing import use_smtp

ADDRESS = "reader@example.net"


def read_answer(lines: BinaryIO, *, head: bool) -> tuple[int, str, bool]:
    """Status, type, and whether there was a body, of the next answer on a connection."""
    status = int(lines.readline().split()[1])
    told = http.client.parse_headers(lines)
    empty = head or status == 304
    body = b"" if empty else lines.read(int(told["content-length"]))
    return status, (told["content-type"] or "").partition(";")[0], bool(body)


@pytest.fixture
def quick(desk: Desk) -> Desk:
    """A desk whose lease is short."""
    desk.configure(lease_seconds="3.0")
    return desk


def test_one_command_reads_publishes_and_serves(quick: Desk):
    """From copy in a folder to a feed in a reader; the second poll is told that nothing is new."""
    with service(quick) as running:
        assert running.until("read")["added"] == 36
        for ending, kind in (("atom", "application/atom+xml"), ("json", "application/feed+json")):
            status, told, body = running.get(f"/feeds/all.{ending}")
            assert (status, told["content-type"].split(";")[0]) == (200, kind)
            assert body == (quick.folder / "feeds" / f"all.{ending}").read_bytes()
            again = running.get(f"/feeds/all.{ending}", If_None_Match=told["etag"])
            assert (again[0], again[1]["etag"], again[2]) == (304, told["etag"], b"")
            by_date = running.get(f"/feeds/all.{ending}", If_Modified_Since=told["last-modified"])
            assert by_date[0] == 304
        status, told, body = running.get("/feeds/all.html", "HEAD", Accept_Encoding="gzip, br")
        assert (status, told["content-encoding"], body) == (200, "br", b"")

        status, _, body = running.get("/readyz")
        ready = json.loads(body)
        assert (status, ready["ready"], ready["lease"]["leads"]) == (200, True, True)
        figures = running.get("/metrics")[2].decode()
        assert 'digest_articles{source="seeds"} 36.0' in figures
        assert 'digest_http_responses_total{route="atom",status="304"} 2.0' in figures
        assert quick.run("schedule").stdout.rstrip().endswith(f"process {running.process.pid}.")
        assert running.end() == 0
    assert running.told[-1]["whole"] is True


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
                answers = [
                    read_answer(lines, head=request.startswith(b"HEAD")) for request in asked
                ]
                assert lines.read() == b""
        assert running.end() == 0
    atom, json_feed = "application/atom+xml", "application/feed+json"
    assert answers == [
        (200, atom, True),
        (200, json_feed, True),
        (404, "text/html", True),
        (200, json_feed, False),
        (304, "", False),
        (200, json_feed, True),
    ]


def test_an_edition_that_is_due_goes_out_by_itself(quick: Desk):
    """Composed and delivered without a hand, once, and nobody's address is in the log."""
    quick.ingest(datetime(2026, 11, 18, tzinfo=UTC))
    assert quick.run("recipients", "add", ADDRESS).exit_code == 0
    quick.configure(schedule='"* * * * *"')
    with service(quick) as running:
        sent = running.until("send")["editions"]
        assert [(one["digest"], one["sent"], one["queued"]) for one in sent] == [("weekly", 1, 0)]
        assert 'state="sent"} 1.0' in running.get("/metrics")[2].decode()
        assert running.end() == 0
    assert len(list((quick.folder / "outbox" / "new").iterdir())) == 1
    assert ADDRESS not in json.dumps(running.told)


def test_a_new_config_is_taken_up_and_a_faulty_one_refused(quick: Desk):
    """SIGHUP reads it again; faults are told and change nothing; so is what needs a new start."""
    with service(quick) as running:
        running.until("read")
        quick.configure(cache_seconds="-1")
        running.process.send_signal(signal.SIGHUP)
        assert "web.cache_seconds" in running.until("config refused")["faults"][0]
        assert "max-age=300" in running.get("/feeds/all.rss")[1]["cache-control"]
        quick.configure(cache_seconds="7", port="1")
        running.process.send_signal(signal.SIGHUP)
        assert running.until("config reloaded")["needs_restart"] == ["web.port"]
        assert "max-age=7" in running.get("/feeds/all.rss")[1]["cache-control"]
        assert running.end() == 0


def test_a_verb_that_fails_is_told_and_stops_nothing(quick: Desk):
    """A folder of feeds that cannot be made: the log and the figures say so, the rest goes on."""
    (quick.folder / "feeds").write_text("in the way")
    with service(quick) as running:
        assert "feeds" in running.until("read")["fault"]
        assert 'digest_failures_total{verb="read"} 1.0' in running.get("/metrics")[2].decode()
        assert running.get("/healthz")[0] == 200
        assert running.end() == 0


def test_what_does_not_end_in_time_is_settled_at_the_next_start(quick: Desk):
    """A mail server that says nothing holds up no stop; its delivery is uncertain, and not resent."""
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
            assert running.told[-1]["whole"] is False
        quick.configure(schedule='"0 0 1 1 *"', drain_seconds="20.0")
        with service(quick) as running:
            assert running.until("send")["recovered"] == 1
            assert running.end() == 0
    with quick.open(read_only=True) as db:
        assert db.rows("SELECT status, attempts FROM deliveries") == [
            {"status": "uncertain", "attempts": 1}
        ]


def test_a_port_that_is_taken_is_told(quick: Desk):
    """One sentence, and nothing was begun."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
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
    """What was read before stays in force until the file is mended, whatever is wrong with it."""
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
        assert running.end() == 0


def test_a_service_ends_when_told_although_nobody_hears_it(quick: Desk):
    """Where the socket that systemd named is gone."""
    gone = {**os.environ, "NOTIFY_SOCKET": str(quick.folder / "gone")}
    with service(quick, gone) as running:
        running.until("read")
        assert running.end() == 0

"""`digest publish --to s3://…` against a real S3-compatible server: what readers find at any moment."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from digest.errors import PublishError
from digest.feeds.bucket import Bucket
from digest.feeds.files import PublishReport
from digest.feeds.publish import publish
from tests.desks import PAGES, Desk, opened
from tests.feeds.buckets import WHY_NOT, Server, serving_bucket
from tests.feeds.folders import contents

pytestmark = [
    pytest.mark.s3,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
TO = "s3://news/site"
KEPT_BACK = "never-to-be-shown"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving_bucket() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEPT_BACK)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield server
        assert server.missing == set(), "a feed named what was not there"


def upload(desk: Desk, *, whole: bool = False) -> PublishReport:
    with desk.open() as db:
        return publish(opened(db, desk.settings, templates=PAGES), TO, whole=whole)


def test_a_bucket_has_the_plain_files_of_the_folder(filled: Desk, server: Server) -> None:
    """With the type of each, and how long it may be kept; the folder is not needed for it."""
    report = upload(filled)
    assert not (filled.folder / "feeds").exists()
    filled.publish()
    assert server.names() == contents(filled.folder / "feeds")
    assert set(report.written) == server.names().keys()
    html, feed = server.headers["articles/1.html"], server.headers["all.atom"]
    assert html == ("text/html; charset=utf-8", "public, max-age=300")
    assert feed[0] == "application/atom+xml; charset=utf-8"
    minutes = re.search(rb"<ttl>(\d+)</ttl>", server.objects["all.rss"])
    assert minutes is not None
    assert feed[1] == f"public, max-age={60 * int(minutes[1])}"
    assert server.headers["all.json"] == ("application/feed+json", feed[1])


def test_archives_may_be_kept_long(filled: Desk, server: Server) -> None:
    """They change only where an article in them is withdrawn."""
    filled.configure(entries="5")
    upload(filled)
    archives = [name for name in server.objects if name.startswith("archives/")]
    assert archives
    assert {server.headers[name][1] for name in archives} == {"public, max-age=604800"}


def test_a_second_run_uploads_nothing(filled: Desk, server: Server) -> None:
    """Not even the manifest; and it asks for little."""
    first = upload(filled)
    for whole in (False, True):
        del server.requests[:]
        assert upload(filled, whole=whole) == PublishReport((), len(first.written), ())
        assert server.writes == []
        assert len(server.requests) <= 10


def test_one_change_uploads_what_shows_it(filled: Desk, server: Server) -> None:
    """Its page before the feeds; what has gone is deleted last."""
    upload(filled)
    filled.run("articles", "withdraw", "1")
    del server.requests[:]
    written = upload(filled).written
    assert written[0] == "articles/1.html"
    assert "all.atom" in written
    assert not [name for name in written if name.startswith("articles/")][1:]
    filled.edit_config('name = "youth"', 'name = "young"')
    del server.requests[:]
    assert "youth.atom" in upload(filled).removed
    writes = [one for one in server.requests if one[0] in ("PUT", "POST")]
    last = max(i for i, (_, name) in enumerate(writes) if not name.startswith(".published"))
    assert writes[last][0] == "POST"
    assert not [name for name in server.objects if name.startswith("youth.")]


def test_an_object_that_others_changed_is_repaired_when_all_are_compared(
    filled: Desk, server: Server
) -> None:
    """`digest publish --all`."""
    upload(filled)
    good = server.names()
    bucket = Bucket(TO)
    bucket.put("articles/2.html", b"other", "", 60)
    bucket.delete(["articles/3.html"])
    assert set(upload(filled, whole=True).written) == {"articles/2.html", "articles/3.html"}
    server.missing.clear()  # page 3, as long as it was deleted
    assert server.names() == good


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("allowed", [0, 3, 60, 100])
def test_refused_writes_leave_nothing_half(
    filled: Desk, server: Server, status: int, allowed: int
) -> None:
    """One clear error without a secret; the next run completes it."""
    server.allowed, server.status = allowed, status
    with pytest.raises(PublishError, match=r"digest publish --to s3://news/site") as e:
        upload(filled)
    assert KEPT_BACK not in str(e.value)
    assert "\n" not in str(e.value)
    server.allowed = 1_000_000
    upload(filled)
    filled.publish()
    assert server.names() == contents(filled.folder / "feeds")
    del server.requests[:]
    assert upload(filled).written == ()
    assert server.writes == []


@pytest.mark.drill
@pytest.mark.parametrize("allowed", [1, 30, 42, 101])
def test_a_kill_leaves_nothing_half(filled: Desk, server: Server, allowed: int) -> None:
    """`kill -9` while files are uploaded, at first and later; the next run completes it."""
    for change in ((), ("articles", "withdraw", "1")):
        if change:
            filled.run(*change)
        server.reached.clear()
        server.released.clear()
        server.allowed, server.status = len(server.writes) + allowed % 17 if change else allowed, 0
        with subprocess.Popen(
            filled.command("publish", "--to", TO), stdout=subprocess.DEVNULL
        ) as process:
            while not server.reached.wait(0.05) and process.poll() is None:
                pass
            assert server.reached.is_set()
            process.kill()
        server.released.set()
        server.allowed = 1_000_000
        upload(filled)
        filled.publish()
        assert server.names() == contents(filled.folder / "feeds")
    del server.requests[:]
    assert upload(filled).written == ()
    assert server.writes == []


def test_what_is_wrong_is_one_clear_error(
    filled: Desk, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do, and no secret."""

    def fault(to: str = TO) -> str:
        result = filled.run("publish", "--to", to)
        assert result.exit_code == 1
        assert KEPT_BACK not in result.output
        assert "Traceback" not in result.output
        return result.stderr

    assert "NoSuchBucket. Check the name of the bucket" in fault("s3://elsewhere/site")
    assert "is no address of a bucket" in fault("ftp://news")
    assert "is no address of a bucket" in fault("s3://news/../x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "Check that AWS_ENDPOINT_URL and the network lead to the server" in fault()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "no valid credentials: set AWS_ACCESS_KEY_ID" in fault()


def test_without_the_extra_it_says_which(filled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an operator who installed the core."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    assert "pip install 'newsroom-digest[s3]'" in filled.run("publish", "--to", TO).stderr

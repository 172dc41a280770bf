"""Corrections at the command line: the dry run shows what is sent, and `digest articles notify`."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

from digest.language.text import NO_BREAK
from digest.mail.maildir import MaildirTransport
from tests.conftest import INGESTED_AT
from tests.desks import LISTING, Desk
from tests.mailing import Office

TOKEN = re.compile(r"[a-z2-7]{32}")


def newest(desk: Desk) -> str:
    """The text of the last mail in the outbox, with no token in it."""
    path = max((desk.folder / "outbox" / "new").iterdir(), key=lambda one: one.stat().st_mtime_ns)
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return text_of(message.get_body(("plain",)).get_content())


def text_of(text: str) -> str:
    return TOKEN.sub("TOKEN", " ".join(text.replace(NO_BREAK, " ").split()))


def corrected(filled: Desk) -> Desk:
    """Anna was sent an edition, and one of its headlines was changed since."""
    with filled.open() as db:
        outbox = MaildirTransport(filled.folder / "outbox")
        office = Office(filled, db, INGESTED_AT + timedelta(hours=1), outbox)
        office.add("anna@example.org", languages=("en",))
        office.compose()
        office.deliver()
    filled.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
    filled.run("ingest")
    return filled


def test_a_dry_run_shows_what_is_sent(filled: Desk) -> None:
    """With the correction first; the trace says that anna got it."""
    desk = corrected(filled)
    (desk.seeds / "news.txt").write_text("Opium seized\n\nPolice seized opium in Mary.\n", "utf-8")
    desk.run("ingest")
    out = desk.folder / "shown"
    [segment] = desk.json("send", "--dry-run", "--out", str(out))["segments"]
    assert [one["seen"] for one in segment["corrected"]] == [1]
    assert segment["name"].endswith("-corrections")
    [shown] = out.glob("*.txt")
    assert "Done" in desk.run("send", "--yes").stdout
    sent = newest(desk)
    assert sent == text_of(shown.read_text("utf-8"))
    assert "to honour the World Drug Day" in sent
    assert "corrected" in desk.run("deliveries", "trace", "anna@example.org").stdout


def test_an_editor_tells_of_a_grave_correction(filled: Desk) -> None:
    """Seen first, then queued, then sent by hand; again, it is for nobody."""
    desk = corrected(filled)
    title = "to honour the World Drug Day"
    [number] = [one["id"] for one in desk.json("articles", "search", "honour", "World", "Drug")]
    out = desk.folder / "shown"
    shown = desk.run("articles", "notify", str(number), "--dry-run", "--out", str(out)).stdout
    assert "1 reader would be told (weekly 1). Nothing was queued." in shown
    [text] = out.glob("*.txt")
    assert "1 notice queued" in desk.run("articles", "notify", str(number)).stdout
    assert "1 notice was sent" in desk.run("send", "--yes").stdout
    assert newest(desk) == text_of(Path(text).read_text("utf-8"))
    assert title in newest(desk)
    assert "Nobody is to be told" in desk.run("articles", "notify", str(number)).stdout
    assert "there is no article 999" in desk.run("articles", "notify", "999").stderr

"""From seeds to mail: the command line, a server with STARTTLS and login, and three recipients."""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from digest.cli.send import plan, send_editions
from digest.editions.compose import compose_now
from digest.editions.deliver import Portion
from digest.mail.tokens import EXAMPLE_TOKENS, Tokens
from digest.newsroom import Newsroom
from tests.desks import LISTING, Desk, opened
from tests.journeys.crashing import sender
from tests.journeys.relay import Relay, relaying
from tests.journeys.returns import ANNA, BORIS, CLARA
from tests.journeys.submission import LOGIN_WORD, USER, VARIABLE, Submission, submitting
from tests.mailing import Office, use_smtp

ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Iterator[Submission]:
    """A submission server that config.toml names."""
    with submitting(desk, monkeypatch) as submission:
        yield submission


@pytest.fixture
def newsroom(desk: Desk, server: Submission) -> Desk:
    """Articles, and three recipients with different choices."""
    assert desk.run("ingest").exit_code == 0
    for words in (
        (ANNA, "--name", "Анна Белова"),
        (BORIS, "--language", "en", "--theme", "drugs"),
        (CLARA, "--language", "ru"),
    ):
        assert desk.run("recipients", "add", *words).exit_code == 0
    return desk


def rehearse(desk: Desk) -> dict:
    return desk.json("send", "--dry-run", "--out", str(desk.folder / "preview"))


def sent(desk: Desk, *options: str) -> str:
    result = desk.run("send", "--yes", *options)
    assert result.exit_code == 0, result.output
    return result.output


def with_example_tokens(message: bytes, sender_address: str) -> bytes:
    """The message as a dry run would show it: with the example's tokens for those of the return path
    and of the address for leaving."""
    server = re.fullmatch(r"bounces\+([a-z2-7]{32})@news\.example\.org", sender_address)
    reader = re.search(r"leave\+([a-z2-7]{32})@", message_from_bytes(message)["List-Unsubscribe"])
    assert server is not None, "the return path names the delivery"
    assert reader is not None
    text = b"".join(
        part.get_payload(decode=True)
        for part in message_from_bytes(message).walk()
        if not part.is_multipart()
    )
    choice = re.search(rb"mailto:\S+%20([a-z2-7]{32})", text)
    assert choice is not None
    own = Tokens(server[1], reader[1], choice[1].decode()).octets()
    lines = message.split(b"\r\n")
    for token, example in zip(own, EXAMPLE_TOKENS.octets(), strict=True):
        for n, line in enumerate(lines):
            if re.fullmatch(rb"[A-Za-z0-9+/]{44,}={0,2}", line) and token in b64decode(line):
                lines[n] = b64encode(b64decode(line).replace(token, example))
            else:
                lines[n] = line.replace(token, example)
    return b"\r\n".join(lines)


def without(message: bytes, *names: str) -> bytes:
    """The message without these header fields."""
    head, end, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    assert len({field.partition(b":")[0] for field in fields}) == len(fields)
    own = tuple(f"{name}:".encode() for name in names)
    return b"\r\n".join(field for field in fields if not field.startswith(own)) + end + body


def text_of(message: Message) -> str:
    part = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    return part.get_payload(decode=True).decode()


def test_what_the_dry_run_shows_is_byte_for_byte_what_is_sent(
    newsroom: Desk, server: Submission
) -> None:
    """For everybody: three recipients, three choices, the right articles, one message each. For the
    person who approves: the hash that they saw is the one of the edition."""
    shown = rehearse(newsroom)
    assert "3 sent" in sent(newsroom, "--expect", shown["expect"])
    edition = newsroom.json("editions", "show", "1")
    assert (edition["hash"], edition["ends_at"]) == (shown["hash"], shown["ends_at"])
    assert (edition["recipients"], edition["deliveries"]) == (3, {"sent": 3})
    assert edition["balanced"]
    assert sorted(recipient for _, recipient, _ in server.mails) == [ANNA, BORIS, CLARA]
    assert len({sender_address for sender_address, _, _ in server.mails}) == 3
    languages = {ANNA: ["en", "ru"], BORIS: ["en"], CLARA: ["ru"]}
    articles = {one["id"]: one for one in newsroom.json("articles", "list")}
    for sender_address, recipient, message in server.mails:
        segment = next(one for one in shown["segments"] if one["languages"] == languages[recipient])
        eml = (newsroom.folder / "preview" / f"{segment['name']}.eml").read_bytes()
        ours = with_example_tokens(message, sender_address)
        assert without(ours, "To") == without(eml, "To")
        assert recipient in message_from_bytes(message)["To"]
        text = " ".join(text_of(message_from_bytes(message)).split())
        inside = {i for section in segment["sections"] for i in section["articles"]}
        assert inside
        assert all(" ".join(articles[i]["title"].split())[:60] in text for i in inside)
        assert {articles[i]["language"] for i in inside} <= set(languages[recipient])
        if recipient == BORIS:
            assert all("drugs" in articles[i]["themes"] for i in inside)


def test_an_editors_session(newsroom: Desk, server: Submission) -> None:
    """From draft to mail: an introduction, a lead, an order, something left out; approved by the hash of
    a dry run, which is byte for byte what is sent. A correction comes later, in the feeds alone."""
    newsroom.configure(approval="true")
    assert "Edition 1 is a draft, to be approved by" in sent(newsroom)
    assert "Edition 1 is a draft" in sent(newsroom)
    assert (server.mails, newsroom.json("editions", "show", "1")["status"]) == ([], "draft")
    before = [one["id"] for one in newsroom.json("editions", "show", "1")["articles"]]
    lead, dropped, postponed, first = before[20], before[0], before[1], before[9]
    note = "A **quiet** week: see [our list](https://news.example.org/list)."
    edited = newsroom.run(
        *("editions", "edit", "1", "--introduction", note, "--subject", "A quiet week"),
        *("--lead", str(lead), "--order", f"{first}", "--drop", str(dropped)),
        *("--postpone", str(postponed)),
    )
    assert "Edition 1 now has 34 articles. Next: digest send weekly --dry-run" in edited.output
    shown = rehearse(newsroom)
    assert shown["edition"] == 1
    stale = newsroom.run("editions", "approve", "1", "--expect", "0" * 32)
    assert (stale.exit_code, "What has changed: its articles" in stale.output) == (1, True)
    assert "is not released but approved" in newsroom.run("editions", "release", "1").output
    approved = newsroom.run(
        "editions", "approve", "1", "--expect", shown["expect"], "--by", "Maria"
    )
    assert "Edition 1 is approved for 3 recipients. Next: digest send weekly." in approved.output
    assert "3 sent" in sent(newsroom, "--expect", shown["expect"])
    for sender_address, recipient, message in server.mails:
        ours = with_example_tokens(message, sender_address)
        assert any(
            without(ours, "To") == without(path.read_bytes(), "To")
            for path in (newsroom.folder / "preview").glob("*.eml")
        )
        mail = message_from_bytes(message)
        assert (mail["Subject"] == "A quiet week") == (recipient != CLARA)
        if recipient == ANNA:
            assert "A quiet week: see our list" in " ".join(text_of(mail).split())
    edition = newsroom.json("editions", "show", "1")
    assert edition["hash"] == shown["hash"]
    assert edition["hand"]["left_out"] == [dropped, postponed]
    newsroom.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
    assert newsroom.run("ingest").exit_code == 0
    assert newsroom.json("editions", "show", "1")["hash"] == shown["hash"]
    assert "nothing was sent" in sent(newsroom)


def test_a_draft_that_nobody_approves_is_held_by_cron_too(newsroom: Desk) -> None:
    """For the newsroom without a service: `digest send` holds it, which the alarms report."""
    newsroom.configure(approval="true")
    assert "Edition 1 is a draft" in sent(newsroom)
    with newsroom.open() as db, db.write():  # as if it were long ago
        sql = "UPDATE editions SET starts_at = '2026-11-01T03:00Z', ends_at = '2026-11-02T03:00Z'"
        db.run(sql)
    assert "Edition 1 is a draft, held" in sent(newsroom)
    assert "nobody approved it by" in newsroom.run("status").output
    assert "draft 1" in newsroom.run("send", "--test", ANNA).output


def test_a_second_send_sends_nothing(newsroom: Desk, server: Submission) -> None:
    """For the readers: another run, by hand or by timer, mails nobody twice."""
    sent(newsroom)
    assert "nothing was sent" in sent(newsroom)
    assert newsroom.json("send", "--yes") == []
    assert len(server.mails) == 3


def test_who_got_what_can_be_exported_as_csv(newsroom: Desk) -> None:
    """For the person responsible: address, status, server and its last answer for each delivery."""
    sent(newsroom)
    rows = list(csv.DictReader(io.StringIO(newsroom.run("editions", "show", "1", "--csv").output)))
    assert [(row["address"], row["status"]) for row in rows] == [
        (one, "sent") for one in (ANNA, BORIS, CLARA)
    ]
    assert all(row["answer"] == "250 2.0.0 Ok" and row["server"] for row in rows)


def test_without_a_yes_nothing_is_sent_or_composed(newsroom: Desk, server: Submission) -> None:
    """For the careful: the question says what would be sent, and to how many."""
    result = newsroom.run("send", answer="n\n")
    assert result.exit_code == 1
    assert "36 articles to 3 recipients by smtp" in result.output
    assert server.mails == []
    assert newsroom.json("editions", "list") == []
    assert newsroom.run("send", answer="y\n").exit_code == 0
    assert len(server.mails) == 3


def test_a_test_mail_is_exactly_the_mail_and_leaves_no_trace(
    newsroom: Desk, server: Submission
) -> None:
    """For the editor who wants to see it in a mail program first."""
    shown = rehearse(newsroom)
    sent(newsroom, "--test", "editor@newsroom.example")
    ((_, recipient, message),) = server.mails
    assert recipient == "editor@newsroom.example"
    eml = newsroom.folder / "preview" / f"{shown['segments'][0]['name']}.eml"
    # The window of a test ends some seconds later than that of the dry run.
    assert without(message, "To", "Date") == without(eml.read_bytes(), "To", "Date")
    assert newsroom.json("editions", "list") == []
    assert rehearse(newsroom)["hash"] == shown["hash"]


def test_a_test_mail_can_always_be_sent(
    desk: Desk, server: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample in a new newsroom; the last edition when nothing is to be sent; 1 if it was refused."""
    test = ("--test", "editor@newsroom.example")
    with desk.open():
        pass
    assert "a sample" in sent(desk, *test)
    assert desk.run("ingest").exit_code == 0
    assert desk.run("recipients", "add", ANNA).exit_code == 0
    sent(desk)
    assert "the last edition, no. 1" in sent(desk, *test)
    sample, mail, again = (message_from_bytes(one)["Subject"] for _, _, one in server.mails)
    assert mail == again != sample
    assert desk.json("editions", "list")[0]["deliveries"] == {"sent": 1}
    monkeypatch.setenv(VARIABLE, "wrong")
    refused = desk.run("send", *test)
    assert refused.exit_code == 1
    assert "the test mail was not accepted" in refused.stderr


def test_a_first_portion_leaves_the_rest_queued(newsroom: Desk, server: Submission) -> None:
    """For the careful: one, then a chosen one, then all others, each once."""
    assert "2 deliveries stay queued" in sent(newsroom, "--limit", "1")
    assert [mail[1] for mail in server.mails] == [ANNA]
    assert "1 delivery stays queued" in sent(newsroom, "--to", CLARA)
    assert [mail[1] for mail in server.mails] == [ANNA, CLARA]
    sent(newsroom)
    assert [mail[1] for mail in server.mails] == [ANNA, CLARA, BORIS]


def test_what_is_queued_can_be_sent_alone(newsroom: Desk, server: Submission) -> None:
    """For the day after: the rest is sent, and no edition is composed from newer articles."""
    assert "Nothing is due" in newsroom.run("send", "--queued", "--yes").stdout
    sent(newsroom, "--limit", "1")
    (newsroom.seeds / "new.txt").write_text(
        "Seizure at the border\n\nCustoms seized heroin today.\n"
    )
    assert "1 new article" in newsroom.run("ingest").stdout
    sent(newsroom, "--queued")
    assert sorted(mail[1] for mail in server.mails) == sorted([ANNA, BORIS, CLARA])
    assert len(newsroom.json("editions", "list")) == 1


def test_an_outdated_expectation_is_refused(newsroom: Desk, server: Submission) -> None:
    """For the person who approved another edition: nothing is sent or composed, and the reason is given."""
    expect = rehearse(newsroom)["expect"]
    newsroom.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
    newsroom.run("ingest")
    for options in ((), ("--limit", "1")):
        result = newsroom.run("send", "--yes", "--expect", expect, *options)
        assert result.exit_code == 1
        assert "digest send --dry-run" in result.output
    assert server.mails == []
    assert newsroom.json("editions", "list") == []


def own_footer(desk: Desk) -> None:
    mine = desk.folder / "mine" / "mail"
    mine.mkdir(parents=True)
    (mine / "footer.txt").write_text("{{ mail.footer.leave.url }}\n", "utf-8")
    desk.edit_config('# templates = "my-templates"', 'templates = "mine"')


CHANGES = [
    pytest.param(lambda desk: desk.edit_config('en = "The week"', 'en = "Our week"'), "config.toml", id="a title"),
    pytest.param(lambda desk: desk.configure(per_theme="3"), "config.toml", id="how much is shown"),
    pytest.param(lambda desk: desk.edit_config("https://news.example.org", "https://new.example"), "config.toml", id="an address"),
    pytest.param(own_footer, "the templates", id="a template"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "what"), CHANGES)
def test_an_approved_hash_covers_all_that_decides_the_mail(
    newsroom: Desk, server: Submission, change: Callable[[Desk], None], what: str
) -> None:
    """For the person who approved it: another mail under the same hash is refused, with the reason."""
    expect = rehearse(newsroom)["expect"]
    change(newsroom)
    for options in (("--yes",), ("--dry-run",)):
        result = newsroom.run("send", *options, "--expect", expect)
        assert result.exit_code == 1
        assert f"what has changed is {what}." in result.stderr
    assert server.mails == []


@pytest.mark.parametrize(("change", "what"), CHANGES)
def test_a_later_portion_is_the_same_mail(
    newsroom: Desk, server: Submission, change: Callable[[Desk], None], what: str
) -> None:
    """For the readers of one edition: whatever was changed since, they all read the same."""
    for name in ("first", "second"):
        newsroom.run("recipients", "add", f"{name}@reader.example", "--language", "en")
    sent(newsroom, "--to", "first@reader.example")
    change(newsroom)
    shown = rehearse(newsroom)
    sent(newsroom, "--to", "second@reader.example")
    mails = [without(with_example_tokens(mail[2], mail[0]), "To") for mail in server.mails]
    [name] = [
        one["name"]
        for one in shown["segments"]
        if one["languages"] == ["en"] and len(one["themes"]) > 1
    ]
    eml = (newsroom.folder / "preview" / f"{name}.eml").read_bytes()
    assert mails == [without(eml, "To")] * 2


def test_an_edition_that_was_sent_is_no_longer_expected(newsroom: Desk, server: Submission) -> None:
    """For scripts: `--expect` sends that edition, or says with its exit code that it did not."""
    expect = rehearse(newsroom)["expect"]
    sent(newsroom, "--expect", expect)
    assert newsroom.run("send", "--yes", "--expect", expect).exit_code == 1
    assert len(server.mails) == 3


def test_a_held_edition_waits_for_its_release(newsroom: Desk, server: Submission) -> None:
    """For the editor who found a mistake in time."""
    sent(newsroom, "--limit", "1")
    assert newsroom.run("editions", "hold", "1", "--note", "wrong lead").exit_code == 0
    assert "Edition 1 is held with 2 deliveries queued: wrong lead" in sent(newsroom)
    assert len(server.mails) == 1
    newsroom.run("editions", "release", "1")
    sent(newsroom)
    assert sorted(mail[1] for mail in server.mails) == [ANNA, BORIS, CLARA]


def test_only_what_a_person_saw_is_sent(newsroom: Desk, server: Submission) -> None:
    """An edition that the service composes while the question is open is not part of the answer."""
    sent(newsroom, "--limit", "1")
    (newsroom.seeds / "late.txt").write_text("Late\n\nA late piece on customs.\n", "utf-8")
    newsroom.run("ingest")
    ours = Newsroom.from_file(newsroom.config)
    weekly = ours.settings.digests[0]
    with newsroom.open(read_only=True) as db, db.snapshot():
        planned = plan(opened(db, ours.settings, clock=ours.now), weekly, None)
        seen = [one for one in planned if one.frozen]
    assert len(seen) == 1
    with newsroom.open() as db:
        with db.write():  # or both windows might end in the same second
            db.run(
                "UPDATE editions SET starts_at = '2026-01-01T00:00:00.000000Z', "
                "ends_at = '2026-01-02T00:00:00.000000Z'"
            )
        compose_now(opened(db, ours.settings, clock=ours.now), weekly)
        send_editions(
            opened(db, ours.settings),
            weekly,
            expect=None,
            shown=seen,
            portion=Portion(),
            notify=lambda _: None,
        )
    assert newsroom.json("editions", "show", "1")["deliveries"] == {"sent": 3}
    assert newsroom.json("editions", "show", "2")["deliveries"] == {"queued": 3}


def test_the_dry_run_counts_who_will_be_mailed(newsroom: Desk, server: Submission) -> None:
    """Without those who unsubscribed or were suppressed, before the edition was composed or since."""
    newsroom.run("suppressions", "add", BORIS)
    assert sum(one["recipients"] for one in rehearse(newsroom)["segments"]) == 2
    newsroom.run("suppressions", "remove", BORIS)
    sent(newsroom, "--limit", "1")
    newsroom.run("suppressions", "add", BORIS)
    shown = rehearse(newsroom)
    assert [one["recipients"] for one in shown["segments"]] == [1]
    assert "1 sent" in sent(newsroom)


def test_a_cancelled_edition_is_sent_to_nobody_else(newsroom: Desk, server: Submission) -> None:
    """What was sent stays sent; the rest is skipped, with the reason, and the counts balance."""
    sent(newsroom, "--limit", "1")
    newsroom.run("editions", "cancel", "1")
    assert "nothing was sent" in sent(newsroom)
    edition = newsroom.json("editions", "show", "1")
    assert edition["deliveries"] == {"sent": 1, "skipped": 2}
    assert edition["balanced"]
    assert newsroom.run("editions", "release", "1").exit_code == 0
    assert "nothing was sent" in sent(newsroom)
    assert len(server.mails) == 1


def test_without_recipients_the_news_waits(desk: Desk, server: Submission) -> None:
    """For the newcomer who sends first and adds recipients later: they get it all."""
    desk.run("ingest")
    assert "no recipient gets weekly" in sent(desk)
    desk.run("recipients", "add", ANNA)
    sent(desk)
    assert [mail[1] for mail in server.mails] == [ANNA]
    assert len(desk.json("editions", "show", "1")["articles"]) == 36


def test_a_copy_of_the_database_does_not_send(newsroom: Desk, server: Submission) -> None:
    """For an operator who restored a backup beside the original: not before `digest activate`."""
    sent(newsroom, "--limit", "1")
    elsewhere = newsroom.folder.parent / "elsewhere"
    shutil.copytree(newsroom.folder, elsewhere)
    copy = Desk(elsewhere)
    result = copy.run("send", "--yes")
    assert result.exit_code == 1
    assert "digest activate" in result.output
    assert len(server.mails) == 1
    assert copy.run("activate").exit_code == 0
    sent(copy)
    assert len(server.mails) == 3


def test_no_address_token_or_password_is_printed(newsroom: Desk, server: Submission) -> None:
    """The log of a terminal or timer names nobody and opens nothing."""
    newsroom.run("recipients", "add", "dead@reader.example")
    outputs = [rehearse(newsroom)["expect"], newsroom.run("send", "--dry-run").output]
    outputs += [sent(newsroom, "--limit", "1"), newsroom.run("send", answer="y\n").output]
    commands = (["doctor"], ["config"], ["status"], ["editions", "show", "1"], ["send", "--yes"])
    outputs += [newsroom.run(*words).output for words in commands]
    tokens = [re.search(r"\+(.*)@", mail[0])[1] for mail in server.mails]  # type: ignore[index]
    newsroom.config.write_text(newsroom.config.read_text("utf-8").replace(USER, "nobody"), "utf-8")
    for text in outputs:
        assert LOGIN_WORD not in text
        assert not any(token in text for token in tokens)
        assert "reader.example" not in text


def test_a_wrong_password_sends_nothing_and_is_not_printed(
    newsroom: Desk, server: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the operator: what is wrong and what to do, without the password."""
    monkeypatch.setenv(VARIABLE, "not-the-password")
    result = newsroom.run("send", "--yes")
    assert result.exit_code == 1
    assert "535" in result.output
    assert server.mails == []
    assert "not-the-password" not in result.output
    assert not ADDRESS.search(result.output)
    monkeypatch.setenv(VARIABLE, LOGIN_WORD)
    newsroom.run("editions", "release", "1")
    sent(newsroom)
    assert len(server.mails) == 3


@pytest.fixture
def crowd(filled: Desk) -> Iterator[tuple[Desk, Relay]]:
    """Forty recipients, and a slow server; at the end nobody got the edition twice."""
    with filled.open() as db:
        Office(filled, db).add(*[f"r{n}@reader.example" for n in range(40)])
    with relaying(Relay(seconds=0.04)) as relay:
        use_smtp(filled, relay.port)
        yield filled, relay
    assert set(relay.taken.values()) == {1}


def amid(
    crowd: tuple[Desk, Relay], messages: int, act: Callable[[subprocess.Popen[str]], object]
) -> tuple[str, str, dict[str, Any]]:
    """Do something while the edition is sent; the sender's output, its errors, and the edition."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(messages)
        act(process)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in output + errors
    edition = desk.json("editions", "show", "1")
    assert edition["balanced"]
    return output, errors, edition["deliveries"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sender_stops_cleanly_when_asked(
    crowd: tuple[Desk, Relay], number: signal.Signals
) -> None:
    """Mails under way finish, the rest stays queued and is reported; the next run sends it, nobody twice."""
    desk, relay = crowd
    output, errors, counts = amid(crowd, 8, lambda process: process.send_signal(number))
    assert set(counts) == {"queued", "sent"}
    assert counts["sent"] == len(relay.taken)
    assert 8 <= counts["sent"] < 25
    assert f"{counts['queued']} deliveries stay queued" in output
    assert "Stopping" in errors
    relay.seconds = 0
    assert desk.run("send", "--yes").exit_code == 0
    assert desk.json("editions", "show", "1")["deliveries"] == {"sent": 40}


def test_a_second_sender_is_refused_with_the_firsts_process_id(crowd: tuple[Desk, Relay]) -> None:
    """A timer that fires while a person sends does no harm, and says which process is sending."""

    def send_too(process: subprocess.Popen[str]) -> None:
        second = crowd[0].run("send", "--yes")
        assert second.exit_code == 1
        assert f"process {process.pid}, started 20" in second.output

    assert amid(crowd, 1, send_too)[2] == {"sent": 40}


@pytest.mark.parametrize(("verb", "left"), [("hold", "queued"), ("cancel", "skipped")])
def test_an_edition_can_be_stopped_while_it_is_sent(
    crowd: tuple[Desk, Relay], verb: str, left: str
) -> None:
    """For the editor who sees the mistake in the first copy that arrives."""
    desk, relay = crowd
    _, _, counts = amid(crowd, 8, lambda _: desk.run("editions", verb, "1"))
    assert counts["sent"] == len(relay.taken) < 25
    assert counts[left] == 40 - len(relay.taken)


def test_a_recipient_suppressed_meanwhile_is_not_mailed(crowd: tuple[Desk, Relay]) -> None:
    """Checked when queued, and again before its mail is sent."""
    desk, relay = crowd
    amid(crowd, 4, lambda _: desk.run("suppressions", "add", "R39@Reader.example"))
    assert "r39@reader.example" not in relay.taken
    assert len(relay.taken) == 39
    desk.run("send", "--yes")
    (row,) = desk.json("deliveries", "list", "--status", "skipped")
    assert (row["address"], row["reason"]) == ("r39@reader.example", "suppressed")


@pytest.mark.parametrize("command", [("send", "--yes"), ("send", "--queued", "--yes")])
def test_what_a_killed_sender_left_is_settled_before_a_plan_is_made(
    filled: Desk, command: tuple[str, ...]
) -> None:
    """Killed in its last group: one mail not delivered yet, one delivered, one taken by a program."""
    with filled.open() as db:
        Office(filled, db).add("a@reader.example", "b@reader.example", "c@reader.example")
    assert filled.run("send", "--yes").exit_code == 0
    outbox = filled.folder / "outbox"
    undelivered, _, taken = sorted((outbox / "new").iterdir())
    undelivered.rename(outbox / "tmp" / undelivered.name)
    taken.unlink()
    with filled.open() as db, db.write():  # as it was before the answers
        db.run("UPDATE deliveries SET status = 'handed', settled_at = NULL")
    (trouble,) = [one for one in filled.json("status")["troubles"] if one["key"] == "handed"]
    assert "3 deliveries were handed over by a sender that died" in trouble["said"]
    rehearsal = filled.run("send", "--dry-run", "--out", str(filled.folder / "preview"), "--json")
    assert json.loads(rehearsal.stdout)["recipients"] == 1
    assert "1 will be sent" in rehearsal.stderr
    assert "3 deliveries were left without an answer" in filled.run(*command).stderr
    [edition] = filled.json("editions", "list")
    assert edition["deliveries"] == {"sent": 2, "uncertain": 1}
    assert len(list((outbox / "new").iterdir())) == 2
    assert not list((outbox / "tmp").iterdir())

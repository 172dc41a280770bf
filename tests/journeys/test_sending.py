"""From seeds to mail: the command line, a server with STARTTLS and login, and three recipients."""

import csv
import io
import re
import shutil
import signal
from base64 import b64decode, b64encode
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

import pytest

from digest.cli.send import plan, send_editions
from digest.editions.compose import compose_now
from digest.editions.deliver import Portion
from digest.editions.preview import EXAMPLE_TOKEN
from digest.newsroom import Newsroom
from tests.desks import LISTING, Desk, opened
from tests.journeys.crashing import sender
from tests.journeys.relay import Relay, relaying
from tests.journeys.submission import LOGIN_WORD, USER, VARIABLE, Submission, submitting
from tests.mail.certificates import write_certificate
from tests.mailing import Office, use_smtp

ANNA, BORIS, CLARA = "anna@reader.example", "boris@reader.example", "clara@reader.example"
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> Iterator[Submission]:
    """A submission server that config.toml names."""
    monkeypatch.setenv(VARIABLE, LOGIN_WORD)
    certificate = write_certificate(tmp_path_factory.mktemp("tls"), "localhost")
    with submitting(certificate) as submission:
        use_smtp(
            desk,
            submission.port,
            host="localhost",
            tls="starttls",
            ca_file=certificate,
            username=USER,
            password_env=VARIABLE,
        )
        yield submission


@pytest.fixture
def newsroom(desk: Desk, server: Submission) -> Desk:
    """Copy has come in, and three people with different choices want it."""
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


def with_example_token(message: bytes, sender_address: str) -> bytes:
    """The message as a dry run would show it: the token of the return path made the example's."""
    token = re.fullmatch(r"bounces\+([a-z2-7]{32})@news\.example\.org", sender_address)
    assert token is not None, "the return path names the delivery"
    own, example = token[1].encode(), EXAMPLE_TOKEN.encode()
    return b"\r\n".join(_exchanged(line, own, example) for line in message.split(b"\r\n"))


def _exchanged(line: bytes, own: bytes, example: bytes) -> bytes:
    if re.fullmatch(rb"[A-Za-z0-9+/]{44,}={0,2}", line) and own in (text := b64decode(line)):
        return b64encode(text.replace(own, example))
    return line.replace(own, example)


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
    """For everybody: three recipients, three choices, the right articles, one message each."""
    shown = rehearse(newsroom)
    said = sent(newsroom, "--expect", shown["expect"])
    assert "3 sent" in said
    assert sorted(recipient for _, recipient, _ in server.mails) == [ANNA, BORIS, CLARA]
    assert len({sender_address for sender_address, _, _ in server.mails}) == 3
    languages = {ANNA: ["en", "ru"], BORIS: ["en"], CLARA: ["ru"]}
    articles = {one["id"]: one for one in newsroom.json("articles", "list")}
    for sender_address, recipient, message in server.mails:
        segment = next(one for one in shown["segments"] if one["languages"] == languages[recipient])
        eml = (newsroom.folder / "preview" / f"{segment['name']}.eml").read_bytes()
        ours = with_example_token(message, sender_address)
        assert without(ours, "To") == without(eml, "To")
        assert recipient in message_from_bytes(message)["To"]
        text = " ".join(text_of(message_from_bytes(message)).split())
        inside = {i for section in segment["sections"] for i in section["articles"]}
        assert inside
        assert all(" ".join(articles[i]["title"].split())[:60] in text for i in inside)
        assert {articles[i]["language"] for i in inside} <= set(languages[recipient])
        if recipient == BORIS:
            assert all("drugs" in articles[i]["themes"] for i in inside)


def test_the_hash_of_the_dry_run_is_the_editions(newsroom: Desk) -> None:
    """For who approves: the number on the paper is the number in the archive."""
    shown = rehearse(newsroom)
    sent(newsroom, "--expect", shown["expect"])
    edition = newsroom.json("editions", "show", "1")
    assert edition["hash"] == shown["hash"]
    assert edition["ends_at"] == shown["ends_at"]
    assert edition["recipients"] == 3
    assert edition["deliveries"] == {"sent": 3}
    assert edition["balanced"]


def test_a_second_send_sends_nothing(newsroom: Desk, server: Submission) -> None:
    """For the readers: whoever runs it once more, by hand or by timer, mails nobody twice."""
    sent(newsroom)
    assert "nothing was sent" in sent(newsroom)
    assert newsroom.json("send", "--yes") == []
    assert len(server.mails) == 3


def test_who_got_what_can_be_taken_out_as_csv(newsroom: Desk) -> None:
    """For who has to answer for it: address, state, server and its last word for each."""
    sent(newsroom)
    rows = list(csv.DictReader(io.StringIO(newsroom.run("editions", "show", "1", "--csv").output)))
    assert [(row["address"], row["status"]) for row in rows] == [
        (one, "sent") for one in (ANNA, BORIS, CLARA)
    ]
    assert all(row["answer"] == "250 2.0.0 Ok" and row["server"] for row in rows)


def test_without_a_yes_nothing_is_sent_or_composed(newsroom: Desk, server: Submission) -> None:
    """For the careful: the question tells what and to how many."""
    result = newsroom.run("send", answer="n\n")
    assert result.exit_code == 1
    assert "36 articles to 3 recipients by smtp" in result.output
    assert server.mails == []
    assert newsroom.json("editions", "list") == []
    assert newsroom.run("send", answer="y\n").exit_code == 0
    assert len(server.mails) == 3


def test_a_test_mail_is_the_very_mail_and_leaves_no_trace(
    newsroom: Desk, server: Submission
) -> None:
    """For the editor who wants to see it in a mail program first."""
    shown = rehearse(newsroom)
    sent(newsroom, "--test", "editor@newsroom.example")
    ((_, recipient, message),) = server.mails
    assert recipient == "editor@newsroom.example"
    eml = newsroom.folder / "preview" / f"{shown['segments'][0]['name']}.eml"
    # A test is closed some seconds later than what was rehearsed.
    assert without(message, "To", "Date") == without(eml.read_bytes(), "To", "Date")
    assert newsroom.json("editions", "list") == []
    assert rehearse(newsroom)["hash"] == shown["hash"]


def test_a_first_portion_leaves_the_rest_queued(newsroom: Desk, server: Submission) -> None:
    """For the careful: one, then a chosen one, then all others, each once."""
    assert "2 deliveries stay queued" in sent(newsroom, "--limit", "1")
    assert [mail[1] for mail in server.mails] == [ANNA]
    assert "1 delivery stays queued" in sent(newsroom, "--to", CLARA)
    assert [mail[1] for mail in server.mails] == [ANNA, CLARA]
    sent(newsroom)
    assert [mail[1] for mail in server.mails] == [ANNA, CLARA, BORIS]


def test_what_is_queued_can_be_sent_alone(newsroom: Desk, server: Submission) -> None:
    """For the day after: who was put off gets it, and no edition is made of what came in since."""
    assert "Nothing is due" in newsroom.run("send", "--queued", "--yes").stdout
    sent(newsroom, "--limit", "1")
    (newsroom.seeds / "new.txt").write_text(
        "Seizure at the border\n\nCustoms seized heroin today.\n"
    )
    assert "1 new article" in newsroom.run("ingest").stdout
    sent(newsroom, "--queued")
    assert sorted(mail[1] for mail in server.mails) == sorted([ANNA, BORIS, CLARA])
    assert len(newsroom.json("editions", "list")) == 1


def test_an_expectation_that_no_longer_holds_is_refused(newsroom: Desk, server: Submission) -> None:
    """For who approved another edition: nothing is sent, nothing is composed, and the reason told."""
    expect = rehearse(newsroom)["expect"]
    newsroom.edit_seed(LISTING, "to mark the World Drug Day", "to honour the World Drug Day")
    newsroom.run("ingest")
    for options in ((), ("--limit", "1")):
        result = newsroom.run("send", "--yes", "--expect", expect, *options)
        assert result.exit_code == 1
        assert "digest send --dry-run" in result.output
    assert server.mails == []
    assert newsroom.json("editions", "list") == []


def test_an_edition_that_went_out_is_no_longer_expected(newsroom: Desk, server: Submission) -> None:
    """For scripts: `--expect` sends that edition, or says with its exit code that it did not."""
    expect = rehearse(newsroom)["expect"]
    sent(newsroom, "--expect", expect)
    assert newsroom.run("send", "--yes", "--expect", expect).exit_code == 1
    assert len(server.mails) == 3


def test_a_held_edition_waits_for_its_release(newsroom: Desk, server: Submission) -> None:
    """For the editor who found a mistake in time."""
    sent(newsroom, "--limit", "1")
    assert newsroom.run("editions", "hold", "1", "--note", "wrong lead").exit_code == 0
    said = sent(newsroom)
    assert "Edition 1 is held with 2 deliveries queued: wrong lead" in said
    assert len(server.mails) == 1
    newsroom.run("editions", "release", "1")
    sent(newsroom)
    assert sorted(mail[1] for mail in server.mails) == [ANNA, BORIS, CLARA]


def test_only_what_a_person_saw_is_sent(newsroom: Desk, server: Submission) -> None:
    """An edition that the service composes while the question stands is not in the answer."""
    sent(newsroom, "--limit", "1")
    (newsroom.seeds / "late.txt").write_text("Late\n\nA late piece on customs.\n", "utf-8")
    newsroom.run("ingest")
    with newsroom.open(read_only=True) as db, db.snapshot():
        ours = Newsroom.from_file(newsroom.config)
        seen = [
            one
            for one in plan(
                opened(db, ours.settings, clock=ours.now), ours.settings.digests[0], None
            )
            if one.frozen
        ]
    assert len(seen) == 1
    with newsroom.open() as db:
        with db.write():  # else both windows might end in one second
            db.run(
                "UPDATE editions SET starts_at = '2026-01-01T00:00:00.000000Z', "
                "ends_at = '2026-01-02T00:00:00.000000Z'"
            )
        compose_now(opened(db, ours.settings, clock=ours.now), ours.settings.digests[0])
        send_editions(
            opened(db, ours.settings),
            ours.settings.digests[0],
            expect=None,
            shown=seen,
            portion=Portion(),
            told=lambda _: None,
        )
    assert newsroom.json("editions", "show", "1")["deliveries"] == {"sent": 3}
    assert newsroom.json("editions", "show", "2")["deliveries"] == {"queued": 3}


def test_the_dry_run_counts_who_will_be_mailed(newsroom: Desk, server: Submission) -> None:
    """Who left or was suppressed since the edition was composed is not among them."""
    sent(newsroom, "--limit", "1")
    newsroom.run("suppressions", "add", BORIS)
    shown = rehearse(newsroom)
    assert [one["recipients"] for one in shown["segments"]] == [1]
    assert "1 sent" in sent(newsroom)


def test_a_cancelled_edition_is_sent_to_nobody_more(newsroom: Desk, server: Submission) -> None:
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
    assert "No recipient gets weekly." in sent(desk)
    desk.run("recipients", "add", ANNA)
    sent(desk)
    assert [mail[1] for mail in server.mails] == [ANNA]
    assert len(desk.json("editions", "show", "1")["articles"]) == 36


def test_a_copy_of_the_database_does_not_send(newsroom: Desk, server: Submission) -> None:
    """For who restored a backup beside the one that runs: not before `digest activate`."""
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


def test_no_address_token_or_password_is_told(newsroom: Desk, server: Submission) -> None:
    """What lands in a terminal's or a timer's log names nobody and opens nothing."""
    newsroom.run("recipients", "add", "dead@reader.example")
    told = [rehearse(newsroom)["expect"], newsroom.run("send", "--dry-run").output]
    told += [sent(newsroom, "--limit", "1"), newsroom.run("send", answer="y\n").output]
    commands = (["doctor"], ["config"], ["status"], ["editions", "show", "1"], ["send", "--yes"])
    told += [newsroom.run(*words).output for words in commands]
    tokens = [re.search(r"\+(.*)@", mail[0])[1] for mail in server.mails]  # type: ignore[index]
    newsroom.config.write_text(newsroom.config.read_text("utf-8").replace(USER, "nobody"), "utf-8")
    for text in told:
        assert LOGIN_WORD not in text
        assert not any(token in text for token in tokens)
        assert "reader.example" not in text


def test_a_wrong_password_sends_nothing_and_is_not_told(
    newsroom: Desk, server: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the operator: what is wrong and what to do, without what opens the door."""
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
    """Forty recipients, and a server that takes its time."""
    with filled.open() as db:
        Office(filled, db).add(*[f"r{n}@reader.example" for n in range(40)])
    with relaying(Relay(seconds=0.04)) as relay:
        use_smtp(filled, relay.port)
        yield filled, relay


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_who_is_asked_to_stop_stops_in_good_order(
    crowd: tuple[Desk, Relay], asked: signal.Signals
) -> None:
    """Those under way finish, the rest stays queued and is told; the next run sends it, nobody twice."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(8)
        process.send_signal(asked)
        said, complaint = process.communicate(timeout=30)
    assert process.returncode == 0, complaint
    counts = desk.json("editions", "show", "1")["deliveries"]
    assert set(counts) == {"queued", "sent"}
    assert counts["sent"] == len(relay.taken)
    assert 8 <= counts["sent"] < 25
    assert f"{counts['queued']} deliveries stay queued" in said
    assert "Stopping" in complaint
    relay.seconds = 0
    assert desk.run("send", "--yes").exit_code == 0
    assert desk.json("editions", "show", "1")["deliveries"] == {"sent": 40}
    assert set(relay.taken.values()) == {1}


def test_a_second_sender_is_refused_with_the_firsts_process_id(crowd: tuple[Desk, Relay]) -> None:
    """A timer that fires while a person sends does no harm, and says who is at it."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(1)
        second = desk.run("send", "--yes")
        process.communicate(timeout=30)
    assert second.exit_code == 1
    assert f"process {process.pid}, started 20" in second.output
    assert desk.json("editions", "show", "1")["deliveries"] == {"sent": 40}
    assert set(relay.taken.values()) == {1}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        pytest.param(("editions", "hold", "1"), "queued", id="held"),
        pytest.param(("editions", "cancel", "1"), "skipped", id="cancelled"),
    ],
)
def test_an_edition_can_be_stopped_while_it_goes_out(
    crowd: tuple[Desk, Relay], words: tuple[str, ...], left: str
) -> None:
    """For the editor who sees the mistake in the first copy that arrives."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(8)
        assert desk.run(*words).exit_code == 0
        said, complaint = process.communicate(timeout=30)
    assert "Traceback" not in said + complaint
    edition = desk.json("editions", "show", "1")
    assert edition["balanced"]
    assert edition["deliveries"]["sent"] == len(relay.taken) < 25
    assert edition["deliveries"][left] == 40 - len(relay.taken)


def test_who_is_suppressed_meanwhile_is_not_mailed(crowd: tuple[Desk, Relay]) -> None:
    """Checked when queued, and again when its turn comes."""
    desk, relay = crowd
    with sender(desk) as process:
        relay.wait_for_messages(4)
        assert desk.run("suppressions", "add", "R39@Reader.example").exit_code == 0
        process.communicate(timeout=30)
    assert "r39@reader.example" not in relay.taken
    assert len(relay.taken) == 39
    assert process.returncode == 0
    desk.run("send", "--yes")
    (row,) = desk.json("deliveries", "list", "--status", "skipped")
    assert (row["address"], row["reason"]) == ("r39@reader.example", "suppressed")

"""The maildir transport."""

import mailbox

import pytest

from digest.mail.maildir import GROUP, MaildirTransport, file_name
from digest.mail.outgoing import OutcomeKind
from tests.mail.ledger_book import BODY, Book, outgoing

PEOPLE = [f"r{i}@example.net" for i in range(GROUP + 5)]


def test_each_message_is_one_file_that_mail_programs_read(tmp_path):
    """For a new machine: everything works, and the mail can be read."""
    book = Book()
    report = book.run(MaildirTransport(tmp_path / "outbox"), outgoing(PEOPLE))
    box = mailbox.Maildir(tmp_path / "outbox", create=False)
    assert len(box) == len(PEOPLE)
    assert {message["Subject"] for message in box} == {"The week"}
    assert report.exhausted
    assert report.counts == {OutcomeKind.SENT: len(PEOPLE)}
    assert not list((tmp_path / "outbox" / "tmp").iterdir())
    assert book.groups == [GROUP, 5]


def test_the_file_holds_the_bytes_of_the_message(tmp_path):
    """For the third promise: the bytes that were shown are the bytes that are sent."""
    message = outgoing(["a@example.net"])[0]
    Book().run(MaildirTransport(tmp_path), [message])
    assert (tmp_path / "new" / file_name(message)).read_bytes() == BODY


def test_delivering_again_after_a_crash_doubles_nothing(tmp_path):
    """For the first promise: the file's name is fixed by the delivery."""
    messages = outgoing(PEOPLE[:10])
    Book().run(MaildirTransport(tmp_path), messages[:6])
    Book().run(MaildirTransport(tmp_path), messages)
    assert len(list((tmp_path / "new").iterdir())) == 10


@pytest.mark.parametrize(
    ("place", "fate"),
    [
        pytest.param("tmp/{}", OutcomeKind.UNSENT, id="not delivered yet"),
        pytest.param("new/{}", OutcomeKind.SENT, id="delivered"),
        pytest.param("cur/{}:2,S", OutcomeKind.SENT, id="read in a mail program"),
        pytest.param("elsewhere", OutcomeKind.UNCERTAIN, id="a program may have taken it"),
    ],
)
def test_the_outbox_shows_what_became_of_a_message(tmp_path, place, fate):
    """For recovery after a crash: what is not certain is not sent again."""
    (message,) = outgoing(["a@example.net"])
    transport = MaildirTransport(tmp_path)
    Book().run(transport, [message])
    name = file_name(message)
    (tmp_path / "new" / name).rename(tmp_path / place.format(name))
    assert transport.fate(message) is fate


@pytest.mark.parametrize("died_at", ["handed", "settled"])
def test_a_sender_that_dies_leaves_every_message_certain(tmp_path, died_at):
    """Complete in tmp/ before `handed` is on disk, in new/ before the answer is."""

    def die(_):
        raise KeyboardInterrupt

    messages = outgoing(PEOPLE[:3])
    transport = MaildirTransport(tmp_path)
    seen = []
    calls = {"handed": lambda _: seen.extend(map(transport.fate, messages)), "settled": die}
    if died_at == "settled":
        calls["handed"] = lambda _: None
    with pytest.raises(KeyboardInterrupt):
        transport.deliver(iter(messages), stop=lambda: False, **calls)
    seen += map(transport.fate, messages)
    assert seen == [OutcomeKind.UNSENT] * (3 if died_at == "handed" else 0) + [OutcomeKind.SENT] * 3


def test_names_differ_between_databases_that_count_alike():
    """For a second newsroom that writes to the same outbox."""
    one, other = outgoing(["a@example.net"])[0], outgoing(["b@example.net"])[0]
    assert one.delivery_id == other.delivery_id
    assert file_name(one) != file_name(other)


def test_stopping_leaves_the_rest_undrawn(tmp_path):
    """For Ctrl-C: what was not drawn stays queued."""
    book = Book()
    answers = iter([False, True])
    report = book.run(MaildirTransport(tmp_path), outgoing(PEOPLE), stop=lambda: next(answers))
    assert report.stopped
    assert not report.exhausted
    assert len(book.drawn) == GROUP


def test_a_folder_that_cannot_be_written_is_our_own_fault(tmp_path):
    """For the operator: the edition pauses, with the reason."""
    (tmp_path / "outbox").write_text("a file")
    book = Book()
    report = book.run(MaildirTransport(tmp_path / "outbox"), outgoing(PEOPLE[:3]))
    assert set(book.kinds().values()) == {OutcomeKind.OURS}
    assert report.fault is not None
    assert str(tmp_path / "outbox") in report.fault


def test_nothing_is_written_that_the_ledger_did_not_take(tmp_path):
    """For the ledger: handed comes first."""

    def refuse(ids):
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        MaildirTransport(tmp_path).deliver(
            iter(outgoing(PEOPLE[:3])), handed=refuse, settled=lambda o: None, stop=lambda: False
        )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

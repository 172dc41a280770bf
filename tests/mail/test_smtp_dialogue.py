"""The bytes of the dialogue."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.smtp.connection import (
    LONGEST_REPLY,
    Reply,
    ReplyReader,
    body_with_end,
    check_address,
    check_message,
    envelope_commands,
)

LINES = st.lists(st.text(st.characters(max_codepoint=126, exclude_characters="\r\n")), max_size=8)


@given(LINES)
@settings(max_examples=80)
def test_a_body_survives_stuffing_and_ends_once(lines):
    """For the reader: what the server unstuffs is what we had (RFC 5321 section 4.5.2)."""
    message = "".join(f"{line}\r\n" for line in lines).encode()
    wire = body_with_end(message)
    assert wire.endswith(b".\r\n")
    got, rest = [], wire
    while True:
        line, end, rest = rest.partition(b"\r\n")
        assert end
        if line == b".":
            break
        got.append(line.removeprefix(b".") if line.startswith(b".") else line)
    assert rest == b""
    assert got == (message.split(b"\r\n")[:-1] or ([b""] if not message else []))


@given(st.text(st.sampled_from("a\r\n"), max_size=12).map(str.encode))
@settings(max_examples=100)
def test_only_whole_crlf_line_ends_pass(message):
    """For the receiver: no bare CR or LF can smuggle a message into a message."""
    clean = message.replace(b"\r\n", b"")
    if b"\r" in clean or b"\n" in clean:
        with pytest.raises(ValueError, match="CRLF"):
            check_message(message)
    else:
        check_message(message)


def test_eight_bit_messages_do_not_pass():
    with pytest.raises(ValueError, match="7-bit"):
        check_message("Тема\r\n".encode())


def test_replies_are_cut_wherever_the_packets_are():
    """For a network that splits and joins as it likes."""
    stream = b"250-first\r\n250-second\r\n250 third\r\n354 go\r\n421\r\n550 5.1.1 \xff no\n"
    whole = list(ReplyReader().feed(stream))
    reader, bitwise = ReplyReader(), []
    for i in range(len(stream)):
        bitwise += reader.feed(stream[i : i + 1])
    assert whole == bitwise
    assert whole == [
        Reply(250, "first second third"),
        Reply(354, "go"),
        Reply(421, ""),
        Reply(550, "5.1.1 \ufffd no"),
    ]
    assert not reader.midway


@pytest.mark.parametrize(
    "stream", [b"hello\r\n", b"2500 ok\r\n", b"199 x\r\n", b"x" * (LONGEST_REPLY + 1)]
)
def test_what_is_no_reply_ends_the_dialogue(stream):
    """For the ledger: nonsense is never taken for an answer, nor what comes after it."""
    reader = ReplyReader()
    (reply,) = reader.feed(stream)
    assert reply.code == -1
    assert list(reader.feed(b"250 ok\r\n")) == []


def test_endless_continuation_lines_are_cut_off():
    """For the memory: a server cannot fill it."""
    reader = ReplyReader()
    replies = []
    for _ in range(50):
        replies += reader.feed(b"250-" + b"x" * 1000 + b"\r\n")
    assert [reply.code for reply in replies] == [-1]


def test_an_envelope_is_three_commands_after_one_to_reset():
    rest = (b"RCPT TO:<c@d.test>\r\n", b"DATA\r\n")
    assert envelope_commands("a@b.test", "c@d.test", size=None, reset=False) == (
        b"MAIL FROM:<a@b.test>\r\n",
        *rest,
    )
    assert envelope_commands("a@b.test", "c@d.test", size=7, reset=True) == (
        b"RSET\r\n",
        b"MAIL FROM:<a@b.test> SIZE=7\r\n",
        *rest,
    )


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test",
        "bounces+x=y@b.test",
        '"a b"@c.test',
        "o'hara@b.test",
        "a@xn--e1afmkfd.example",
        "a@[127.0.0.1]",
    ],
)
def test_mailboxes_pass(address):
    check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b.test",
        "a@",
        "a b@c.test",
        "a@b.test>",
        "a@b.test\r\nDATA",
        "a@b c",
        "имя@b.test",
        '"a@b.test',
        "a@" + "b" * 400,
    ],
)
def test_what_is_no_mailbox_does_not_pass(address):
    """For the server: no address brings a command of its own."""
    with pytest.raises(ValueError, match="mailbox"):
        check_address(address)

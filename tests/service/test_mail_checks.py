"""SPF, DKIM and DMARC as receivers see them: `digest doctor` asks a real name server on this machine."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from digest.mail.dkim import SigningKey, load_key
from digest.service.mail_checks import judge_dkim, judge_dmarc, judge_spf, text_records
from tests.desks import Desk
from tests.mail.fault_server import FaultServer
from tests.mailing import sign, use_smtp, write_key

DOMAIN = "news.example.org"
SPF = "v=spf1 ip4:192.0.2.0/24 include:_spf.relay.test -all"
DMARC = "v=DMARC1; p=quarantine; rua=mailto:d@news.example.org"


class NameServer:
    """Answers TXT questions over UDP from `zone`: texts by name. A name that holds None fails."""

    def __init__(self, zone: dict[str, list[str] | None]) -> None:
        self.zone = zone
        self.asked: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def answer(self) -> None:
        while True:
            data, who = self.socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            self.socket.sendto(self.response(query).to_wire(), who)

    def response(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        texts = self.zone.get(name, [])
        if texts is None:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.zone:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif texts:
            quoted = [
                " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))
                for text in texts
            ]
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", *quoted))
        return response


@contextlib.contextmanager
def name_server(zone: dict[str, list[str] | None]) -> Iterator[NameServer]:
    server = NameServer(zone)
    thread = threading.Thread(target=server.answer)
    thread.start()
    try:
        yield server
    finally:
        server.socket.sendto(b"", ("127.0.0.1", server.port))
        thread.join()
        server.socket.close()


@pytest.fixture
def mailing(filled: Desk, server: FaultServer) -> Desk:
    """A desk that mails through a relay, and signs."""
    use_smtp(filled, server.port)
    sign(filled)
    return filled


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    write_key(path)
    return load_key(path, "one")


def checked(desk: Desk, zone: dict[str, list[str] | None]) -> dict[str, tuple[str, str]]:
    """Grade and words of the DNS checks."""
    with name_server(zone) as dns_server:
        where = f"127.0.0.1:{dns_server.port}"
        rows = json.loads(desk.run("doctor", "--json", "--nameserver", where).stdout)
    return {
        row["name"].split()[0]: (row["grade"], f"{row['said']} {row['advice']}")
        for row in rows
        if row["name"].startswith(("spf", "dkim ", "dmarc"))
    }


def test_records_that_cover_us_are_green(mailing: Desk) -> None:
    """For the operator before the first edition: all three, our own key among them."""
    record = load_key(mailing.folder / "key.pem", "one").dns_record
    zone = {DOMAIN: ["other=1", SPF], f"one._domainkey.{DOMAIN}": [record]}
    found = checked(mailing, {**zone, f"_dmarc.{DOMAIN}": [DMARC]})
    grades = {name: grade for name, (grade, _) in found.items()}
    assert grades == {"spf": "green", "dkim": "green", "dmarc": "green"}
    assert "quarantine" in found["dmarc"][1]


def test_records_that_are_missing_are_red(mailing: Desk) -> None:
    """Each says what to publish, and where."""
    found = checked(mailing, {DOMAIN: ["other=1"]})
    assert {grade for grade, _ in found.values()} == {"red"}
    assert "v=spf1" in found["spf"][1]
    assert "item dkim" in found["dkim"][1]
    assert "v=DMARC1" in found["dmarc"][1]


def test_a_policy_of_the_domain_above_counts(mailing: Desk) -> None:
    """RFC 7489 §6.6.3: with the policy for what is below it."""
    found = checked(mailing, {"_dmarc.example.org": ["v=DMARC1; p=reject; sp=none"]})
    assert found["dmarc"][0] == "green"
    assert "policy none" in found["dmarc"][1]


def test_a_name_server_that_does_not_know_is_no_fault_of_ours(mailing: Desk) -> None:
    """Yellow, not red: what is not known is not called wrong."""
    names = (DOMAIN, f"one._domainkey.{DOMAIN}", f"_dmarc.{DOMAIN}")
    found = checked(mailing, dict.fromkeys(names))
    assert {grade for grade, _ in found.values()} == {"yellow"}
    assert all("not checked" in said for _, said in found.values())


def test_where_nobody_answers_it_does_not_wait_for_each_name() -> None:
    """A machine without DNS: one limit, however many names."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        names = [f"n{i}.example.org" for i in range(50)]
        found = text_records(names, nameserver=mute.getsockname(), seconds=0.2)
    assert found == dict.fromkeys(names)


def test_names_of_examples_are_not_looked_up(mailing: Desk) -> None:
    """An example's domain, and mail that stays here, need no network."""
    found = json.loads(mailing.run("doctor", "--json").stdout)
    assert [one["said"] for one in found if one["name"] == "dns"] == [
        "not checked: news.example.org is an example"
    ]


@pytest.mark.parametrize("text", ["relay.example.org", "192.0.2", "192.0.2.1:x", "[::1", "::1:53"])
def test_a_malformed_name_server_is_refused(filled: Desk, text: str) -> None:
    """With what is allowed."""
    result = filled.run("doctor", "--nameserver", text)
    assert result.exit_code == 2
    assert "192.0.2.53:5353" in result.stderr


@pytest.mark.parametrize(
    ("texts", "grade"),
    [
        pytest.param([SPF], "green", id="sound"),
        pytest.param(["V=SPF1 a:mail.test/24 mx -ALL"], "green", id="capitals"),
        pytest.param(["v=spf1 ip6:2001:db8::/32 exists:%{i}.a.test ~all"], "green", id="soft fail"),
        pytest.param(["v=spf1 redirect=_spf.relay.test"], "green", id="redirect"),
        pytest.param(["v=spf1 exp=why.test x-future=1 -all"], "green", id="modifiers"),
        pytest.param(["v=spf1 mx"], "yellow", id="no all"),
        pytest.param(["v=spf1 mx ?all"], "yellow", id="neutral"),
        pytest.param([], "red", id="none"),
        pytest.param(["v=spf10 -all", "spf"], "red", id="of another version"),
        pytest.param([SPF, "v=spf1 -all"], "red", id="two"),
        pytest.param(["v=spf1 +all"], "red", id="everybody"),
        pytest.param(["v=spf1 all"], "red", id="everybody, without a sign"),
        pytest.param(["v=spf1 ip4:192.0.2.300 -all"], "red", id="no address"),
        pytest.param(["v=spf1 ip4:2001:db8::1 -all"], "red", id="an address of the other kind"),
        pytest.param(["v=spf1 include: -all"], "red", id="include nothing"),
        pytest.param(["v=spf1 includ:relay.test -all"], "red", id="misspelt"),
        pytest.param(["v=spf1 mx, -all"], "red", id="comma"),
        pytest.param(
            ["v=spf1 " + " ".join(f"include:r{i}.test" for i in range(11)) + " -all"],
            "red",
            id="eleven names",
        ),
    ],
)
def test_spf_is_judged(texts: list[str], grade: str) -> None:
    """RFC 7208 §4.5, §4.6: one record, of terms that receivers know."""
    assert judge_spf(texts).grade == grade


@pytest.mark.parametrize(
    ("record", "grade", "said"),
    [
        pytest.param("{ours}", "green", "has our key", id="as we show it"),
        pytest.param("k=rsa; p={half} {rest}", "green", "has our key", id="with blanks"),
        pytest.param("p={bare}", "green", "has our key", id="the bare RSA key"),
        pytest.param("{ours}; t=y", "yellow", "marked as a test", id="tested"),
        pytest.param("{ours}; t=s", "green", "has our key", id="this domain only"),
        pytest.param("v=DKIM1; p=", "red", "revoked", id="revoked"),
        pytest.param("v=DKIM1; p={other}", "red", "another key", id="another's"),
        pytest.param("v=DKIM1; p=!!", "red", "another key", id="no base64"),
        pytest.param("v=DKIM1; k=ed25519; p={public}", "red", "kind", id="of another kind"),
        pytest.param("hello", "red", "no DKIM record", id="other text"),
    ],
)
def test_a_dkim_record_is_compared_with_our_key(
    key: SigningKey, record: str, grade: str, said: str
) -> None:
    """RFC 6376 §3.6.1: what is published must be the public half of what signs here."""
    from base64 import b64decode, b64encode

    fields = {
        "ours": key.dns_record,
        "public": key.public,
        "half": key.public[:100],
        "rest": key.public[100:],
        "bare": b64encode(b64decode(key.public)[24:]).decode(),
        "other": key.public[:-8] + "AAAAAAA=",
    }
    judged = judge_dkim([record.format(**fields)], key)
    assert judged.grade == grade
    assert said in judged.said
    assert judge_dkim([], key).grade == "red"
    assert judge_dkim([key.dns_record] * 2, key).grade == "red"


@pytest.mark.parametrize(
    ("texts", "grade"),
    [
        pytest.param([DMARC], "green", id="quarantine"),
        pytest.param(["v=DMARC1;p=none"], "green", id="none"),
        pytest.param(["v=DMARC1"], "red", id="no policy"),
        pytest.param(["v=DMARC1; p=maybe"], "red", id="no such policy"),
        pytest.param(["p=none; v=DMARC1"], "red", id="version not first"),
        pytest.param([DMARC, DMARC], "red", id="two"),
        pytest.param(["v=spf1 -all"], "red", id="none"),
    ],
)
def test_dmarc_is_judged(texts: list[str], grade: str) -> None:
    """RFC 7489 §6.3, §6.6.3."""
    assert judge_dmarc(texts, inherited=False).grade == grade

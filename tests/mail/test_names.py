"""Who takes the mail of a domain, asked of a real name server."""

import socket
from collections.abc import Iterator
from threading import Thread

import dns.message
import dns.resolver
import dns.rrset
import pytest

from digest.mail.smtp.names import is_reserved, mail_providers, owner, published_text, takes_mail

ANSWERS = {
    ("firm.tm.", "MX"): ["10 alt.aspmx.l.google.com.", "1 aspmx.l.google.com."],
    ("null.tm.", "MX"): ["0 ."],
    ("one._domainkey.news.tm.", "TXT"): ['"v=DKIM1; " "p=abc"'],
    ("two.news.tm.", "TXT"): ['"a"', '"b"'],
    ("host.tm.", "AAAA"): ["2001:db8::1"],
}


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answers from the table above; the machine's own resolver asks it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                data, peer = channel.recvfrom(4096)
                if not data:
                    return
                query = dns.message.from_wire(data)
                [question] = query.question
                response = dns.message.make_response(query)
                name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
                if texts := ANSWERS.get((name, kind)):
                    response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *texts))
                elif name not in ("empty.tm.", "host.tm."):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                channel.sendto(response.to_wire(), peer)

        thread = Thread(target=answer)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], channel.getsockname()[1]
        # The library reads the machine's own settings; the test has its own.
        monkeypatch.setattr(dns.resolver, "Resolver", lambda **_: resolver)
        yield
        channel.sendto(b"", channel.getsockname())
        thread.join()


@pytest.mark.usefixtures("nameserver")
def test_a_domain_is_of_the_owner_of_its_first_mx() -> None:
    """Customers of one provider count together; who has none is their own."""
    asked = ["firm.tm", "null.tm", "empty.tm", "gone.tm", "x.example", "a" * 70 + ".tm"]
    assert mail_providers(asked) == {
        "firm.tm": "google.com",
        "null.tm": "null.tm",
        "empty.tm": "empty.tm",
        "gone.tm": "gone.tm",
    }
    assert mail_providers(["firm.tm"], within=0.0) == {}


@pytest.mark.usefixtures("nameserver")
@pytest.mark.parametrize(
    ("domain", "takes"),
    [
        pytest.param("firm.tm", True, id="by its MX"),
        pytest.param("host.tm", True, id="by its address"),
        pytest.param("null.tm", False, id="not by a null MX"),
        pytest.param("empty.tm", False, id="not by a name alone"),
        pytest.param("gone.tm", False, id="no such name"),
        pytest.param("reader.example", None, id="not asked"),
        pytest.param("a" * 70 + ".tm", None, id="no name"),
    ],
)
def test_a_domain_takes_mail_by_an_mx_or_an_address(domain: str, takes: bool | None) -> None:
    """RFC 5321 §5.1, RFC 7505."""
    assert takes_mail(domain) is takes


@pytest.mark.usefixtures("nameserver")
def test_a_published_text_is_one_record() -> None:
    """A key in DNS, in as many strings as it needs."""
    assert published_text("one._domainkey.news.tm") == "v=DKIM1; p=abc"
    assert published_text("two.news.tm") is None
    assert published_text("none.news.tm") is None


@pytest.mark.parametrize(
    ("host", "owned_by"),
    [
        ("ASPMX.l.google.com.", "google.com"),
        ("firm-tm.mail.protection.outlook.com.", "outlook.com"),
        ("mx.yandex.net.", "yandex.net"),
        ("mx1.firm.co.uk.", "firm.co.uk"),
        ("mail.gov.tm.", "mail.gov.tm"),
        ("localhost.", "localhost"),
        (".", ""),
    ],
)
def test_the_owner_of_a_host_is_its_registered_domain(host: str, owned_by: str) -> None:
    """Registries of countries also give out names under co, com, gov and the like."""
    assert owner(host) == owned_by


def test_names_that_nobody_owns_are_not_asked_for() -> None:
    """RFC 2606."""
    assert is_reserved("reader.example")
    assert is_reserved("example.org")
    assert not is_reserved("newsexample.org")

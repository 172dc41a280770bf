"""What `digest doctor` asks DNS: whether receivers can see that our mail is ours."""

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from digest.cli.findings import Finding
from digest.errors import SigningError
from digest.mail.records import Judged, judge_dkim, judge_dmarc, judge_spf
from digest.runtime import Runtime

if TYPE_CHECKING:
    from digest.mail.dkim_keys import SigningKey

Nameserver = tuple[str, int]

RESERVED = ("example", "test", "invalid", "localhost", "example.org", "example.com", "example.net")
"""RFC 2606: nobody's names."""
ADVICE = {
    "spf": "Publish one TXT record, such as v=spf1 include:YOUR-RELAY -all; its operator knows which.",
    "dkim": "Publish the record that the item dkim shows, and wait until the old one has run out.",
    "dmarc": "Publish v=DMARC1; p=none; rua=mailto:… at _dmarc of the domain, then tighten it.",
}


def parse_nameserver(text: str | None) -> Nameserver | None:
    """192.0.2.53, 192.0.2.53:5353, or [2001:db8::53]:5353.

    Raises:
        click.UsageError: it is none of these.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(?:\[([0-9a-f:]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", text)
    try:
        if found is None:
            raise ValueError(text)
        address = str(ipaddress.ip_address(found[1] or found[2]))
    except ValueError:
        raise click.UsageError(
            f"--nameserver {text!r}: allowed are 192.0.2.53, 192.0.2.53:5353, [2001:db8::53]:5353"
        ) from None
    return address, int(found[3] or 53)


def sender(room: Runtime, nameserver: Nameserver | None) -> Iterator[Finding]:
    """SPF, DKIM and DMARC of the sender's domain; at most some seconds where nobody answers."""
    mail = room.settings.mail
    domain = mail.from_address.rpartition("@")[2].lower()
    if mail.transport != "smtp":
        yield Finding("dns", "green", "not asked: mail does not leave this machine")
        return
    if nameserver is None and domain.endswith(tuple(f".{one}" for one in RESERVED) + RESERVED):
        yield Finding(
            "dns", "yellow", f"not asked: {domain} is an example", "Set mail.from_address."
        )
        return
    yield from _records(room, domain, nameserver)


def _records(room: Runtime, domain: str, nameserver: Nameserver | None) -> Iterator[Finding]:
    from digest.mail.smtp.names import text_records

    keys = _keys(room, domain)
    policies = [f"_dmarc.{one}" for one in _and_above(domain)]
    texts = text_records([domain, *keys, *policies], nameserver=nameserver)
    yield _finding("spf", domain, texts[domain] is not None, judge_spf(texts[domain] or ()))
    for name, key in keys.items():
        yield _finding("dkim", name, texts[name] is not None, judge_dkim(texts[name] or (), key))
    # The first that has any, or that did not answer; else there is none.
    name = next((one for one in policies if texts[one] != []), policies[0])
    judged = judge_dmarc(texts[name] or (), inherited=name != policies[0])
    yield _finding("dmarc", name, texts[name] is not None, judged)


def _keys(room: Runtime, domain: str) -> "dict[str, SigningKey]":
    """Our keys by where DNS has them; none where they cannot be used, which the item dkim says."""
    try:
        signer = room.signer
    except SigningError:
        return {}
    return {f"{key.selector}._domainkey.{domain}": key for key in signer.keys} if signer else {}


def _and_above(domain: str) -> list[str]:
    """The domain and those above it, without the top one."""
    labels = domain.split(".")
    return [".".join(labels[i:]) for i in range(max(1, len(labels) - 1))]


def _finding(kind: str, name: str, answered: bool, judged: Judged) -> Finding:
    item = f"{kind} {name}"
    if not answered:
        said = "not checked: no name server answered"
        return Finding(item, "yellow", said, "Ask another with --nameserver, or look by hand.")
    return Finding(item, judged.grade, judged.said, "" if judged.grade == "green" else ADVICE[kind])

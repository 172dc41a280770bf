"""What DNS says of who may send mail for a domain, judged: SPF, DKIM, DMARC. No network."""

import ipaddress
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest.mail.dkim_keys import SigningKey

MOST_LOOKUPS = 10
"""RFC 7208 §4.6.4: a record that asks for more names is in error."""
LEAST_KEY = 100
"""Bytes; no RSA key that anybody still takes is shorter."""

_TERM = re.compile(r"(?P<sign>[+\-~?]?)(?P<name>[a-z0-9]+)(?P<rest>[:/].*)?", re.I)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.I)
_ASKS = frozenset({"include", "a", "mx", "ptr", "exists"})
_NEEDS = frozenset({"include", "exists", "ip4", "ip6"})


@dataclass(frozen=True, slots=True)
class Judged:
    """`grade` as in `digest doctor`: green, yellow, red."""

    grade: str
    said: str


def judge_spf(texts: Sequence[str]) -> Judged:
    """The TXT records of the envelope's domain (RFC 7208)."""
    found = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
    if not found:
        return Judged("red", "there is no SPF record")
    if len(found) > 1:
        return Judged("red", f"there are {len(found)} SPF records, so none counts")
    (record,) = found
    everybody, redirected, lookups = None, False, 0
    for term in record.split()[1:]:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            redirect = modifier["name"].lower() == "redirect"
            redirected, lookups = redirected or redirect, lookups + redirect
            continue
        parsed = _TERM.fullmatch(term)
        if parsed is None or not _is_mechanism(parsed["name"].lower(), parsed["rest"] or ""):
            return Judged("red", f"the SPF record has {term!r}, which is no term: {record}")
        lookups += parsed["name"].lower() in _ASKS
        if parsed["name"].lower() == "all":
            everybody = parsed["sign"] or "+"
    if everybody == "+":
        return Judged("red", f"the SPF record lets anybody send (+all): {record}")
    if lookups > MOST_LOOKUPS:
        return Judged("red", f"the SPF record asks for {lookups} names, 10 are allowed: {record}")
    if everybody in (None, "?") and not redirected:
        return Judged("yellow", f"the SPF record says nothing of all others (no -all): {record}")
    return Judged("green", record)


def _is_mechanism(name: str, rest: str) -> bool:
    if name == "all":
        return not rest
    if name in ("ip4", "ip6"):
        try:
            network = ipaddress.ip_network(rest.removeprefix(":"), strict=False)
        except ValueError:
            return False
        return network.version == int(name[2])
    if name not in _ASKS:
        return False
    return len(rest) > 1 if name in _NEEDS else rest != ":"


def judge_dkim(texts: Sequence[str], key: "SigningKey") -> Judged:
    """The TXT records at SELECTOR._domainkey, held against our own key (RFC 6376 §3.6.1)."""
    if not texts:
        return Judged("red", "there is no record for the key that signs")
    if len(texts) > 1:
        return Judged("red", f"there are {len(texts)} records, so none counts")
    tags = _tags(texts[0])
    kind = key.algorithm.removesuffix("-sha256")
    public = "".join(tags.get("p", "").split())
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return Judged("red", f"this is no DKIM record: {texts[0]}")
    if not public:
        return Judged("red", "the record says that the key was revoked (an empty p=)")
    if tags.get("k", "rsa") != kind:
        return Judged(
            "red", f"the record is of a key of kind {tags.get('k', 'rsa')}, ours is {kind}"
        )
    if not _same_key(key.public, public):
        return Judged("red", "the record holds another key than the one that signs here")
    if "y" in tags.get("t", "").split(":"):
        return Judged("yellow", "holds our key, but says that it is only tested (t=y)")
    return Judged("green", "holds our key")


def _same_key(ours: str, theirs: str) -> bool:
    """Also where DNS holds the bare RSA key, which stands at the end of ours (RFC 6376 §3.6.1)."""
    try:
        published = b64decode(theirs, validate=True)
    except NotBase64:
        return False
    own = b64decode(ours)
    return own == published or (len(published) > LEAST_KEY and own.endswith(published))


def judge_dmarc(texts: Sequence[str], *, inherited: bool) -> Judged:
    """The TXT records at _dmarc of the domain in From, or where there is none of the domain above it
    (RFC 7489 §6.3, §6.6.3): `inherited`.
    """
    found = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if not found:
        return Judged("red", "there is no DMARC record")
    if len(found) > 1:
        return Judged("red", f"there are {len(found)} DMARC records, so none counts")
    tags = _tags(found[0])
    policy = tags.get("sp", tags.get("p")) if inherited else tags.get("p")
    if policy not in ("none", "quarantine", "reject"):
        allowed = "allowed are none, quarantine, reject"
        return Judged("red", f"the DMARC record has the policy {policy!r}; {allowed}: {found[0]}")
    return Judged("green", f"policy {policy}; From, envelope and signature are of one domain")


def _tags(record: str) -> dict[str, str]:
    """tag=value; tag=value (RFC 6376 §3.2)."""
    pairs = (part.partition("=") for part in record.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}

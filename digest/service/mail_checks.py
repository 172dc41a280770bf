"""The checks of `digest doctor` that concern mail; `digest send` refuses what some of them find red."""

import contextlib
import ipaddress
import re
import shutil
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH

import click

from digest.config.settings import Settings
from digest.errors import DigestError, NotReadyError, SigningError, template_fault
from digest.mail.notices import is_usable
from digest.mail.smtp.names import Nameserver, is_reserved, text_records
from digest.mail.tokens import LEAVE
from digest.newsroom import Newsroom
from digest.service.store import last_window_end
from digest.store.database import Database, damaged_pages
from digest.store.files import existing, write_fault

if TYPE_CHECKING:
    from digest.mail.dkim import SigningKey


@dataclass(frozen=True, slots=True)
class Finding:
    """`grade` is green, yellow (look at it) or red (must be corrected)."""

    name: str
    grade: str
    said: str
    advice: str = ""

    def as_data(self) -> dict[str, str]:
        return {"name": self.name, "grade": self.grade, "said": self.said, "advice": self.advice}


def checked(name: str, check: Callable[[], str], advice: str) -> Finding:
    """Green with what `check` returns, or red with the error that it raises."""
    try:
        return Finding(name, "green", check())
    except DigestError as e:
        return Finding(name, "red", str(e), advice)
    except Exception as e:
        fault = template_fault(e)
        if fault is None:
            raise
        return Finding(name, "red", fault, advice)


MOST_LOOKUPS = 10
"""RFC 7208 §4.6.4: a record that needs more is in error."""
LEAST_KEY = 100
"""Bytes; no RSA key that anybody still accepts is shorter."""
_TERM = re.compile(r"(?P<sign>[+\-~?]?)(?P<name>[a-z0-9]+)(?P<rest>[:/].*)?", re.I)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.I)
_ASKS = frozenset({"include", "a", "mx", "ptr", "exists"})
_NEEDS = frozenset({"include", "exists", "ip4", "ip6"})


def judge_spf(texts: Sequence[str]) -> Finding:
    """The TXT records of the envelope's domain (RFC 7208)."""
    records = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
    if not records:
        return Finding("spf", "red", "there is no SPF record")
    if len(records) > 1:
        return Finding("spf", "red", f"there are {len(records)} SPF records, so none counts")
    (record,) = records
    everybody, redirected, lookups = None, False, 0
    for term in record.split()[1:]:
        modifier = _MODIFIER.fullmatch(term)
        if modifier is not None:
            redirect = modifier["name"].lower() == "redirect"
            redirected, lookups = redirected or redirect, lookups + redirect
            continue
        parsed = _TERM.fullmatch(term)
        if parsed is None or not _is_mechanism(parsed["name"].lower(), parsed["rest"] or ""):
            return Finding("spf", "red", f"the SPF record has the invalid term {term!r}: {record}")
        lookups += parsed["name"].lower() in _ASKS
        if parsed["name"].lower() == "all":
            everybody = parsed["sign"] or "+"
    if everybody == "+":
        return Finding("spf", "red", f"the SPF record lets anybody send (+all): {record}")
    if lookups > MOST_LOOKUPS:
        text = f"the SPF record needs {lookups} lookups, 10 are allowed: {record}"
        return Finding("spf", "red", text)
    if everybody in (None, "?") and not redirected:
        text = f"the SPF record does not exclude other senders (no -all): {record}"
        return Finding("spf", "yellow", text)
    return Finding("spf", "green", record)


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


def judge_dkim(texts: Sequence[str], key: "SigningKey") -> Finding:
    """The TXT records at SELECTOR._domainkey, compared with our own key (RFC 6376 §3.6.1).

    DNS may also hold the bare RSA key, which is the end of ours.
    """
    if not texts:
        return Finding("dkim", "red", "there is no record for the key that signs")
    if len(texts) > 1:
        return Finding("dkim", "red", f"there are {len(texts)} records, so none counts")
    tags = _tags(texts[0])
    kind, published = key.algorithm.removesuffix("-sha256"), tags.get("k", "rsa")
    public = "".join(tags.get("p", "").split())
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return Finding("dkim", "red", f"this is no DKIM record: {texts[0]}")
    if not public:
        return Finding("dkim", "red", "the record says that the key was revoked (an empty p=)")
    if published != kind:
        return Finding("dkim", "red", f"the record is of a key of kind {published}, ours is {kind}")
    ours = b64decode(key.public)
    try:
        theirs = b64decode(public, validate=True)
    except NotBase64:
        theirs = b""
    if ours != theirs and not (len(theirs) > LEAST_KEY and ours.endswith(theirs)):
        return Finding("dkim", "red", "the record has another key than the one that signs here")
    if "y" in tags.get("t", "").split(":"):
        return Finding("dkim", "yellow", "has our key, but is marked as a test (t=y)")
    return Finding("dkim", "green", "has our key")


def judge_dmarc(texts: Sequence[str], *, inherited: bool) -> Finding:
    """The TXT records at _dmarc of the domain in From; `inherited`: of a domain above it, which counts
    if that has none (RFC 7489 §6.3, §6.6.3).
    """
    records = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if not records:
        return Finding("dmarc", "red", "there is no DMARC record")
    if len(records) > 1:
        return Finding("dmarc", "red", f"there are {len(records)} DMARC records, so none counts")
    tags = _tags(records[0])
    policy = tags.get("sp", tags.get("p")) if inherited else tags.get("p")
    if policy not in ("none", "quarantine", "reject"):
        text = f"the DMARC record has the policy {policy!r}; allowed are none, quarantine, reject: "
        return Finding("dmarc", "red", text + records[0])
    text = f"policy {policy}; From, envelope and signature are of one domain"
    return Finding("dmarc", "green", text)


def _tags(record: str) -> dict[str, str]:
    """tag=value; tag=value (RFC 6376 §3.2)."""
    pairs = (part.partition("=") for part in record.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


ADVICE = {
    "spf": "Publish one TXT record, such as v=spf1 include:YOUR-RELAY -all; its operator knows which.",
    "dkim": "Publish the record that the item dkim shows, and wait until the old one has expired.",
    "dmarc": "Publish v=DMARC1; p=none; rua=mailto:… at _dmarc of the domain, then tighten it.",
}


def parse_nameserver(text: str | None) -> Nameserver | None:
    """192.0.2.53, 192.0.2.53:5353, or [2001:db8::53]:5353.

    Raises:
        click.UsageError: it is none of these.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(?:\[([0-9a-f:]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", text)
    try:
        if match is None:
            raise ValueError(text)
        address = str(ipaddress.ip_address(match[1] or match[2]))
    except ValueError:
        raise click.UsageError(
            f"--nameserver {text!r}: allowed are 192.0.2.53, 192.0.2.53:5353, [2001:db8::53]:5353"
        ) from None
    return address, int(match[3] or 53)


def sender(newsroom: Newsroom, nameserver: Nameserver | None) -> Iterator[Finding]:
    """SPF, DKIM and DMARC of the sender's domain; takes some seconds if no name server answers."""
    mail = newsroom.settings.mail
    domain = mail.from_address.rpartition("@")[2].lower()
    if mail.transport != "smtp":
        yield Finding("dns", "green", "not checked: mail does not leave this machine")
        return
    if nameserver is None and is_reserved(domain):
        text = f"not checked: {domain} is an example"
        yield Finding("dns", "yellow", text, "Set mail.from_address.")
        return
    try:
        keys = newsroom.signer.keys if newsroom.signer else ()
    except SigningError:  # the item dkim says why
        keys = ()
    ours = {f"{key.selector}._domainkey.{domain}": key for key in keys}
    # The domain and those above it, without the top one.
    labels = domain.split(".")
    policies = ["_dmarc." + ".".join(labels[i:]) for i in range(max(1, len(labels) - 1))]
    texts = text_records([domain, *ours, *policies], nameserver=nameserver)
    # The first that has any, or that got no answer; else there is none.
    policy = next((name for name in policies if texts[name] != []), policies[0])
    dmarc = judge_dmarc(texts[policy] or (), inherited=policy != policies[0])
    judged = [(domain, judge_spf(texts[domain] or ()))]
    judged += [(name, judge_dkim(texts[name] or (), key)) for name, key in ours.items()]
    for name, finding in [*judged, (policy, dmarc)]:
        item = f"{finding.name} {name}"
        if texts[name] is None:
            advice = "Ask another with --nameserver, or look by hand."
            yield Finding(item, "yellow", "not checked: no name server answered", advice)
        else:
            advice = "" if finding.grade == "green" else ADVICE[finding.name]
            yield replace(finding, name=item, advice=advice)


SOON_FULL_MB = 1000
MB = 1_000_000
SLACK = timedelta(minutes=5)
"""A window ends at a whole second, and a machine's clock is sometimes corrected by seconds."""
DAMAGED = "Restore the last backup; see docs/trouble.md, “The database”."


def refuse_what_is_red(db: Database, newsroom: Newsroom, despite: tuple[str, ...]) -> None:
    """Hold back mail that the doctor would not let out: site, store, database, dkim, clock. Only
    checks that need no network.

    Raises:
        NotReadyError: something that concerns sending is wrong, and is not named in `despite`.
    """

    def findings() -> Iterator[Finding]:
        yield from site(newsroom.settings)
        yield folder("store", newsroom.settings.store.path)
        if damage := damaged_pages(db):  # not as thorough as the doctor's check
            yield Finding("database", "red", "; ".join(damage), DAMAGED)
        yield from dkim(newsroom)
        yield clock(db, newsroom.now())

    for finding in findings():
        if finding.grade == "red" and finding.name not in despite:
            raise NotReadyError(
                f"{finding.name}: {finding.said}. {finding.advice} Nothing was sent. "
                f"To send anyway: digest send --despite {finding.name}."
            )


def site(settings: Settings) -> Iterator[Finding]:
    """Red where mail with links to nowhere could leave this machine."""
    host = settings.site.base_url.partition("://")[2]
    mail = settings.mail
    if host.endswith(("example.org", "example.com", "example.net")):
        leaves = mail.transport == "smtp" and not all(one.is_loopback for one in mail.servers)
        yield Finding(
            "site",
            "red" if leaves else "yellow",
            f"base_url is still {settings.site.base_url}",
            "Set site.base_url to where your readers find you; links in feeds and mail use it.",
        )


def folder(name: str, path: Path) -> Finding:
    """Whether it can be written, and whether there is room on its disk."""
    if fault := write_fault(path):
        advice = "Check the permissions, the room on the disk, and whether it is mounted read-only."
        return Finding(name, "red", fault.removesuffix("."), advice)
    free = shutil.disk_usage(existing(path)).free // MB
    if free < SOON_FULL_MB:
        return Finding(name, "yellow", f"{path}: only {free} MB are free", "Make room on the disk.")
    return Finding(name, "green", f"{path}, {free:,} MB free")


def dkim(newsroom: Newsroom) -> Iterator[Finding]:
    """Whether the keys can sign, and the records that DNS must hold for them."""
    if newsroom.settings.mail.dkim is None:
        return

    def records() -> str:
        domain = newsroom.settings.mail.from_address.rpartition("@")[2]
        keys = newsroom.signer.keys if newsroom.signer is not None else ()
        return "DNS must hold " + "; ".join(
            f'{key.selector}._domainkey.{domain} TXT "{key.dns_record}"' for key in keys
        )

    yield checked("dkim", records, "Correct [mail.dkim] in config.toml.")


def alarms(settings: Settings) -> Finding:
    """Whether somebody is notified of what goes wrong."""
    config = settings.alarms
    ways = [*(["the webhook"] if config.has_webhook else []), *(["mail"] if config.mail_to else [])]
    if not ways:
        text = "nobody is notified when the service needs help"
        return Finding("alarms", "yellow", text, "Name mail addresses or a webhook in [alarms].")
    try:
        url = config.webhook()
    except NotReadyError as e:
        return Finding("alarms", "red", str(e), "It belongs to the user of the service.")
    if config.has_webhook and url is None:
        text = "the variable or file that [alarms] names for the webhook is not there"
        advice = "Set it where the service gets its environment, or remove it from [alarms]."
        return Finding("alarms", "red", text, advice)
    if url is not None and not is_usable(url):
        text = "the webhook is no absolute http or https address"
        advice = "Put the full address into the variable or file that [alarms] names."
        return Finding("alarms", "red", text, advice)
    return Finding("alarms", "green", f"sent by {' and '.join(ways)}")


def clock(db: Database, now: datetime) -> Finding:
    """A clock that went back would close windows that are closed already."""
    last = last_window_end(db)
    text = f"{now:%Y-%m-%d %H:%M} UTC"
    if last is None or last <= now + SLACK:
        return Finding("clock", "green", text)
    text = f"says {text}, but the newest edition ends at {last:%Y-%m-%d %H:%M} UTC"
    return Finding("clock", "red", text, "Set this machine's clock.")


def zones(settings: Settings) -> Finding:
    """Which release of the time zone rules this machine has; schedules and days depend on them."""
    used = {settings.site.time_zone, *(settings.digest_zone(one) for one in settings.digests)}
    text = f"{', '.join(sorted(used))}, by the rules of {_zone_rules()}"
    return Finding("zones", "green", text)


def _zone_rules() -> str:
    for place in map(Path, TZPATH):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for name, mark in (("tzdata.zi", "# version "), ("+VERSION", "")):
                if (place / name).is_file():
                    first = (place / name).read_text("ascii").partition("\n")[0]
                    return first.removeprefix(mark)
            if (place / "UTC").exists():
                return f"{place}, which names no release"
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"the package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return "an unknown release"


def addresses(settings: Settings) -> Iterator[Finding]:
    """Mail to unsubscribe must come to us: to the domain that the sender's mail comes back to."""
    ours = settings.mail.from_address.rpartition("@")[2].lower()
    theirs = settings.mail.unsubscribe_address.rpartition("@")[2].lower()
    if theirs == ours or theirs.endswith(f".{ours}") or ours.endswith(f".{theirs}"):
        yield Finding("leaving", "green", f"mail to {settings.mail.unsubscribe_address}")
    else:
        yield Finding(
            "leaving",
            "yellow",
            f"unsubscribe_address is at {theirs}, but the sender is at {ours}",
            "Use an address of your own domain that digest bounces read can read.",
        )


def one_click(settings: Settings) -> Finding:
    """Whether readers can leave as large providers ask."""
    if (url := settings.web.public_url) is not None:
        return Finding("one-click", "green", f"readers unsubscribe at {url}{LEAVE}")
    if settings.mail.transport != "smtp":
        return Finding("one-click", "green", "not checked: mail does not leave this machine")
    return Finding(
        "one-click",
        "yellow",
        "readers can unsubscribe only by mail. Gmail and Yahoo ask of everybody who sends them about "
        "5,000 mails a day that one click unsubscribes, within two days",
        "Let your web server pass a public https address to digest serve, and set web.public_url.",
    )


def relay(settings: Settings) -> Iterator[Finding]:
    """Connects to each server, with TLS and login, and leaves; at most 10 seconds."""
    mail = settings.mail
    if mail.transport != "smtp":
        yield Finding("relay", "green", f"none: mail is written to {mail.outbox}")
        return
    from digest.mail.smtp.transport import reach

    try:
        answers = reach(mail.servers, helo_name=mail.helo_name)
    except NotReadyError as e:
        yield Finding("relay", "red", str(e), "Set the password, or the path.")
        return
    for name, fault in answers:
        if fault is None:
            yield Finding(f"relay {name}", "green", "answers, and accepts us")
        else:
            advice = "Correct its [[mail.servers]] in config.toml, or ask its operator."
            yield Finding(f"relay {name}", "red", fault, advice)

"""What `digest doctor` looks at before mail goes out; `digest send` asks what of it is red."""

import contextlib
import ipaddress
import re
import shutil
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH

import click

from digest.config.settings import Settings
from digest.errors import DigestError, NotReadyError, SigningError, template_fault
from digest.mail.notices import is_usable
from digest.newsroom import Newsroom
from digest.service.store import last_window_end
from digest.store.database import Database, damaged_pages, moment_from_text
from digest.store.files import existing, write_fault

if TYPE_CHECKING:
    from digest.mail.dkim import SigningKey


@dataclass(frozen=True, slots=True)
class Finding:
    """`grade` is green, yellow (look at it) or red (must be mended)."""

    name: str
    grade: str
    said: str
    advice: str = ""

    def as_data(self) -> dict[str, str]:
        return {"name": self.name, "grade": self.grade, "said": self.said, "advice": self.advice}


def checked(name: str, check: Callable[[], str], advice: str) -> Finding:
    """Green with what `check` says, or red with what it raises."""
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


def text_records(
    names: Sequence[str], *, nameserver: tuple[str, int] | None = None, seconds: float = 3.0
) -> dict[str, list[str] | None]:
    """The texts at each name, [] where there are none, None where nobody answered.

    `nameserver` is the address and port to ask instead of those of this machine. After the first
    name for which nobody answers within `seconds`, the others are not asked for.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration, Resolver

    found: dict[str, list[str] | None] = dict.fromkeys(names)
    try:
        resolver = Resolver(configure=nameserver is None)
    except NoResolverConfiguration:
        return found
    if nameserver is not None:
        resolver.nameservers, resolver.port = [nameserver[0]], nameserver[1]
    for name in names:
        try:
            answer = resolver.resolve(f"{name}.", "TXT", lifetime=seconds)
        except (NXDOMAIN, NoAnswer):
            found[name] = []
        except NoNameservers:
            continue  # it answered that it cannot tell
        except (DNSException, OSError):
            return found
        else:
            found[name] = [b"".join(text.strings).decode("latin-1") for text in answer]
    return found


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


def sender(newsroom: Newsroom, nameserver: Nameserver | None) -> Iterator[Finding]:
    """SPF, DKIM and DMARC of the sender's domain; at most some seconds where nobody answers."""
    mail = newsroom.settings.mail
    domain = mail.from_address.rpartition("@")[2].lower()
    if mail.transport != "smtp":
        yield Finding("dns", "green", "not asked: mail does not leave this machine")
        return
    if nameserver is None and domain.endswith(tuple(f".{one}" for one in RESERVED) + RESERVED):
        yield Finding(
            "dns", "yellow", f"not asked: {domain} is an example", "Set mail.from_address."
        )
        return
    yield from _records(newsroom, domain, nameserver)


def _records(newsroom: Newsroom, domain: str, nameserver: Nameserver | None) -> Iterator[Finding]:

    keys = _keys(newsroom, domain)
    policies = [f"_dmarc.{one}" for one in _and_above(domain)]
    texts = text_records([domain, *keys, *policies], nameserver=nameserver)
    yield _finding("spf", domain, texts[domain] is not None, judge_spf(texts[domain] or ()))
    for name, key in keys.items():
        yield _finding("dkim", name, texts[name] is not None, judge_dkim(texts[name] or (), key))
    # The first that has any, or that did not answer; else there is none.
    name = next((one for one in policies if texts[one] != []), policies[0])
    judged = judge_dmarc(texts[name] or (), inherited=name != policies[0])
    yield _finding("dmarc", name, texts[name] is not None, judged)


def _keys(newsroom: Newsroom, domain: str) -> "dict[str, SigningKey]":
    """Our keys by where DNS has them; none where they cannot be used, which the item dkim says."""
    try:
        signer = newsroom.signer
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


SOON_FULL_MB = 1000
MB = 1_000_000
SLACK = timedelta(minutes=5)
"""A window ends at a whole second, and the clock of a machine is set by some seconds now and then."""


def refuse_what_is_red(db: Database, newsroom: Newsroom, despite: tuple[str, ...]) -> None:
    """Hold back mail that the doctor would not let out; only checks that ask no network.

    Raises:
        NotReadyError: something is wrong that concerns sending, and is not named in `despite`.
    """
    for finding in concerning_sending(db, newsroom):
        if finding.grade == "red" and finding.name not in despite:
            raise NotReadyError(
                f"{finding.name}: {finding.said}. {finding.advice} Nothing was sent. "
                f"To send all the same: digest send --despite {finding.name}."
            )


def concerning_sending(db: Database, newsroom: Newsroom) -> Iterator[Finding]:
    """The checks that `digest send` makes, too: site, store, database, dkim, clock."""
    yield from site(newsroom.settings)
    yield folder("store", newsroom.settings.store.path)
    yield pages(db)
    yield from dkim(newsroom)
    yield clock(db, newsroom.now())


def pages(db: Database) -> Finding:
    """Whether the file can be trusted with what is sent; not as thorough as the doctor's look."""
    if faults := damaged_pages(db):
        advice = "Restore the last backup; see docs/trouble.md, “The database”."
        return Finding("database", "red", "; ".join(faults), advice)
    return Finding("database", "green", f"{db.path} is sound")


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
        return Finding(
            name,
            "red",
            fault.removesuffix("."),
            "Check the permissions, the room on the disk, and whether it is mounted for reading only.",
        )
    free = shutil.disk_usage(existing(path)).free // MB
    if free < SOON_FULL_MB:
        said = f"{path}: only {free} MB are free"
        return Finding(name, "yellow", said, "Make room on the disk.")
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
    """Whether somebody hears of what goes wrong while nobody looks."""
    told = settings.alarms
    named = [*(["the webhook"] if told.has_webhook else []), *(["mail"] if told.mail_to else [])]
    if not named:
        return Finding(
            "alarms",
            "yellow",
            "nobody is notified when the service needs help",
            "Name mail addresses or a webhook in [alarms].",
        )
    try:
        url = told.webhook()
    except NotReadyError as e:
        return Finding("alarms", "red", str(e), "It belongs to the user of the service.")
    if told.has_webhook and url is None:
        return Finding(
            "alarms",
            "red",
            "the variable or file that [alarms] names for the webhook is not there",
            "Set it where the service gets its environment, or take it out of [alarms].",
        )
    if url is not None and not is_usable(url):
        return Finding(
            "alarms",
            "red",
            "the webhook is no absolute http or https address",
            "Put the whole address into the variable or file that [alarms] names.",
        )
    return Finding("alarms", "green", f"sent by {' and '.join(named)}")


def clock(db: Database, now: datetime) -> Finding:
    """A clock that went back would close windows that are closed already."""
    last = last_window_end(db)
    if last is None or moment_from_text(last) <= now + SLACK:
        return Finding("clock", "green", f"{now:%Y-%m-%d %H:%M} UTC")
    return Finding(
        "clock",
        "red",
        f"says {now:%Y-%m-%d %H:%M} UTC, but the newest edition ends at {last}",
        "Set this machine's clock.",
    )


def zones(settings: Settings) -> Finding:
    """Which rules of the clock this machine has: schedules and days are told by them."""
    used = {settings.site.time_zone, *(settings.digest_zone(one) for one in settings.digests)}
    said = f"{', '.join(sorted(used))}, by the rules of {_zone_rules()}"
    return Finding("zones", "green", said)


def _zone_rules() -> str:
    """The release of the time zone database, as far as it says."""
    for place in map(Path, TZPATH):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for name, mark in (("tzdata.zi", "# version "), ("+VERSION", "")):
                if (place / name).is_file():
                    first = (place / name).read_text("ascii").partition("\n")[0]
                    return first.removeprefix(mark)
            if (place / "UTC").exists():
                return f"{place}, which says no release"
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"the package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return "an unknown release"


def addresses(settings: Settings) -> Iterator[Finding]:
    """Mail to leave must come to us: to the domain that the sender's mail comes back to."""
    ours = settings.mail.from_address.rpartition("@")[2].lower()
    theirs = settings.mail.unsubscribe_address.rpartition("@")[2].lower()
    if theirs == ours or theirs.endswith(f".{ours}") or ours.endswith(f".{theirs}"):
        yield Finding("leaving", "green", f"mail to {settings.mail.unsubscribe_address}")
    else:
        yield Finding(
            "leaving",
            "yellow",
            f"unsubscribe_address is at {theirs}, but the sender is at {ours}",
            "Take an address of your own domain that digest bounces read can read.",
        )


def relay(settings: Settings) -> Iterator[Finding]:
    """Each server is greeted and left again, with TLS and login; at most 10 seconds."""
    mail = settings.mail
    if mail.transport != "smtp":
        yield Finding("relay", "green", f"none: mail is written to {mail.outbox}")
        return
    from digest.mail.smtp.transport import reach

    try:
        found = reach(mail.servers, helo_name=mail.helo_name)
    except NotReadyError as e:
        yield Finding("relay", "red", str(e), "Set the password, or the path.")
        return
    for name, fault in found:
        if fault is None:
            yield Finding(f"relay {name}", "green", "answers, and lets us in")
        else:
            advice = "Correct its [[mail.servers]] in config.toml, or ask who runs it."
            yield Finding(f"relay {name}", "red", fault, advice)

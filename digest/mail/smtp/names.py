"""What DNS says about mail: who takes that of a domain, and the texts at a name."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from time import monotonic

from digest.language.text import foreign

Nameserver = tuple[str, int]
RESERVED = ("example", "test", "invalid", "localhost", "example.org", "example.com", "example.net")
"""RFC 2606: names that nobody owns."""
ASKERS = 16
SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "mil", "net", "org"})
"""Labels under which registries of countries give out names, as in co.uk."""


def is_reserved(domain: str) -> bool:
    return domain in RESERVED or domain.endswith(tuple(f".{name}" for name in RESERVED))


def mail_providers(domains: Sequence[str], *, within: float = 5.0) -> dict[str, str]:
    """Who takes the mail of each domain: the owner of its first MX (RFC 5321 §5.1), such as google.com,
    or the domain itself without one. Those without an answer `within` seconds are left out.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

    try:
        resolver = Resolver()
    except NoResolverConfiguration:
        return {}
    until = monotonic() + within

    def ask(domain: str) -> str | None:
        left = until - monotonic()
        try:
            answer = resolver.resolve(f"{domain}.", "MX", lifetime=left) if left > 0 else None
        except (NXDOMAIN, NoAnswer):
            return domain
        except (DNSException, OSError, UnicodeError):
            return None
        if answer is None:
            return None
        first = min(answer, key=lambda one: (one.preference, str(one.exchange)))
        return owner(str(first.exchange)) or domain

    with ThreadPoolExecutor(ASKERS, thread_name_prefix="mx") as pool:
        asked = {domain: pool.submit(ask, domain) for domain in domains if not is_reserved(domain)}
        wait(asked.values())
    return {domain: name for domain, one in asked.items() if (name := one.result()) is not None}


def takes_mail(domain: str, *, within: float = 3.0) -> bool | None:
    """Whether a domain takes mail: by an MX (RFC 5321 §5.1) that is not null (RFC 7505), or an address.
    None where no name server answers `within` seconds."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

    if is_reserved(domain):
        return None
    until = monotonic() + within
    try:
        resolver = Resolver()
        for kind in ("MX", "A", "AAAA"):
            try:
                answer = resolver.resolve(
                    f"{domain}.", kind, lifetime=max(0.1, until - monotonic())
                )
            except NoAnswer:
                continue
            return kind != "MX" or any(str(one.exchange) != "." for one in answer)
    except NXDOMAIN:
        return False
    except (NoResolverConfiguration, DNSException, OSError, UnicodeError):
        return None
    return False


def owner(host: str) -> str:
    """The domain that a host is in: google.com for aspmx.l.google.com; "" for a null MX (RFC 7505)."""
    labels = host.lower().strip(".").split(".")
    deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL
    return ".".join(labels[-3 if deep else -2 :])


def text_records(
    names: Sequence[str], *, nameserver: Nameserver | None = None, seconds: float = 3.0
) -> dict[str, list[str] | None]:
    """The texts at each name, [] where there are none, None where no name server answered.

    `nameserver` is the address and port to ask instead of those of this machine. After the first
    name without an answer within `seconds`, the others are not looked up.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, NoNameservers, NoResolverConfiguration, Resolver

    records: dict[str, list[str] | None] = dict.fromkeys(names)
    try:
        resolver = Resolver(configure=nameserver is None)
    except NoResolverConfiguration:
        return records
    if nameserver is not None:
        resolver.nameservers, resolver.port = [nameserver[0]], nameserver[1]
    for name in names:
        try:
            answer = resolver.resolve(f"{name}.", "TXT", lifetime=seconds)
        except (NXDOMAIN, NoAnswer):
            records[name] = []
        except NoNameservers:
            continue  # it answered that it does not know
        except (DNSException, OSError):
            return records
        else:
            records[name] = [foreign(b"".join(text.strings), limit=4096) for text in answer]
    return records


def published_text(name: str) -> str | None:
    """The one TXT record at a name; None if there is none, several, or no answer."""
    texts = text_records([name])[name]
    return texts[0] if texts is not None and len(texts) == 1 else None

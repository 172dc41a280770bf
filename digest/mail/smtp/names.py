"""Asking DNS for what it says in words: TXT records."""

from collections.abc import Sequence


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

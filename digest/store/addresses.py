"""One mailbox, one key: how an address is looked up, however it was typed."""


def address_key(address: str) -> str:
    """The address in small letters, its domain as DNS knows it (RFC 5890 §2.3.2.1: xn--).

    A domain that cannot be one stays as it was typed: such an address is in nobody's way.
    """
    mailbox, at, domain = address.strip().casefold().rpartition("@")
    if domain.isascii():
        return mailbox + at + domain
    import idna

    try:
        return mailbox + at + idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return mailbox + at + domain

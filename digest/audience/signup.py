"""What people ask by a form: to join, the link to their choice, another address. Nothing happens before
the button of the page behind the link in the mail that answers.

A form says the same and takes the same work whatever is known of an address. The mail has nothing that a
stranger typed. An id is random, so that no link fits a later request once one was deleted.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from digest.audience import store
from digest.audience.recipients import EVERYTHING, By, change, check_choice, keep, mailable, offered
from digest.audience.suppressions import FORGOTTEN, address_of, suppression_of, unsuppress
from digest.config.settings import Settings
from digest.config.urls import join_url
from digest.errors import LimitError, NotFoundError, RecipientError
from digest.language.addresses import address_key, mixes_scripts
from digest.language.text import foreign
from digest.language.wording import wording_for
from digest.mail.letters import letter_mail
from digest.mail.notices import notice_mail, send_due
from digest.mail.outgoing import RATHER_TWICE, Kind, Notice, OutcomeKind
from digest.mail.smtp.names import takes_mail
from digest.mail.store import give_up, queue
from digest.mail.tokens import ANSWER, Purpose, change_url, read_token, token_for
from digest.model import Recipient, RecipientStatus
from digest.newsroom import Newsroom
from digest.store.database import Database, Row, text_from_moment

LAPSES = timedelta(hours=48)
"""How long a link of a request works, and how long anything is kept of it."""
FAILING_LEAST, FAILING_SHARE = 10, 0.2
SLOWED = 10
"""Where so many, and this share, of a day's mails with a link fail, an hour has only a tenth of them."""
LIFTED = ("hard", "soft", FORGOTTEN)
"""Causes of suppressions that end when somebody confirms by a mail to that address."""
LONGEST_ADDRESS = 320


class FormError(RecipientError):
    """A form cannot be taken; `key` names the text for the reader in [joining], `facts` fill it in."""

    def __init__(self, key: str, **facts: str) -> None:
        super().__init__(key, key, **facts)


@lru_cache(maxsize=4096)
def _takes_mail(domain: str, _ten_minutes: int) -> bool | None:
    return takes_mail(domain)


def check_form(address: str) -> str:
    """The address of a form as it is stored.

    Raises:
        FormError: it is no address that we can write to, or its domain mixes scripts.
    """
    typed = foreign(address, limit=LONGEST_ADDRESS)
    try:
        valid = mailable(typed)
    except RecipientError:
        raise FormError("no_address") from None
    if mixes_scripts(typed.rpartition("@")[2]):
        raise FormError("mixed", address=valid)
    return valid


def check_domain(settings: Settings, address: str, now: datetime) -> None:
    """Ask the DNS, for some seconds, whether the domain of a form's address takes mail.

    Raises:
        FormError: it does not; or see `check_form`.
    """
    domain = address_key(check_form(address)).rpartition("@")[2]
    minutes = int(now.timestamp()) // 600
    if settings.readers.look_up_domains and _takes_mail(domain, minutes) is False:
        raise FormError("no_mail", domain=domain)


def ask(
    newsroom: Newsroom,
    kind: str,
    address: str,
    network: str,
    *,
    language: str,
    wish: Mapping[str, Any] = MappingProxyType({}),
    recipient_id: int | None = None,
) -> str:
    """Store what a form asks, and queue the one mail that answers it: the address as it is stored.

    `kind` is "join" with the `wish` (languages, themes, digests, and the consent `words` of the page),
    "link" for the link to one's choice, or "move" for the recipient with `recipient_id`, to be confirmed
    at the new address. `network` is where it comes from, shortened; `language` that of the page.

    Raises:
        FormError: see `check_form`.
        RecipientError: the wish is not in config.toml.
        LimitError: too many forms came from this network.
    """
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
    limits = settings.readers
    address = check_form(address)
    if kind == "join":
        check_choice(settings, wish["languages"], wish["themes"], wish["digests"])
    key = address_key(address)
    request_id = int.from_bytes(newsroom.random_bytes()[:4], "big")
    known = store.asked_before(db, request_id, key, network, now)
    cause = (suppression_of(db, address) or {}).get("cause")
    if known["of_network"] >= limits.forms_per_network or known["taken"]:
        raise LimitError("Too many forms came from this network within an hour.")
    failing = known["failed"] >= max(FAILING_LEAST, FAILING_SHARE * known["of_day"])
    if known["in_all"] >= max(1, limits.mails_per_hour // (SLOWED if failing else 1)):
        return address
    parents = tuple(f".{one.lower()}" for one in limits.refused_domains)
    known_here = known["id"] if kind == "link" else known["status"] == RecipientStatus.ACTIVE
    silent = None
    if cause not in (None, *LIFTED):
        silent = "the address is suppressed"
    elif not known_here and f".{key.rpartition('@')[2]}".endswith(parents):
        silent = "the domain is refused"
    elif known["of_address"] >= limits.mails_per_address:
        silent = "too many for one address"
    notice = _answering(
        newsroom, kind, request_id, known | {"cause": cause}, address, language, recipient_id or 0
    )
    row = {"id": request_id, "kind": kind, "address": address, "address_key": key}
    row |= {"recipient_id": recipient_id, "network": network, "asked_at": text_from_moment(now)}
    row["wish"] = json.dumps({**wish, "language": language}, ensure_ascii=False)
    with db.write():
        db.insert("requests", row)
        queue(db, [notice], now)
        give_up(db, [Kind.LINK], silent or "", now, name=notice.name if silent else "")
    return address


def _answering(
    newsroom: Newsroom,
    kind: str,
    request_id: int,
    known: Row,
    address: str,
    language: str,
    recipient_id: int,
) -> Notice:
    """The mail with a link. To somebody who is here it goes to the address that we know, as a mail server
    may tell Anna@ from anna@."""
    settings, key = newsroom.settings, newsroom.token_key
    public = settings.web.public_url or ""
    active = known["status"] == RecipientStatus.ACTIVE
    if known["status"] and known["cause"] is None and (active or kind == "link"):
        letter = "link" if kind == "link" else "here"
        # The request tells a link that was asked for from one that was passed on with a mail.
        url = change_url(settings, token_for(key, request_id, known["id"], Purpose.CHOICE))
    elif kind == "link" and not active:
        letter, url = "none", join_url(settings, known["language"] or language)
    else:
        letter = "back" if kind == "link" else kind
        url = f"{public}{ANSWER}{token_for(key, request_id, recipient_id, Purpose.REQUEST)}"
    to = known["address"] or address
    return letter_notice(
        newsroom, letter, f"link.{request_id}", to, known["language"] or language, url
    )


def letter_notice(
    newsroom: Newsroom,
    letter: str,
    name: str,
    to: str,
    language: str,
    url: str | None = None,
    **more: object,
) -> Notice:
    """A letter (see letters.letter_mail) to this address, to be queued."""
    settings, now = newsroom.settings, newsroom.now()
    wording = wording_for(language, settings.site.languages)
    mail = letter_mail(settings, newsroom.templates, wording, letter, now, url, **more)
    return notice_mail(
        settings, Kind.LINK, name, now, mail, to, crash=RATHER_TWICE, language=wording.language
    )


def answer(newsroom: Newsroom, request_id: int, network: str) -> Row | None:
    """Do what was asked; asked again it does nothing more. The request with its `wish`, or None once it
    has lapsed, or cannot be done any more."""
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
    row = store.request_by_id(db, request_id, now - LAPSES)
    if row is None:
        return None
    old = None
    if row["kind"] == "move":  # the address is gone from the row once this is done
        for mover in store.list_recipients(db, recipient_id=row["recipient_id"]):
            name, language = f"moved.{request_id}", mover.choice.language
            old = letter_notice(newsroom, "moved", name, mover.address, language)
    try:
        with db.write():
            if (fresh := store.request_by_id(db, request_id, now - LAPSES)) is None:
                return None
            if fresh["answered_at"] is None:
                recipient_id = _do(db, settings, row, network, now)
                store.note_answer(db, request_id, recipient_id, now)
                if old is not None:
                    cause = suppression_of(db, old.recipient)
                    queue(db, [old] if cause is None else [], now)
    except (RecipientError, NotFoundError):
        return None
    return row


def _do(db: Database, settings: Settings, row: Row, network: str, now: datetime) -> int:
    """Call inside a write; the recipient's id.

    Raises:
        RecipientError, NotFoundError: it cannot be done any more.
    """
    address, wish = row["address"], row["wish"]
    suppression = suppression_of(db, address)
    if suppression is not None and suppression["cause"] not in LIFTED:
        raise RecipientError("the address is suppressed")
    if suppression is not None:
        unsuppress(db, [address])
    by = By("form", network, wish.get("words"))
    if row["kind"] == "move":
        was = address_of(db, row["recipient_id"]) or ""
        _, after = change(db, settings, now, was, {}, new_address=address, by=by)
        return after.id
    if row["kind"] == "link":
        recipient_id = store.recipient_by_address(db, address)
        store.note_event(db, recipient_id, "confirmed", by.name, now, network)
        return recipient_id
    given = {  # config.toml may have changed since
        what: [one for one in wish[what] if one in (*names, EVERYTHING)]
        for what, names in offered(settings).items()
    }
    _, after = keep(db, settings, now, address, given, resubscribe=True, by=by)
    if after.paused_until is not None:  # that of an earlier time
        store.update_recipient(db, after.id, after.address, None, now)
    return after.id


def state_of(newsroom: Newsroom, token: str) -> tuple[str, Row | None, Recipient | None]:
    """What is so now of a link in a mail, the request that it names, and whom that is about: answer_KIND
    while the button waits, answered_KIND, "lapsed", "refused", or "left" since."""
    db, named = newsroom.db, read_token(newsroom.token_keys, token, Purpose.REQUEST)
    row = named and store.request_by_id(db, named.edition_id, newsroom.now() - LAPSES)
    if row is None:
        return "lapsed", None, None
    done, kind = row["answered_at"] is not None, row["kind"]
    owner = store.find_recipient(db, row["address"])
    about = row["recipient_id"] if done or kind == "move" else owner
    reader = store.list_recipients(db, recipient_id=about)[0] if about else None
    active = reader is not None and reader.status is RecipientStatus.ACTIVE
    cause = (suppression_of(db, row["address"]) or {}).get("cause")
    if cause not in (None, *LIFTED):
        state = "refused"
    elif reader and not active and (done or kind != "join"):
        state = "left"
    elif (done and (owner != about or cause)) or (kind == "move" and owner not in (None, about)):
        state = "lapsed"
    elif not done and kind == "join" and active:
        state = "answer_again"
    else:
        state = f"answer{'ed' if done else ''}_{kind}"
    return state, row, reader


def send_links(
    newsroom: Newsroom, *, stop: Callable[[], bool] = lambda: False
) -> Counter[OutcomeKind]:
    """Send the mails with a link that are due, in any process; how the tries ended."""
    db, mark = newsroom.db, newsroom.random_bytes()[:8].hex()
    outcomes = send_due(db, newsroom.ways, [Kind.LINK], newsroom.now, mark, stop=stop)
    if outcomes:
        with db.write():
            store.settle_links(db, newsroom.now())
    return outcomes


def lapse_requests(newsroom: Newsroom) -> int:
    """Delete all that is kept of requests that are older than LAPSES; how many."""
    with newsroom.db.write():
        return store.delete_requests(newsroom.db, newsroom.now() - LAPSES)

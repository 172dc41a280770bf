"""What letters and answers say about addresses: what counts, what waits, and when the brake is put on."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from digest.audience.evidence import (
    STATES,
    WORDS,
    Decision,
    Evidence,
    decide,
    in_words,
    list_returns,
    list_suppressions,
    open_brakes,
    raw_return,
    take_evidence,
    waiting,
)
from digest.audience.store import (
    ChosenRecipient,
    add_recipient,
    domains_to_look_up,
    save_providers,
    update_recipient,
)
from digest.audience.suppressions import unsuppress
from digest.editions.deliveries import due_deliveries, queue_refused
from digest.editions.store import pending_editions
from digest.store.database import Database, text_from_moment

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS = count()


class Desk:
    """A database with recipients and editions, at a moment."""

    def __init__(self, db: Database) -> None:
        self.db, self.now = db, NOW
        self.ids: dict[str, int] = {}

    def edition(
        self, addresses: Iterable[str], *, status: str = "sent", server: str = "mx:25"
    ) -> int:
        """Another edition, with a delivery to each address."""
        db, at = self.db, text_from_moment(self.now)
        with db.write():
            number = int(db.value("SELECT count(*) + 1 FROM editions"))
            end = text_from_moment(self.now + timedelta(seconds=number))
            values = {"digest": "weekly", "number": number, "starts_at": at, "ends_at": end}
            values |= {"status": "composed", "hash": "x", "composed_at": at}
            edition_id = db.insert("editions", values)
            kinds = {"language": "en", "languages": "en", "themes": "", "hash": "x", "layout": "[]"}
            segment_id = db.insert("segments", {"edition_id": edition_id, **kinds})
            for address in addresses:
                if address not in self.ids:
                    chosen = ChosenRecipient(address, ("en",), ("weekly",))
                    self.ids[address] = add_recipient(db, chosen, self.now)[0]
                row = {"edition_id": edition_id, "recipient_id": self.ids[address]}
                row |= {"segment_id": segment_id, "status": status, "due_at": at}
                row |= {"first_tried_at": at, "settled_at": at, "server": server}
                db.insert("deliveries", row | {"handed_at": at if status == "sent" else None})
        return edition_id

    def say(
        self,
        kind: str,
        address: str,
        edition_id: int | None = None,
        *,
        proven: bool = True,
        found_by: str = "verp",
        key: bytes | None = None,
    ) -> Decision:
        said = Evidence(
            key=key or f"letter {next(KEYS)}".encode(),
            kind=kind,
            proven=proven,
            found_by=found_by,
            recipient_id=self.ids[address],
            edition_id=edition_id,
            status="5.1.1",
            diagnostic="550 5.1.1 no such user",
            because="says that there is no such address",
            raw=b"raw",
        )
        with self.db.write():
            return take_evidence(self.db, said, self.now)

    @property
    def suppressed(self) -> set[str]:
        return {row["address_key"] for row in list_suppressions(self.db)}


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def people(many: int, domain: str = "mail.example") -> list[str]:
    return [f"r{n}@{domain}" for n in range(many)]


ANNA = "anna@reader.example"


def test_a_dead_address_with_proof_is_suppressed(desk: Desk) -> None:
    """For the sender's good name; and the list says who said so."""
    edition = desk.edition([ANNA])
    assert desk.say("hard", ANNA, edition) == Decision("counts", suppressed=True)
    [row] = list_suppressions(desk.db)
    assert row["why"] == (
        "A report, proven by the token it was sent to, about weekly no. 1: “550 5.1.1 no such user”. "
        "It says that there is no such address. It counts."
    )


def test_a_late_report_is_about_the_address_of_then(desk: Desk) -> None:
    """For somebody who gave a new address because the old one died."""
    edition = desk.edition([ANNA])
    desk.now += DAY
    with desk.db.write():
        update_recipient(desk.db, desk.ids[ANNA], "new@reader.example", None, desk.now)
    assert desk.say("hard", ANNA, edition).suppressed
    assert desk.suppressed == {ANNA}
    desk.now += DAY
    desk.say("hard", ANNA, desk.edition([ANNA]))
    assert desk.suppressed == {ANNA, "new@reader.example"}


@pytest.mark.parametrize("kind", ["hard", "complaint", "leave"])
def test_nothing_without_proof_cuts_anybody_off(desk: Desk, kind: str) -> None:
    """Anybody can write a letter that names an address; a person decides about it."""
    desk.edition([ANNA])
    assert desk.say(kind, ANNA, proven=False, found_by="recipient") == Decision("waits")
    assert desk.suppressed == set()
    assert desk.db.value("SELECT status FROM recipients") == "active"
    assert waiting(desk.db) == (1, text_from_moment(NOW))
    [row] = list_returns(desk.db, state="waits")
    with desk.db.write():
        decided = decide(desk.db, True, desk.now, ids=[row["id"]])
    assert decided.count == 1
    assert desk.suppressed == (set() if kind == "leave" else {ANNA})
    ended = desk.db.value("SELECT status FROM recipients")
    assert ended == ("active" if kind == "hard" else "ended")
    assert waiting(desk.db) == (0, None)


def test_a_letter_that_was_discarded_changes_nothing(desk: Desk) -> None:
    """Also when it is read again."""
    desk.edition([ANNA])
    desk.say("complaint", ANNA, proven=False, key=b"one letter")
    with desk.db.write():
        assert decide(desk.db, False, desk.now, waiting=True).count == 1
    assert desk.say("complaint", ANNA, proven=False, key=b"one letter") == Decision()
    assert (desk.suppressed, waiting(desk.db)[0]) == (set(), 0)


def test_a_refusal_in_our_own_dialogue_settles_what_waited(desk: Desk) -> None:
    """For the operator, who then has nothing left to decide."""
    desk.edition([ANNA])
    desk.say("hard", ANNA, proven=False, found_by="recipient")
    desk.now += 7 * DAY
    assert desk.say(
        "hard", ANNA, desk.edition([ANNA], status="failed"), found_by="dialogue"
    ).suppressed
    assert waiting(desk.db)[0] == 0


def test_soft_bounces_count_by_edition(desk: Desk) -> None:
    """Three full members of one list address are one strike; three editions in a row are three."""
    for _ in range(2):
        edition = desk.edition([ANNA])
        for _ in range(3):
            assert not desk.say("soft", ANNA, edition).suppressed
        desk.now += 7 * DAY
    assert desk.say("soft", ANNA, desk.edition([ANNA])).suppressed


def test_an_accepted_mail_clears_the_count(desk: Desk) -> None:
    """For somebody whose mailbox is full each summer."""
    for fails in (True, True, False, True, True):
        edition = desk.edition([ANNA])
        if fails:
            assert not desk.say("soft", ANNA, edition).suppressed
        desk.now += 7 * DAY
    assert desk.say("soft", ANNA, desk.edition([ANNA])).suppressed


def test_old_soft_bounces_expire_and_unproven_ones_never_count(desk: Desk) -> None:
    """One a season is not too many, and strangers cannot fill a mailbox."""
    for _ in range(5):
        assert not desk.say("soft", ANNA, desk.edition([ANNA], status="failed")).suppressed
        desk.now += 40 * DAY
    for _ in range(5):
        said = desk.say("soft", ANNA, desk.edition([ANNA], status="failed"), proven=False)
        assert said == Decision("noted")


def test_a_removed_address_starts_anew_and_a_tried_one_does_not(desk: Desk) -> None:
    """For the operator: to forget a fault of a relay, or only to look whether somebody is back."""
    for _ in range(3):
        desk.say("soft", ANNA, desk.edition([ANNA], status="failed"))
        desk.now += DAY
    assert unsuppress(desk.db, [ANNA], forget=False) == 1
    desk.now += 200 * DAY
    assert desk.say("soft", ANNA, desk.edition([ANNA], status="failed")).suppressed
    assert unsuppress(desk.db, [ANNA]) == 1
    assert not desk.say("soft", ANNA, desk.edition([ANNA], status="failed")).suppressed


def test_a_dead_address_that_is_tried_again_needs_no_second_day(desk: Desk) -> None:
    """Nor another strike: its provider has said it before."""
    there = people(25)
    for kind in ("", "hard", "hard"):
        edition = desk.edition(there)
        if kind:
            desk.say(kind, there[0], edition)
        desk.now += 7 * DAY
    assert desk.suppressed == {there[0]}
    unsuppress(desk.db, there[:1], forget=False)
    desk.edition(there[1:])
    desk.now += 100 * DAY
    desk.edition(there[1:])
    desk.now += DAY
    assert desk.say("hard", there[0], desk.edition(there, status="failed")).suppressed


def test_many_dead_at_one_provider_put_on_the_brake_there(desk: Desk) -> None:
    """A provider that answers 550 5.1.1 to everybody costs nobody; the others get their mail."""
    there, here = people(40, "big.example"), people(100, "small.example")
    edition = desk.edition([*there, *here], status="queued")
    for n, address in enumerate(there[:19]):
        assert desk.say("hard", address, edition, found_by="dialogue").suppressed
        assert len(desk.suppressed) == n + 1
    held = desk.say("hard", there[19], edition, found_by="dialogue")
    assert held == Decision("braked", suppressed=-19, braked=20)
    assert desk.suppressed == set()
    assert desk.say("hard", there[20], edition) == Decision("braked", braked=1)
    [brake] = open_brakes(desk.db)
    shown = (brake["provider"], brake["dead"], brake["recipients"], brake["queued"])
    assert shown == ("big.example", 21, 40, 40)
    due = [one.address for one in due_deliveries(desk.db, edition, desk.now)]
    assert due == here
    with desk.db.write():
        desk.db.run("UPDATE deliveries SET status = 'sent' WHERE recipient_id > 40")
    assert pending_editions(desk.db, digest="weekly", now=desk.now) == []


def braked(desk: Desk) -> tuple[int, list[str]]:
    """An edition whose first 20 of 40 recipients came out dead."""
    there = people(40)
    edition = desk.edition(there, status="queued")
    for address in there[:20]:
        with desk.db.write():
            sql = "UPDATE deliveries SET status = 'failed' WHERE recipient_id = ?"
            desk.db.run(sql, (desk.ids[address],))
        desk.say("hard", address, edition, found_by="dialogue")
    assert desk.suppressed == set()
    return edition, there


def test_a_confirmed_batch_is_suppressed_and_the_edition_goes_on(desk: Desk) -> None:
    """For an old list whose addresses are really gone; it brakes again once as many more are dead."""
    edition, there = braked(desk)
    with desk.db.write():
        decided = decide(desk.db, True, desk.now, edition_id=edition)
    assert (decided.count, decided.suppressed, decided.refused) == (20, 20, [])
    assert desk.suppressed == set(there[:20])
    assert len(list(due_deliveries(desk.db, edition, desk.now))) == 20
    for address in there[20:39]:
        assert desk.say("hard", address, edition).suppressed
    assert open_brakes(desk.db) == []
    assert desk.say("hard", there[39], edition) == Decision("braked", suppressed=-19, braked=20)
    assert desk.suppressed == set(there[:20])


def test_a_discarded_batch_is_sent_again_and_may_brake_again(desk: Desk) -> None:
    """For a provider that was wrong: nobody is lost, and what was accepted is not sent twice."""
    edition, there = braked(desk)
    with desk.db.write():
        sent = desk.ids[there[0]]
        desk.db.run("UPDATE deliveries SET status = 'sent' WHERE recipient_id = ?", (sent,))
        decided = decide(desk.db, False, desk.now, edition_id=edition, provider="mail.example")
        assert queue_refused(desk.db, decided.refused, desk.now) == 19
    assert (desk.suppressed, open_brakes(desk.db)) == (set(), [])
    assert len(list(due_deliveries(desk.db, edition, desk.now))) == 39
    for address in there[:20]:
        desk.say("hard", address, edition, found_by="dialogue")
    assert [row["dead"] for row in open_brakes(desk.db)] == [20]


def test_each_brake_counts_its_own_mail_and_is_decided_alone(desk: Desk) -> None:
    """For two providers that fail on the same day."""
    one, other = people(40, "one.example"), people(30, "other.example")
    edition = desk.edition([*one, *other], status="queued")
    for address in (*one[:20], *other[:20]):
        desk.say("hard", address, edition)
    assert [row["queued"] for row in open_brakes(desk.db)] == [40, 30]
    with desk.db.write():
        assert (
            decide(desk.db, True, desk.now, edition_id=edition, provider="one.example").count == 20
        )
    assert [row["provider"] for row in open_brakes(desk.db)] == ["other.example"]
    assert desk.suppressed == set(one[:20])


def test_a_cancelled_edition_is_not_queued_again(desk: Desk) -> None:
    """Whatever its refusals were worth."""
    edition, _ = braked(desk)
    with desk.db.write():
        desk.db.run("UPDATE editions SET status = 'cancelled'")
        decided = decide(desk.db, False, desk.now, edition_id=edition)
        assert queue_refused(desk.db, decided.refused, desk.now) == 0


@pytest.mark.parametrize(
    ("recipients", "dead", "brakes"),
    [
        pytest.param(1000, 20, [], id="2 % is not more"),
        pytest.param(1000, 21, ["mail.example"], id="more than 2 %"),
        pytest.param(21, 19, [], id="fewer than 20"),
    ],
)
def test_few_dead_put_on_no_brake(
    desk: Desk, recipients: int, dead: int, brakes: list[str]
) -> None:
    """Every list has some; those are suppressed one by one."""
    there = people(recipients)
    edition = desk.edition(there, status="queued")
    for address in there[:dead]:
        desk.say("hard", address, edition)
    assert [row["provider"] for row in open_brakes(desk.db)] == brakes
    assert len(desk.suppressed) == (0 if brakes else dead)


def test_dead_addresses_everywhere_stop_the_whole_edition(desk: Desk) -> None:
    """A relay that cannot look up names says so of many domains."""
    there = [f"r@d{n}.example" for n in range(200)]
    edition = desk.edition(there, status="queued")
    for address in there[:20]:
        desk.say("hard", address, edition)
    [brake] = open_brakes(desk.db)
    assert (brake["provider"], brake["dead"], brake["queued"]) == ("", 20, 200)
    assert (desk.suppressed, list(due_deliveries(desk.db, edition, desk.now))) == (set(), [])


def test_dead_addresses_of_some_days_ago_do_not_count(desk: Desk) -> None:
    """A brake is for what happens at once."""
    there = people(40)
    edition = desk.edition(there)
    for n, address in enumerate(there[:30]):
        desk.now += DAY * (n == 15) * 2
        desk.say("hard", address, edition)
    assert (open_brakes(desk.db), len(desk.suppressed)) == ([], 30)


def test_domains_of_one_provider_count_together(desk: Desk) -> None:
    """Google's customers have their own domains; where DNS answers, its MX says whose they are."""
    there = [f"r@d{n}.example" for n in range(40)]
    edition = desk.edition([*there, *people(2000, "other.example")], status="queued")
    domains = domains_to_look_up(desk.db, desk.now)
    assert domains[0] == "other.example"
    with desk.db.write():
        mx = {domain: "google.example" for domain in domains if domain != "other.example"}
        save_providers(desk.db, domains, mx, desk.now)
    assert domains_to_look_up(desk.db, desk.now) == []
    assert domains_to_look_up(desk.db, desk.now + DAY) == ["other.example"]
    for address in there[:20]:
        desk.say("hard", address, edition)
    assert [row["provider"] for row in open_brakes(desk.db)] == ["google.example"]
    assert len(list(due_deliveries(desk.db, edition, desk.now))) == 2000


def test_a_provider_that_answered_well_must_say_it_twice(desk: Desk) -> None:
    """Gmail once said for a day that living addresses do not exist."""
    there = people(25)
    desk.edition(there)
    desk.now += 7 * DAY
    edition = desk.edition(there)
    assert desk.say("hard", there[0], edition) == Decision("counts")
    assert desk.say("hard", there[0], edition) == Decision("counts")  # the same day
    [row, _] = list_returns(desk.db)
    assert in_words(row).endswith("so it must say so again on another day. It counts.")
    desk.now += 7 * DAY
    assert desk.say("hard", there[0], desk.edition(there)).suppressed
    assert not desk.say("hard", there[1], edition).suppressed


def test_a_mail_that_was_accepted_later_takes_a_first_dead_answer_back(desk: Desk) -> None:
    """The second answer must follow the first."""
    there = people(25)
    for kind in ("", "hard", "", "hard"):
        edition = desk.edition(there)
        if kind:
            assert not desk.say(kind, there[0], edition).suppressed
        desk.now += 7 * DAY


def test_mail_into_a_maildir_is_no_answer_of_a_provider(desk: Desk) -> None:
    """There the outbox accepted it."""
    there = people(25)
    desk.edition(there, server="/srv/digest/outbox")
    desk.now += 7 * DAY
    assert desk.say("hard", there[0], desk.edition(there, server="/srv/digest/outbox")).suppressed


def test_a_letter_is_stored_as_it_arrived_and_everything_has_words(desk: Desk) -> None:
    """Read twice, counted once."""
    desk.edition([ANNA])
    assert desk.say("vacation", ANNA, key=b"away") == Decision("noted")
    assert desk.say("vacation", ANNA, key=b"away") == Decision()
    assert (raw_return(desk.db, 1), raw_return(desk.db, 2)) == (b"raw", None)
    [row] = list_returns(desk.db, recipient_id=desk.ids[ANNA])
    for found_by in WORDS:
        for state, sentence in STATES.items():
            assert in_words(row | {"found_by": found_by, "state": state}).endswith(sentence)

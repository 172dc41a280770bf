"""`digest deliveries settle`, and the states of editions."""

import pytest

from digest.cli.editions import status_line
from tests.desks import Desk
from tests.mailing import Office


@pytest.fixture
def composed(filled: Desk) -> Desk:
    """An edition with two deliveries, the first of them uncertain."""
    with filled.open() as db:
        office = Office(filled, db)
        office.add("anna@reader.example", "boris@reader.example")
        office.compose()
        with db.write():
            db.run("UPDATE deliveries SET status = 'uncertain', due_at = NULL WHERE id = 1")
    return filled


def states(desk: Desk) -> list[str]:
    return [one["status"] for one in desk.json("deliveries", "list")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param("1 --sent --resend", 2, "Give --sent or --resend, not both.", id="both"),
        pytest.param("2 --sent", 1, "delivery 2 is not uncertain", id="not sent"),
        pytest.param("2 --resend", 1, "delivery 2 is not uncertain", id="queued"),
    ],
)
def test_only_a_clear_decision_on_an_uncertain_delivery_counts(
    composed: Desk, words: str, code: int, message: str
) -> None:
    """For the recipient: a slip of the hand mails nobody again."""
    result = composed.run("deliveries", "settle", *words.split())
    assert result.exit_code == code
    assert message in result.stderr
    assert states(composed) == ["uncertain", "queued"]


@pytest.mark.parametrize(("option", "state"), [("--sent", "sent"), ("--resend", "queued")])
def test_an_uncertain_delivery_is_settled(composed: Desk, option: str, state: str) -> None:
    """For the operator: it says what it did."""
    result = composed.run("deliveries", "settle", "1", option)
    assert (result.exit_code, states(composed)) == (0, [state, "queued"])
    assert result.stdout.startswith("1 uncertain delivery now ")


@pytest.mark.parametrize(
    ("status", "counts", "shown"),
    [
        pytest.param("composed", {"sent": 2, "queued": 1}, "sending", id="mail of it waits"),
        pytest.param("composed", {"sent": 2, "failed": 1}, "sent", id="all is settled"),
        pytest.param("composed", {}, "composed", id="for nobody"),
        pytest.param("held", {"queued": 3}, "held", id="held"),
    ],
)
def test_an_edition_whose_mail_is_settled_is_called_sent(
    status: str, counts: dict[str, int], shown: str
) -> None:
    """For the operator who looks at the list of editions."""
    assert status_line(status, counts) == shown

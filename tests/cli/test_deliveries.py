"""`digest deliveries`: an operator's word is taken only where it is clear and wanted."""

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


def test_two_words_at_once_are_refused(composed: Desk) -> None:
    """For the recipient: a slip of the hand mails nobody again."""
    result = composed.run("deliveries", "settle", "1", "--sent", "--resend")
    assert result.exit_code == 2
    assert "Give --sent or --resend, not both." in result.stderr
    assert states(composed) == ["uncertain", "queued"]


@pytest.mark.parametrize("word", ["--sent", "--resend"])
def test_only_what_is_uncertain_is_settled(composed: Desk, word: str) -> None:
    """For the operator who mistyped the number: its state is told and stays."""
    result = composed.run("deliveries", "settle", "2", word)
    assert result.exit_code == 1
    assert "delivery 2 is queued, and only an uncertain one is settled" in result.stderr
    assert states(composed) == ["uncertain", "queued"]


@pytest.mark.parametrize(("word", "state"), [("--sent", "sent"), ("--resend", "queued")])
def test_an_uncertain_one_is_settled_as_said(composed: Desk, word: str, state: str) -> None:
    """For the operator: it says what it did."""
    result = composed.run("deliveries", "settle", "1", word)
    assert (result.exit_code, states(composed)) == (0, [state, "queued"])
    assert result.stdout.startswith("1 uncertain delivery now ")


def test_an_edition_that_is_not_there_is_told(composed: Desk) -> None:
    """For the operator who mistyped: an empty list would say that nobody got it."""
    result = composed.run("deliveries", "list", "--edition", "99")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no edition 99" in result.stderr


@pytest.mark.parametrize(
    ("status", "counts", "shown"),
    [
        pytest.param("composed", {"sent": 2, "queued": 1}, "sending", id="mail of it waits"),
        pytest.param("composed", {"sent": 2, "failed": 1}, "sent", id="all is settled"),
        pytest.param("composed", {}, "composed", id="for nobody"),
        pytest.param("held", {"queued": 3}, "held", id="held"),
    ],
)
def test_an_edition_that_went_out_is_called_sent(
    status: str, counts: dict[str, int], shown: str
) -> None:
    """For the operator who looks at the list of editions."""
    assert status_line(status, counts) == shown

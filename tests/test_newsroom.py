"""The only wiring and the only clock."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.errors import ConfigError
from digest.mail.maildir import MaildirTransport
from digest.newsroom import Clock, Newsroom
from tests.desks import Desk


def test_a_clock_can_run_fast() -> None:
    """In the soak a year passes in an hour, from a date of its own; else the time is the machine's."""
    machine = datetime(2026, 11, 22, 8, 0, 0, 123_457, tzinfo=UTC)
    assert Clock().at(machine) == Clock().machine_at(machine) == machine
    starts = datetime(2031, 1, 1, tzinfo=UTC)
    fast = Clock(10_000.0, starts, machine)
    assert fast.at(machine + timedelta(hours=1)) == starts + timedelta(hours=10_000)
    assert fast.machine_at(starts + timedelta(hours=10_000)) == machine + timedelta(hours=1)


def test_parts_are_made_from_config(desk: Desk) -> None:
    """Every command has the store, the templates and the transport of config.toml; times are in UTC."""
    newsroom = Newsroom.from_file(desk.config)
    assert newsroom.now().utcoffset() == timedelta(0)
    with newsroom.open() as inside:
        db = inside.db
        assert db.path == desk.store
        assert db.value("PRAGMA busy_timeout") == 15_000
    assert newsroom.templates.get_template("mail/edition.html")
    assert isinstance(newsroom.transport, MaildirTransport)
    assert newsroom.signer is None


def test_a_copy_of_the_database_is_at_another_place(desk: Desk) -> None:
    """A restored copy is distinguished from the database that sends."""
    here = Newsroom(desk.settings).here
    assert here == Newsroom(desk.settings).here
    store = desk.settings.store.model_copy(update={"path": desk.folder / "elsewhere.db"})
    assert Newsroom(desk.settings.model_copy(update={"store": store})).here != here


def test_randomness_is_long_enough() -> None:
    """Nobody can guess the token of an unsubscribe link."""
    assert len(Newsroom.random_bytes()) == 32
    assert Newsroom.random_bytes() != Newsroom.random_bytes()


def test_a_faulty_config_is_an_error(desk: Desk) -> None:
    """Nothing is made from half a configuration."""
    desk.configure(time_zone='"Nowhere"')
    with pytest.raises(ConfigError, match="time_zone"):
        Newsroom.from_file(desk.config)

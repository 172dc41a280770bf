"""[mail] and [[mail.servers]]: how messages are sent."""

import pytest
from pydantic import ValidationError

from digest.config.settings import ServerSettings, TransportSettings


def test_mail_goes_to_the_outbox_by_default():
    """Nothing leaves the machine by mistake."""
    settings = TransportSettings()
    assert settings.transport == "maildir"
    assert str(settings.outbox) == "outbox"


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ({"host": "smtp.example.org"}, "smtp.example.org:587"),
        ({"host": "smtp.example.org", "tls": "implicit"}, "smtp.example.org:465"),
        ({"host": "localhost", "tls": "none"}, "localhost:25"),
        ({"host": "::1", "tls": "none", "port": 2525}, "::1:2525"),
        ({"host": "smtp.test", "tls": "none", "allow_plaintext": True}, "smtp.test:25"),
    ],
)
def test_a_server_has_the_port_of_its_kind(table, name):
    assert ServerSettings.model_validate(table).name == name


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({"host": "h.example", "tls": "none"}, "allow_plaintext", id="in the clear"),
        pytest.param({"host": "h.example", "username": "u"}, "password_env", id="no password"),
        pytest.param({"host": "h.example", "password_env": "P"}, "username", id="no username"),
        pytest.param({"host": "h.example", "tls": "maybe"}, "starttls", id="opportunistic"),
    ],
)
def test_a_server_that_would_leak_secrets_is_a_fault(table, message):
    """Plaintext leaves the machine only with two keys that say so."""
    with pytest.raises(ValidationError, match=message):
        ServerSettings.model_validate(table)


def test_smtp_needs_a_server():
    with pytest.raises(ValidationError, match=r"mail\.servers"):
        TransportSettings(transport="smtp")

"""[mail] and [[mail.servers]]: how messages leave."""

import pytest
from pydantic import ValidationError

from digest.config.settings import ServerSettings, TransportSettings


def test_mail_goes_to_the_outbox_unless_told_otherwise():
    """For a new newsroom: nothing leaves the machine by mistake."""
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
        (
            {"host": "smtp.example.org", "tls": "none", "allow_plaintext": True},
            "smtp.example.org:25",
        ),
    ],
)
def test_a_server_has_the_port_of_its_kind(table, name):
    assert ServerSettings.model_validate(table).name == name


@pytest.mark.parametrize(
    ("table", "says"),
    [
        pytest.param({"host": "h.example", "tls": "none"}, "allow_plaintext", id="in the clear"),
        pytest.param({"host": "h.example", "username": "u"}, "password_env", id="no password"),
        pytest.param({"host": "h.example", "password_env": "P"}, "username", id="no username"),
        pytest.param({"host": "h.example", "tls": "maybe"}, "starttls", id="opportunistic"),
    ],
)
def test_a_server_that_would_give_secrets_away_is_a_fault(table, says):
    """For the recipients: plaintext leaves the machine only if it is said twice."""
    with pytest.raises(ValidationError, match=says):
        ServerSettings.model_validate(table)


def test_smtp_needs_a_server():
    with pytest.raises(ValidationError, match=r"mail\.servers"):
        TransportSettings(transport="smtp")


def test_a_password_comes_from_the_environment_or_a_file(tmp_path, monkeypatch):
    """For the operator: no secret stands in config.toml."""
    file = tmp_path / "password"
    file.write_text("from file\n")
    table = {
        "host": "h.example",
        "username": "u",
        "password_env": "DIGEST_T",
        "password_file": file,
    }
    server = ServerSettings.model_validate(table)
    monkeypatch.delenv("DIGEST_T", raising=False)
    assert server.password() == "from file"
    monkeypatch.setenv("DIGEST_T", "from environment")
    assert server.password() == "from environment"

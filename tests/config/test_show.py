"""`digest config` shows what is in force, and never a secret."""

import json
from pathlib import Path

import pytest

from digest.config.load import effective_settings, settings_lines
from digest.config.settings import Settings
from digest.errors import NotReadyError
from tests.factories import make_settings

WORD = "open sesame"


def settings(**server: object) -> Settings:
    relay = {"host": "relay.example.org", "username": "digest", **server}
    return make_settings(mail={"transport": "smtp", "servers": [relay]})


def test_defaults_are_filled_in() -> None:
    """For the operator: what they did not write is shown too."""
    lines = list(settings_lines(make_settings(Path("/newsroom"))))
    assert 'feeds_url = "https://news.example.org/feeds"' in lines
    assert "digests[1].per_theme = 10" in lines
    assert "sources[1].archive = false" in lines
    assert "themes[1].threshold = 1.0" in lines
    assert 'themes[1].colour = "#9a2f2f"' in lines
    assert 'digests[1].time_zone = "Asia/Ashgabat"' in lines
    assert "mail.per_second = (no limit)" in lines
    assert not [line for line in lines if "(none)" in line]
    assert json.dumps(effective_settings(make_settings()))


@pytest.mark.parametrize("way", ["environment", "file"])
def test_a_secret_is_hidden(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the operator who shows the output to somebody: that one was found, not what it is."""
    monkeypatch.setenv("RELAY_PASSWORD", WORD)
    file = tmp_path / "password"
    file.write_text(WORD)
    keys = {"password_env": "RELAY_PASSWORD"} if way == "environment" else {"password_file": file}
    shown = settings(**keys)
    assert WORD not in json.dumps(effective_settings(shown))
    assert 'mail.servers[1].password = "(hidden)"' in list(settings_lines(shown))


def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """For the operator whose editor saved the file in another encoding."""
    file = tmp_path / "password"
    file.write_bytes("пароль".encode("cp1251"))
    shown = settings(password_file=file)
    assert 'mail.servers[1].password = "(cannot be read)"' in list(settings_lines(shown))
    with pytest.raises(
        NotReadyError, match=r"password: the secret is not UTF-8 text\. Save it as UTF-8"
    ):
        shown.mail.servers[0].password()


def test_a_secret_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the operator who forgot to set it."""
    monkeypatch.delenv("RELAY_PASSWORD", raising=False)
    shown = settings(password_env="RELAY_PASSWORD")  # noqa: S106 - the name of a variable
    assert 'mail.servers[1].password = "(not set)"' in list(settings_lines(shown))

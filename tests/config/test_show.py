"""`digest config` shows the effective settings, and never a secret."""

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
    """Keys that the file leaves out are shown too."""
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


@pytest.mark.parametrize(
    ("key", "content", "shown"),
    [
        pytest.param("password_env", WORD.encode(), "(hidden)", id="environment"),
        pytest.param("password_file", WORD.encode(), "(hidden)", id="file"),
        pytest.param("password_env", b"", "(not set)", id="not set"),
        pytest.param("password_file", "пароль".encode("cp1251"), "(cannot be read)", id="not text"),
    ],
)
def test_a_secret_is_not_shown(
    key: str, content: bytes, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output may be passed on: it shows whether there is a secret, not which."""
    file = tmp_path / "password"
    file.write_bytes(content)
    if key == "password_env" and content:
        monkeypatch.setenv("RELAY_PASSWORD", content.decode())
    else:
        monkeypatch.delenv("RELAY_PASSWORD", raising=False)
    relay = settings(**{key: "RELAY_PASSWORD" if key == "password_env" else file})
    lines = dict(line.split(" = ", 1) for line in settings_lines(relay) if " = " in line)
    assert lines["mail.servers[1].password"] == f'"{shown}"'
    assert WORD not in json.dumps(effective_settings(relay))
    if shown == "(cannot be read)":
        with pytest.raises(
            NotReadyError, match=r"password: the secret is not UTF-8 text\. Save it"
        ):
            relay.mail.servers[0].password()

"""Settings as types: what follows from them; the shipped config.toml shows every one."""

import re
import tomllib
from pathlib import Path

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config.checks import LOWEST_CONTRAST, PAPER_DARK, PAPER_LIGHT
from digest.config.load import load_settings
from digest.config.settings import PALETTE, SPARE, ServerSettings
from digest.config.values import PLAIN_ADDRESS, contrast, secret
from digest.model import OTHER
from digest.themes.lexicon import compile_lexicon
from tests.desks import CONFIG, ROOT
from tests.factories import make_settings
from tests.settings_keys import EVERY, UNITS, Setting, every_setting


def shown() -> dict[str, dict[str, str]]:
    """The lines of config.toml by table and key, with those that are commented out."""
    tables: dict[str, dict[str, str]] = {}
    table = ""
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"(?:# )?\[\[?([a-z_.]+)\]\]?\s*(?:#.*)?", line):
            table = header[1]
        elif key := re.match(r"(?:# )?([a-z0-9_]+) = ", line):
            tables.setdefault(table, {}).setdefault(key[1], line)
    return tables


@pytest.mark.parametrize("setting", EVERY)
def test_config_toml_shows_every_setting(setting: Setting):
    """Each key is in the file, perhaps commented out, with its default and its unit."""
    line = shown().get(setting.table, {}).get(setting.key)
    assert line is not None, f"[{setting.table}] {setting.key} is not in config.toml"
    comment = line.partition(" # ")[2]
    assert comment.strip()
    assert setting.field.is_required() or "default" in comment
    assert setting.default is None or f"default {setting.default}" in line
    assert UNITS.get(setting.key.rpartition("_")[2], "") in comment


def test_the_shipped_file_has_no_unknown_key():
    """Not even commented out."""
    known = {(setting.table, setting.key) for setting in every_setting()}
    assert {(table, key) for table, lines in shown().items() for key in lines} <= known


def test_lines_that_are_commented_out_work(tmp_path: Path):
    """Every optional line of config.toml is valid without its comment sign."""
    text = re.sub(r"(?m)^# (?=\[|[a-z0-9_]+ = )", "", CONFIG.read_text(encoding="utf-8"))
    assert tomllib.loads(text)
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    compile_lexicon(load_settings(path).themes)


def test_a_newcomers_file_says_what_every_setting_says():
    """config.toml of the checkout, which `digest init --demo` writes, is the start of the full one."""

    def within(small: object, full: object) -> bool:
        if isinstance(small, dict) and isinstance(full, dict):
            return all(key in full and within(small[key], full[key]) for key in small)
        if isinstance(small, list) and isinstance(full, list):
            return len(small) == len(full) and all(map(within, small, full))
        return small == full

    texts = [path.read_text("utf-8") for path in (ROOT / "config.toml", CONFIG)]
    assert within(*map(tomllib.loads, texts))
    assert len(texts[0].splitlines()) < 50


@pytest.mark.parametrize(
    "url", ["https://news.example.org/digest/", "http://127.0.0.1:8080/", "http://localhost"]
)
def test_a_public_address_is_https_or_on_this_machine(url: str):
    """RFC 8058 §3.1; links add their own slash."""
    assert make_settings(web={"public_url": url}).web.public_url == url.rstrip("/")


def test_our_colours_are_readable():
    """The default colours keep WCAG's 4.5 : 1 on a light and a dark background."""
    for light, dark in [*PALETTE.values(), *SPARE]:
        assert contrast(light, PAPER_LIGHT) >= LOWEST_CONTRAST
        assert contrast(dark, PAPER_DARK) >= LOWEST_CONTRAST


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        pytest.param("#000000", "#ffffff", 21.0, id="black on white"),
        pytest.param("#ffffff", "#ffffff", 1.0, id="white on white"),
        pytest.param("#767676", "#ffffff", 4.54, id="the lightest grey that passes"),
        pytest.param("#ffffff", "#777777", 4.48, id="the darkest that does not, either way round"),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float):
    """WCAG 2.2, 1.4.3, with its own examples."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


def test_themes_are_in_the_order_of_the_file_with_other_news_last():
    """Mail and pages follow config.toml."""
    settings = load_settings(CONFIG)
    digest = settings.digests[0]
    assert tuple(settings.theme_names) == (*settings.theme_keys, OTHER)
    assert settings.digest_themes(digest) == (*settings.theme_keys, OTHER)
    chosen = digest.model_copy(update={"themes": (OTHER, "youth", "drugs")})
    assert settings.digest_themes(chosen) == ("drugs", "youth", OTHER)


def test_a_theme_without_a_colour_gets_one_of_its_own():
    """Two themes that the operator adds do not look alike."""
    settings = load_settings(CONFIG)
    bare = settings.themes[0].model_copy(update={"colour": None, "colour_dark": None})
    themes = [bare.model_copy(update={"name": name}) for name in ("drugs", "trade", "water")]
    names = settings.model_copy(update={"themes": tuple(themes)}).theme_names
    assert (names["drugs"].colour, names["drugs"].colour_dark) == PALETTE["drugs"]
    assert len({name.colour for name in names.values()}) == 4


def test_a_secret_comes_from_the_environment_else_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Containers use one, service managers the other; an empty variable is unset."""
    file = tmp_path / "secret"
    file.write_text("from the file\n", encoding="utf-8")
    keys = {"password_env": "DESK_SECRET", "password_file": file}
    server = ServerSettings(host="h.example", username="u", **keys)
    monkeypatch.setenv("DESK_SECRET", "from the environment")
    assert secret(env="DESK_SECRET", file=file) == server.password() == "from the environment"
    monkeypatch.setenv("DESK_SECRET", "")
    assert secret(env="DESK_SECRET", file=file) == server.password() == "from the file"
    assert secret(env=None, file=tmp_path / "missing") is None
    assert secret(env=None, file=None) is None


PART = st.lists(st.text(alphabet="abz019", min_size=1, max_size=5), min_size=1, max_size=3)
PLAIN = st.builds(
    lambda signs, local, labels, top: f"{signs.join(local)}@{'.'.join([*labels, top])}",
    st.sampled_from("._-"),
    PART,
    st.lists(PART.map("-".join), min_size=1, max_size=3),
    st.text(alphabet="abz", min_size=2, max_size=5),
)


@given(PLAIN.filter(lambda value: len(value) <= 64 and PLAIN_ADDRESS.fullmatch(value)))
@example("a@" + "b" * 58 + ".cc")
def test_an_address_that_skips_the_library_is_valid_for_it(value: str):
    """The quick check, made for a fast start, accepts no more than the library."""
    valid = validate_email(value, check_deliverability=False, test_environment=True)
    assert valid.normalized == value


@pytest.mark.parametrize("domain", sorted({*SPECIAL_USE_DOMAIN_NAMES} - {"test"}))
def test_a_special_domain_does_not_skip_the_library(domain: str):
    """The library refuses those domains, to which mail can never arrive."""
    assert not PLAIN_ADDRESS.fullmatch(f"desk@news.{domain}")

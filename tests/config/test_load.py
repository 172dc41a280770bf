"""Reading config.toml: which file, where its paths lead, and how its faults are reported."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.config.load import ENVIRONMENT, find_config, load_settings
from digest.errors import ConfigError

LEAST = """
[site]
title = "Desk"
base_url = "https://news.example.org"
author = "Desk"
contact = "desk@example.org"
postal_address = "1 Street, Town"
[[sources]]
name = "seeds"
path = "seeds"
[[themes]]
name = "drugs"
title = { en = "Drugs" }
[[digests]]
name = "weekly"
title = { en = "The week" }
[mail]
from_address = "digest@example.org"
unsubscribe_address = "leave@example.org"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(folder, text))
    return caught.value.faults


def test_option_then_environment_then_the_current_folder(monkeypatch: pytest.MonkeyPatch):
    """--config wins over DIGEST_CONFIG, which wins over ./config.toml; an empty variable is unset."""
    monkeypatch.setenv(ENVIRONMENT, "from/environment.toml")
    assert find_config(Path("from/option.toml")) == Path("from/option.toml")
    assert find_config(None) == Path("from/environment.toml")
    monkeypatch.setenv(ENVIRONMENT, "")
    assert find_config(None) == Path("config.toml")


def test_a_key_that_is_left_out_has_its_default(tmp_path: Path):
    """A short file is enough to start with."""
    settings = load_settings(written(tmp_path, LEAST))
    assert settings.site.time_zone == "UTC"
    assert settings.site.languages == ("en", "ru")
    assert settings.digests[0].schedule == "0 8 * * mon"
    assert settings.digest_zone(settings.digests[0]) == "UTC"
    assert settings.feeds_url == "https://news.example.org/feeds"


def test_relative_paths_start_from_the_file_not_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A timer may start the command anywhere; an absolute path is used as it is."""
    (tmp_path / "desk").mkdir()
    away = tmp_path / "away" / "backups"
    text = f"[web]\ntemplates = '../own'\n[store]\nbackups = {str(away)!r}\n"
    written(tmp_path / "desk", LEAST + text)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("desk/config.toml"))
    assert settings.path == tmp_path / "desk" / "config.toml"
    assert settings.sources[0].path == tmp_path / "desk" / "seeds"
    assert settings.store.path == tmp_path / "desk" / "digest.db"
    assert settings.feeds.path == tmp_path / "desk" / "feeds"
    assert settings.web.templates == tmp_path / "desk" / "../own"
    assert settings.store.backups == away


def test_a_byte_order_mark_is_not_a_fault(tmp_path: Path):
    """Some editors add one."""
    assert load_settings(written(tmp_path, "\ufeff" + LEAST)).site.title == "Desk"


def test_five_faults_are_reported_at_once(tmp_path: Path):
    """Each with its key, its value and what it must be; those of single values and of combinations."""
    text = (
        LEAST.replace('name = "weekly"', 'name = "weekly"\nthemes = ["drug"]\nper_theme = 0')
        .replace('title = "Desk"', 'titel = "Desk"')
        .replace('name = "drugs"', 'name = "drugs"\ncolour = "#eeeeee"')
    )
    assert sorted(faults_of(tmp_path, text)) == [
        "digests[1].per_theme: found 0; must be greater than or equal to 1",
        "digests[1].themes: 'drug' is not one of drugs, other",
        "site.titel: unknown key; did you mean title?",
        "site.title: is missing",
        "themes[1].colour: '#eeeeee' has a contrast of 1.1 : 1 on #faf8f4; it must be "
        "at least 4.5 : 1",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(('"Desk"', '"Desk\\nTwo"'), "site.title: found 'Desk\\nTwo'; must be one line", id="a header in a title"),
        pytest.param(("https://news", "ftp://news"), "site.base_url: found 'ftp://news.example.org'; must be an absolute http", id="scheme"),
        pytest.param(("https://news", "https://me:pw@news"), "must be an absolute http or https URL", id="password in a URL"),
        pytest.param(("[mail]", '[feeds]\nhub = "https://:pw@hub.example.org"\n[mail]'), "must be an absolute http or https URL", id="a password for a hub"),
        pytest.param(("news.example.org", "news.example.org/?a=1"), "must be a URL without ? and #", id="query"),
        pytest.param(("[mail]", '[web]\npublic_url = "http://news.example.org"\n[mail]'), "web.public_url: found 'http://news.example.org'; must begin with https://", id="a public address in the clear"),
        pytest.param(("[mail]", '[web]\npublic_url = "https://news.example.org/?a"\n[mail]'), "web.public_url: found 'https://news.example.org/?a'; must be a URL without ? and #", id="a public address with a query"),
        pytest.param(("https://news.example.org", "https://[news"), "must be an absolute http or https URL", id="broken URL"),
        pytest.param(('contact = "desk@example.org"', 'contact = "desk"'), "site.contact: found 'desk'; must be an e-mail address", id="address"),
        pytest.param(('from_address = "digest@', 'from_address = "редакция@'), "mail.from_address: found 'редакция@example.org'; must be an e-mail address whose part before the @ is ASCII", id="sender outside ASCII"),
        pytest.param(('"Desk"', '"De\\u202esk"'), "site.title: found 'De\\u202esk'; must be one line of text without control", id="bidi override"),
        pytest.param(('path = "seeds"', 'path = "se\\u001bds"'), "sources[1].path: found 'se\\x1bds'; must be a path without control", id="control character in a path"),
        pytest.param(("[[sources]]", '[site.more]\n[[sources]]'), "site.more: unknown key; known keys are author, base_url", id="unknown table, nothing near"),
        pytest.param(("[mail]", '[sources.recipe]\ndate = "h1["\n[mail]'), "sources[1].recipe.date: found 'h1['; must be a CSS selector, such as h1.title", id="selector"),
        pytest.param(("[mail]", "[maill]\n[mail]"), "maill: unknown key; did you mean mail?", id="unknown table, something near"),
        pytest.param(("[mail]", "[mail]\nbudget_kb = 99.5"), "mail.budget_kb: found 99.5; must be a whole number", id="whole numbers"),
        pytest.param(("[mail]", "[store]\nbusy_timeout_seconds = 0\n[mail]"), "store.busy_timeout_seconds: found 0; must be greater than 0", id="limits"),
        pytest.param(("[mail]", '[feeds]\ncontent = "all"\n[mail]'), "feeds.content: found 'all'; must be 'full' or 'summary'", id="choices"),
        pytest.param(('path = "seeds"', 'path = "seeds"\narchive = "perhaps"'), "sources[1].archive: found 'perhaps'; must be true or false", id="yes or no"),
        pytest.param(('path = "seeds"', ""), 'sources[1]: kind = "documents" needs path', id="missing"),
        pytest.param(('name = "seeds"', 'name = "Seeds!"'), "sources[1].name: found 'Seeds!'; must be a-z, 0-9 and -", id="names"),
        pytest.param(('name = "drugs"', 'name = "other"'), "themes[1].name: found 'other'; is reserved for news without a theme", id="reserved name"),
        pytest.param(('{ en = "Drugs" }', '{ em = "Drugs" }'), "themes[1].title.em: found 'em'; must be one of en, ru, tk", id="language of a title"),
        pytest.param(('{ en = "Drugs" }', "{}"), "themes[1].title: must have at least one entry", id="no title at all"),
        pytest.param(('{ en = "Drugs" }', '"Drugs"'), "themes[1].title: found 'Drugs'; must be a table", id="a text for a table"),
        pytest.param(('name = "drugs"', 'name = "drugs"\ncolour = "red"'), "themes[1].colour: found 'red'; must be a colour as #rrggbb", id="colour"),
        pytest.param(('name = "drugs"', 'name = "drugs"\ncolour_dark = "#333333"'), "has a contrast of 1.4 : 1 on #16191c; it must be at least 4.5 : 1", id="contrast on dark ground"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nschedule = "0 8 * * 1"'), "digests[1].schedule: found '0 8 * * 1'; the weekday must be mon to sun, without digits, not '1'", id="weekday in digits"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nsince = 2026-11-16T08:00:00'), "digests[1].since: found 2026-11-16T08:00:00; must be a time with its offset", id="time without offset"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nsince = 2026-11-16'), "digests[1].since: found 2026-11-16; must be a time with its offset", id="day for a time"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nsince = 5'), "digests[1].since: found 5; must be a time with its offset", id="number for a time"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nmax_lateness_hours = inf'), "digests[1].max_lateness_hours: found inf; must be less than", id="for ever"),
        pytest.param(('name = "weekly"', 'name = "weekly"\nlanguages = ["tk"]'), "digests[1].languages: 'tk' is not a language of the site; those are en, ru", id="language that the site lacks"),
        pytest.param(('name = "weekly"', 'name = "weekly"\ntime_zone = "Asia/Ashgabad"'), "digests[1].time_zone: found 'Asia/Ashgabad'; must be a name of the IANA time zone database, such as Asia/Ashgabat; did you mean Asia/Ashgabat?", id="zone"),
        pytest.param(("[[digests]]", '[[themes]]\nname = "drugs"\ntitle = { en = "D" }\n[[digests]]'), "themes[2].name: 'drugs' is also the name of themes[1]", id="name twice"),
        pytest.param(("[site]", 'path = "here"\n[site]'), "path: unknown key; known keys are alarms, desk, digests, feeds", id="a key that is ours"),
        pytest.param(("[[themes]]", '[themes]'), "themes: must be a list", id="a table for a list of tables"),
        pytest.param(('path = "seeds"', 'path = "seeds"\npattern = "../*"'), "sources[1].pattern: found '../*'; must be a pattern of names within the folder", id="a pattern that climbs out"),
        pytest.param(('path = "seeds"', 'path = "seeds"\npattern = "a/../../*"'), "sources[1].pattern: found 'a/../../*'; must be", id="by a detour"),
        pytest.param(('path = "seeds"', 'path = "seeds"\npattern = "/etc/*"'), "sources[1].pattern: found '/etc/*'; must be", id="a pattern for another folder"),
        pytest.param(('path = "seeds"', 'path = "."\npattern = "*"\n[feeds]\npath = "../feeds"\n'), "sources[1].pattern: '*' also takes config.toml, store.path; it must take documents only", id="our own files as copy"),
        pytest.param(('path = "seeds"', 'path = "seeds"\npattern = "**/*.d[ab]"\n[store]\npath = "seeds/kept/our.db"\n'), "sources[1].pattern: '**/*.d[ab]' also takes store.path", id="our own files deeper down"),
        pytest.param(("[mail]", '[feeds]\npath = "."\n[mail]'), "feeds.path: '.' would also hold config.toml, store.path, store.backups, mail.outbox, the mails of a dry run, sources[1].path; it must be a folder for the feeds alone", id="feeds in the newsroom's folder"),
        pytest.param(("[mail]", '[feeds]\npath = "../.."\n[mail]'), "feeds.path: '../..' would also hold config.toml, ", id="feeds above it"),
        pytest.param(("[mail]", '[feeds]\npath = "seeds"\n[mail]'), "feeds.path: 'seeds' would also hold sources[1].path", id="feeds in a source"),
        pytest.param(("[mail]", '[feeds]\npath = "seeds/feeds"\n[mail]'), "feeds.path: 'seeds/feeds' is in sources[1].path", id="feeds below a source"),
        pytest.param(("[mail]", '[mail]\noutbox = "feeds"'), "feeds.path: 'feeds' would also hold mail.outbox", id="mail in the feeds"),
        pytest.param(("[mail]", '[store]\nbackups = "feeds/../feeds/old"\n[mail]'), "feeds.path: 'feeds' would also hold store.backups", id="backups in the feeds"),
        pytest.param(("[mail]", '[store]\npath = "feeds/digest.db"\n[mail]'), "feeds.path: 'feeds' would also hold store.path", id="the database in the feeds"),
        pytest.param(("[mail]", '[web]\ntemplates = "feeds/mine"\nmonitor_token_file = "feeds/token"\n[service]\nbounces = "feeds/in"\n[alarms]\nwebhook_file = "feeds/hook"\n[mail]'), "feeds.path: 'feeds' would also hold alarms.webhook_file, web.monitor_token_file, service.bounces, web.templates", id="what else is not for readers"),
        pytest.param(('"leave@example.org"', '"leave@example.org"\n[[mail.servers]]\nhost = "relay.test"\nusername = "desk"\npassword_file = "feeds/pw"\n[mail.dkim]\nrsa_selector = "a"\nrsa_key_file = "feeds/key"'), "feeds.path: 'feeds' would also hold mail.dkim.rsa_key_file, mail.servers[1].password_file", id="secrets in the feeds"),
    ],
)  # fmt: skip
def test_a_fault_says_where_it_is_and_what_the_value_must_be(
    change: tuple[str, str], fault: str, tmp_path: Path
):
    """One fault in the file is one line."""
    assert change[0] in LEAST
    (line,) = faults_of(tmp_path, LEAST.replace(*change, 1))
    assert fault in line


def test_a_link_to_a_dangerous_place_is_followed(tmp_path: Path):
    """The web server follows it, too."""
    (tmp_path / "www").symlink_to(tmp_path)
    (line,) = faults_of(tmp_path, LEAST + '[feeds]\npath = "www"\n')
    assert "'www' would also hold config.toml, store.path" in line


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param("", id="side by side in the newsroom's folder"),
        pytest.param('[feeds]\npath = "/srv/www/feeds"\n', id="feeds elsewhere"),
        pytest.param('[feeds]\npath = "seeds-feeds"\n', id="a name that only begins as another"),
        pytest.param('[store]\npath = "data/digest.db"\nbackups = "data"\n', id="copies beside it"),
    ],
)
def test_safe_layouts_are_allowed(paths: str, tmp_path: Path):
    """Everything may be in one folder, or on several disks."""
    assert load_settings(written(tmp_path, LEAST + paths)).sources[0].pattern == "**/*"


@pytest.mark.parametrize("pattern", ["*", "*.txt", "**/*.txt", "wire/*", "a..b*"])
def test_documents_may_lie_in_folders_of_the_source(pattern: str, tmp_path: Path):
    """A pattern may lead down, but not up."""
    text = LEAST.replace('path = "seeds"', f'path = "seeds"\npattern = "{pattern}"')
    assert load_settings(written(tmp_path, text)).sources[0].pattern == pattern


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(None, "no such file. Run `digest init` to make one, or name yours with --config or DIGEST_CONFIG.", id="missing"),
        pytest.param(b"", "is a folder. Name the file in it.", id="a folder"),
        pytest.param(b"[site\n", "is not TOML: ", id="no TOML"),
        pytest.param(b"title = '\xcd\xe0'\n", "is not UTF-8 at byte 9. Save it as UTF-8.", id="Windows-1251"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(content: bytes | None, fault: str, tmp_path: Path):
    """The first error that a newcomer meets names the file and the next step, on one line."""
    path = tmp_path / "config.toml"
    if content == b"":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param('outbox = "~nosuchuser/outbox"', "mail.outbox: found '~nosuchuser/outbox'; no user nosuchuser has a home", id="the home of nobody"),
        pytest.param('outbox = "out\\u0000box"', "mail.outbox: found 'out\\x00box'; must be a path", id="NUL"),
        pytest.param("per_second = " + "9" * 5000, "has a number with too many digits", id="digits"),
        pytest.param(f"servers = {'[' * 2000}{']' * 2000}", "is nested too deeply; no key", id="brackets"),
        pytest.param("[alarms]\nevery_minutes = 1e-12", "alarms.every_minutes: found 1e-12; must be greater than or equal to 0.01", id="no pause between two runs"),
    ],
)  # fmt: skip
def test_no_value_of_a_key_breaks_the_reader(line: str, fault: str, tmp_path: Path):
    """Every value in a well-formed file is at most a fault of the file."""
    (reported,) = faults_of(tmp_path, f"{LEAST}{line}\n")
    assert fault in reported


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_moment_at_an_end_of_the_calendar_is_refused(since: str, tmp_path: Path):
    """In another zone it would be beyond it."""
    text = LEAST.replace("[mail]", f"since = {since}\n[mail]")
    (fault,) = faults_of(tmp_path, text)
    assert fault == f"digests[1].since: found {since}; must be in the years 1900 to 2999"


def test_a_misplaced_secret_is_not_shown(tmp_path: Path):
    """A password in the file is an error that does not show the password."""
    text = LEAST.replace("[mail]", '[mail]\npassword = "hunter2"')
    (fault,) = faults_of(tmp_path, text)
    assert "mail.password: unknown key" in fault
    assert "hunter2" not in fault


def test_loaded_settings_cannot_be_changed(tmp_path: Path):
    """A run has the same settings until it ends."""
    settings = load_settings(written(tmp_path, LEAST))
    with pytest.raises(ValueError, match="frozen"):
        settings.site.title = "Another"
    assert isinstance(settings.sources, tuple)


def test_since_is_kept_in_utc(tmp_path: Path):
    """An offset in the file is applied once."""
    text = LEAST.replace('name = "weekly"', 'name = "weekly"\nsince = 2026-11-16T08:00:00+05:00')
    since = load_settings(written(tmp_path, text)).digests[0].since
    assert since == datetime(2026, 11, 16, 3, tzinfo=UTC)
    assert since.tzinfo is UTC

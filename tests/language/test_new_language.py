"""A language is added by data alone: words, a wording, terms. docs/languages.md has the same steps."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = {
    "own_names": 'de = "Deutsch"',
    "stemmers": 'de = "german"',
    "small_words": 'de = "aus bei der die das den dem des ein eine im in mit und von zu"',
    "abbreviations": 'de = "bzw ca dr nr str usw"',
    "starters": 'de = "Der Die Das Ein Eine Im In"',
    "sample": 'de = ["Ein Beispiel", "So sieht die Mail aus."]',
    "weekdays": 'de = "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"',
    "months": 'de = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"',
}  # fmt: skip
GERMAN = {
    'locale = "en_GB"': 'locale = "de_DE"',
    'all_news = "All news"': 'all_news = "Alle Nachrichten"',
    'why = "You are receiving this because you subscribed."': 'why = "Sie haben diese Mail bestellt."',
}
CONFIG = """
[site]
title = "Küstenblatt"
base_url = "https://news.example.org/"
author = "Desk"
contact = "desk@news.example.org"
languages = ["en", "de"]
postal_address = "1 Quay, Selkan"
time_zone = "UTC"

[[sources]]
name = "copy"
title = "Copy"
path = "copy"

[[themes]]
name = "customs"
title = { en = "Customs", de = "Zoll" }

[themes.terms.de]
strong = ["Zollbeamter", "Schmuggel"]

[[digests]]
name = "weekly"
title = { en = "The week", de = "Die Woche" }

[mail]
from_address = "digest@news.example.org"
unsubscribe_address = "leave@news.example.org"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A newsroom with a copy of the package to which German was added."""
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "digest", tmp_path / "digest", ignore=skipped)
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    language = tmp_path / "digest" / "language"
    words = (language / "languages.toml").read_text(encoding="utf-8")
    for table, line in WORDS.items():
        words = words.replace(f"[{table}]\n", f"[{table}]\n{line}\n")
    (language / "languages.toml").write_text(words, encoding="utf-8")
    for path in (language / "wording").glob("*.toml"):
        text = re.sub(r"(\[(?:in_language|also_in)\]\n)", r'\1de = "auf Deutsch"\n', path.read_text("utf-8"))  # fmt: skip
        path.write_text(text, encoding="utf-8")
    german = (language / "wording" / "en.toml").read_text(encoding="utf-8")
    for english, translated in GERMAN.items():
        assert english in german
        german = german.replace(english, translated)
    (language / "wording" / "de.toml").write_text(german, encoding="utf-8")
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "copy").mkdir()
    copy = (
        "Kisten ohne Papiere\n\nZollbeamte haben im Hafen von Selkan zwölf Kisten gefunden, die nicht "
        "in den Papieren standen. Der Fahrer ist noch nicht verhört worden.\n"
    )
    (tmp_path / "copy" / "hafen.txt").write_text(copy, encoding="utf-8")
    return tmp_path


def test_a_language_is_added_by_data(desk: Path) -> None:
    """For a newsroom that writes German: it is filed, has its feed and its mail."""

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "digest", *arguments]
        done = subprocess.run(
            command,
            cwd=desk,
            env={**os.environ, "PYTHONPATH": str(desk)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("ingest")
    assert re.search(r"\bde +customs\b.*Kisten ohne Papiere", run("articles", "list"))
    assert "Kisten ohne Papiere" in run("articles", "search", "Zollbeamten")
    run("publish")
    feed = (desk / "feeds" / "customs.de.atom").read_text(encoding="utf-8")
    assert "auf Deutsch" in feed
    assert "Kisten ohne Papiere" in feed
    run("recipients", "add", "leser@example.org", "--language", "de")
    run("doctor")
    run("send", "--dry-run")
    (mail,) = [path.read_text("utf-8") for path in (desk / "preview").rglob("*.html")]
    assert "Sie haben diese Mail bestellt." in mail
    assert "Kisten ohne Papiere" in mail

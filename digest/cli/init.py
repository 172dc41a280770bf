"""`digest init`: the folder of a newsroom, ready for its first digest."""

import fnmatch
import functools
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import click

from digest.cli.output import counted, warn
from digest.errors import NotReadyError

QUESTIONS = {
    "name": ("Name of the newsroom", "Our newsroom"),
    "contact": ("Its e-mail address", "desk@news.example.org"),
    "postal_address": ("Its postal address, for the footer of the mail", "1 Street, Town, Country"),
    "languages": ("Languages of your readers", "en, ru"),
    "time_zone": ("Time zone", "UTC"),
    "source": ("Folder of your copy", "copy"),
}
"""Each answer's question and default, in the order in which they are asked."""
IGNORED = """\
# What the commands make, and secrets: none of it belongs in git.
*.db
*.db-shm
*.db-wal
*.sender
backups/
feeds/
outbox/
preview/
*.pem
*-password
*-token
"""


@click.command()
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[FOLDER]"
)
@click.option("--demo", is_flag=True, default=False, help="An example with copy. Asks nothing.")
@click.option("--name", metavar="TEXT", help="The newsroom's name.")
@click.option("--contact", metavar="ADDRESS", help="The newsroom's e-mail address.")
@click.option("--postal-address", metavar="TEXT", help="The law asks for it in the mail's footer.")
@click.option("--languages", metavar="CODE,CODE", help="Your readers' languages, such as en,ru.")
@click.option("--time-zone", metavar="ZONE", help="Such as Asia/Ashgabat.")
@click.option("--source", metavar="DIR", help="The folder of your copy, as seen from FOLDER.")
def init(folder: Path, demo: bool, **given: str | None) -> None:
    """Make a newsroom here or in FOLDER; --demo with sample copy.

    It writes config.toml, .gitignore and a folder for copy, and overwrites nothing. On a terminal it asks
    what no option says; elsewhere it takes the defaults.
    """
    from digest.config.load import settings_from
    from digest.newsroom import packaged
    from digest.sources.folder import survey

    if demo and any(given.values()):
        raise click.UsageError("--demo brings an example; it takes no other option.")
    config = folder / "config.toml"
    if config.exists():
        raise NotReadyError(f"{config} exists, and nothing was changed. Next: digest status.")
    text, examples = packaged("config.toml").read_text(encoding="utf-8"), []
    if not demo:
        answers = _answers(given, folder)
        examples = [key for key in ("contact", "postal_address") if answers[key] == _default(key)]
        text = _filled_in(text, answers)
    settings = settings_from(text, config.absolute())
    source = folder / settings.sources[0].folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if demo and source.exists() and any(source.iterdir()):
            warn(
                f"{source} has files already, so no sample copy was put there. For the example with its copy: "
                "digest init --demo NEWFOLDER."
            )
        elif demo:
            shutil.copytree(packaged("seeds"), source, dirs_exist_ok=True)
        source.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as e:
        raise NotReadyError(
            f"{folder}: cannot be written: {e.strerror}. Name a folder of yours."
        ) from e
    documents = survey(source, settings.sources[0].pattern)[0]
    if examples:
        warn(
            f"config.toml has example values for {' and '.join(examples)}. Set yours before you send."
        )
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    click.echo(
        f"Wrote {config}. {source} has {counted(len(documents), 'document')}"
        f"{'' if documents else ': put your copy there'}. "
        f"Next: {there}digest ingest && digest publish && digest send --dry-run."
    )


def _default(key: str) -> str:
    if key == "time_zone":
        # Where a Unix keeps the zone's name; elsewhere it is UTC until it is set.
        zone = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
        return zone if zone in available_timezones() else QUESTIONS[key][1]
    return QUESTIONS[key][1]


def _answers(given: Mapping[str, str | None], folder: Path) -> dict[str, Any]:
    """The checked answer to each question: from its option, from the person, else its default."""
    from pydantic import TypeAdapter, ValidationError

    from digest.config.settings import PlainAddress
    from digest.config.values import OneLine, Place, Zone

    kinds: dict[str, Any] = {"contact": PlainAddress, "time_zone": Zone, "source": Place}

    def checked(key: str, value: str) -> Any:
        if key == "languages":
            codes = re.findall(r"\w+", value.lower())
            if not codes or not all(re.fullmatch("[a-z]{2,3}", code) for code in codes):
                raise click.BadParameter(f"{value!r}: must be codes such as en, ru.")
            return list(dict.fromkeys(codes))
        try:
            valid = TypeAdapter(kinds.get(key, OneLine)).validate_python(value)
        except ValidationError as e:
            fault = e.errors()[0]["msg"].removeprefix("Value error, ").rstrip(".")
            raise click.BadParameter(f"{value!r}: {fault}.") from None
        if key == "source" and (wrong := _folder_fault(folder.resolve(), valid.expanduser())):
            raise click.BadParameter(f"{value!r}: {wrong}", param_hint="--source")
        return valid

    answers: dict[str, Any] = {}
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    for key, (question, _) in QUESTIONS.items():
        value = given[key]
        if value is None and asks:
            check = functools.partial(checked, key)
            answers[key] = click.prompt(question, default=_default(key), value_proc=check)
        else:
            answers[key] = checked(key, _default(key) if value is None else value)
    return answers


def _folder_fault(newsroom: Path, value: Path) -> str | None:
    """Why copy cannot be in that folder, as seen from the newsroom's; None if it can."""
    place = (newsroom / value).resolve()
    made = [line.rstrip("/") for line in IGNORED.splitlines()[1:]] + ["config.toml"]
    if place == newsroom or place in newsroom.parents:
        return "copy needs a folder of its own, such as copy, as the newsroom's has other files."
    if not place.is_relative_to(newsroom):
        return None if place.is_dir() else "there is no such folder. Make it first."
    first = place.relative_to(newsroom).parts[0]
    if any(fnmatch.fnmatch(first, name) for name in made):
        return f"copy needs a folder of its own, such as copy; {first} is for what Digest makes."
    return "it is a file. Name a folder." if place.is_file() else None


def _filled_in(text: str, answers: Mapping[str, Any]) -> str:
    """The text of our config.toml with these answers; warns of languages that we do not know."""
    from digest.language.words import LANGUAGES

    known = [code for code in answers["languages"] if code in LANGUAGES]
    if unknown := [code for code in answers["languages"] if code not in known]:
        warn(
            f"Digest has no words for {', '.join(unknown)} yet. Such copy is stored, found by search and "
            "published in the feeds of all languages, but no digest carries it, and it is filed only "
            f"by words that it shares with {', '.join(LANGUAGES)}. "
            f"{'' if known else 'Pages and mails are in English. '}"
            "docs/languages.md shows how to add a language."
        )
    name, domain = answers["name"], answers["contact"].rpartition("@")[2]
    values: dict[str, dict[str, Any]] = {
        "site": {**answers, "title": name, "author": name, "base_url": f"https://{domain}"},
        "sources": {"name": "copy", "title": name, "path": str(answers["source"])},
        "mail": {"from_address": f"digest@{domain}", "unsubscribe_address": f"leave@{domain}"},
    }
    values["site"]["languages"] = known or ["en"]
    lines, table = [], ""
    for line in text.splitlines():
        if heading := re.match(r"\[+(\w+)", line):
            table = heading[1]
        pair = re.match(r"(\w+) = .*?( # .*)?$", line)
        if pair and pair[1] in values.get(table, {}):
            value = json.dumps(values[table][pair[1]], ensure_ascii=False)  # also a value of TOML
            line = f"{pair[1]} = {value}".ljust(45) + (pair[2] or "")
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"

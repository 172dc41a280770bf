"""What a wake-up of the service does, verb by verb, beyond the verbs themselves."""

import re

import pytest

from digest.editions.compose import compose_now
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from tests.desks import Desk, opened


def test_a_digest_that_cannot_be_rendered_stops_no_other(filled: Desk) -> None:
    """For the readers of the daily one, while the template of the weekly one has a fault."""
    second = '[[digests]]\nname = "daily"\ntitle = { en = "The day", ru = "День" }\n\n[mail]\n'
    text = filled.config.read_text("utf-8").replace("[mail]\n", second)
    (filled.folder / "own" / "mail").mkdir(parents=True)
    (filled.folder / "own" / "mail" / "edition.txt").write_text(
        '{% extends "builtin/mail/edition.txt" %}{% block masthead %}'
        '{% if mail.title != "The day" %}{{ mail.nothing.of_that }}{% endif %}{{ super() }}'
        "{% endblock %}",
        "utf-8",
    )
    filled.config.write_text(
        re.sub(r"^# templates = .*$", 'templates = "own"', text, flags=re.M), "utf-8"
    )
    filled.run("recipients", "add", "anna@reader.example")
    newsroom = Newsroom.from_file(filled.config)
    with filled.open() as db:
        for digest in newsroom.settings.digests:
            compose_now(opened(db, newsroom.settings, clock=newsroom.now), digest)
    with pytest.raises(Exception, match="of_that"):
        Worker(newsroom).run(Verb.SEND, lambda: False)
    with filled.open(read_only=True) as db:
        sql = "SELECT digest, deliveries.status FROM deliveries JOIN editions ON editions.id = edition_id"
        found = {row["digest"]: row["status"] for row in db.rows(sql)}
    assert found == {"weekly": "queued", "daily": "sent"}

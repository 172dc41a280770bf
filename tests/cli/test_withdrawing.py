"""`digest articles withdraw`: a newsroom withdraws what it must not publish."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest

from digest.editions.compose import compose_now
from digest.newsroom import Newsroom
from tests.desks import Desk
from tests.feeds.folders import contents


@pytest.fixture
def published(filled: Desk) -> Desk:
    """Published, and one recipient who has not been mailed yet."""
    filled.run("recipients", "add", "anna@example.org")
    assert filled.run("publish").exit_code == 0
    return filled


def containing(desk: Desk, text: str) -> list[Path]:
    """The feeds and pages with these words."""
    folder = desk.folder / "feeds"
    return sorted(folder / name for name, data in contents(folder).items() if text.encode() in data)


def test_a_withdrawn_article_is_published_nowhere(published: Desk) -> None:
    """For the person who complained: its words are on no page and in no feed; its page remains."""
    text = published.json("articles", "show", "1")["text"].split(". ")[1][:60]
    before = containing(published, text)
    [page] = [path for path in before if path.parent.name == "articles"]
    assert len(before) > 3
    assert "is withdrawn. Next: digest publish" in published.run("articles", "withdraw", "1").stdout
    published.run("publish")
    assert containing(published, text) == []
    assert "was withdrawn on" in page.read_text("utf-8")
    assert "is published again" in published.run("articles", "withdraw", "1", "--undo").stdout
    published.run("publish")
    assert containing(published, text) == before


def test_readers_are_told_why(published: Desk) -> None:
    """On its page, among the corrections and in every feed; only while it is withdrawn."""
    published.run("articles", "withdraw", "1", "--reason", "The load was flour.")
    published.run("publish")
    told = [one.name for one in containing(published, "The reason: The load was flour.")]
    assert {"1.html", "corrections.html", "corrections.atom", "corrections.rss"} <= {*told}
    published.run("articles", "withdraw", "1", "--undo")
    published.run("articles", "withdraw", "1")
    published.run("publish")
    assert containing(published, "The reason") == containing(published, "flour") == []


def test_no_later_edition_contains_it(published: Desk) -> None:
    """For the person who complained: nobody is mailed it."""
    published.run("articles", "withdraw", "1")
    published.run("send", "--yes", "--limit", "1")
    assert 1 not in [one["id"] for one in published.json("editions", "show", "1")["articles"]]


def sent_in_part(desk: Desk) -> list[str]:
    """Edition 1 went to one of two recipients, then an article was withdrawn: the titles it had."""
    desk.run("recipients", "add", "bo@example.org")
    assert desk.run("send", "--yes", "--limit", "1").exit_code == 0
    titles = [one["title"] for one in desk.json("editions", "show", "1")["articles"]]
    assert "the rest is held for you" in desk.run("articles", "withdraw", "1").stdout
    assert desk.run("send", "--yes").exit_code == 0
    assert desk.json("editions", "show", "1")["status"] == "held"
    return titles


def second_mail(desk: Desk) -> str:
    """The text of the mail to the second recipient."""
    _, path = sorted((desk.folder / "outbox" / "new").iterdir())
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return message.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("decides", "left"), [("--without-withdrawn", 35), ("--with-withdrawn", 36)]
)
def test_the_rest_of_an_edition_waits_for_a_person(
    published: Desk, decides: str, left: int
) -> None:
    """If part of it was sent: the rest goes without the article, or as it was."""
    sent_in_part(published)
    before = published.json("editions", "show", "1")["hash"]
    refused = published.run("editions", "release", "1")
    assert refused.exit_code == 1
    assert "article 1. Give --without-withdrawn" in refused.stderr
    assert "released" in published.run("editions", "release", "1", decides).stdout
    assert "1 sent" in published.run("send", "--yes").stdout
    after = published.json("editions", "show", "1")
    assert len(after["articles"]) == left
    assert (after["hash"] == before) == (left == 36)
    assert after["deliveries"] == {"sent": 2}
    title = published.json("articles", "show", "1")["title"]
    assert (title[:40] in " ".join(second_mail(published).split())) == (left == 36)


def test_each_withdrawal_is_decided_for_itself(published: Desk) -> None:
    """Whoever kept one article has not kept the next one."""
    published.run("recipients", "add", "carl@example.org")
    sent_in_part(published)
    published.run("editions", "release", "1", "--with-withdrawn")
    assert "1 sent" in published.run("send", "--yes", "--limit", "1").stdout
    published.run("articles", "withdraw", "2")
    assert published.run("send", "--yes").exit_code == 0
    assert published.json("editions", "show", "1")["status"] == "held"
    published.run("editions", "release", "1", "--without-withdrawn")
    assert published.run("send", "--yes").exit_code == 0
    after = published.json("editions", "show", "1")
    assert (len(after["articles"]), after["deliveries"]) == (34, {"sent": 3})


def test_an_edition_that_has_not_begun_goes_without_it(published: Desk) -> None:
    """Under another hash, which the dry run shows and the old one does not send."""
    newsroom = Newsroom.from_file(published.config)
    with newsroom.open() as opened:
        [digest] = newsroom.settings.digests
        compose_now(opened, digest)
    [shown] = [published.json("send", "--dry-run")["expect"]]
    published.run("articles", "withdraw", "1")
    refused = published.run("send", "--yes", "--expect", shown)
    assert refused.exit_code == 1
    assert "what has changed is its articles" in refused.stderr
    shown = published.json("send", "--dry-run")
    assert published.run("send", "--yes", "--expect", shown["expect"]).exit_code == 0
    after = published.json("editions", "show", "1")
    assert (after["hash"], len(after["articles"])) == (shown["hash"], 35)
    assert after["deliveries"] == {"sent": 1}


def test_an_edition_that_is_being_sent_with_it_is_named(published: Desk) -> None:
    """A frozen edition is what was shown, so a person decides."""
    sent_in_part(published)
    published.run("editions", "release", "1", "--with-withdrawn")
    again = published.json("articles", "withdraw", "1")
    since = published.json("articles", "show", "1")["withdrawn_at"]
    assert again == {"id": 1, "withdrawn_at": since, "changed": False, "editions": [1]}


def test_a_document_that_changes_does_not_bring_it_back(published: Desk) -> None:
    """For the editor: only a person publishes it again."""
    published.run("articles", "withdraw", "1")
    for path in published.seeds.iterdir():
        path.write_text(path.read_text("utf-8-sig").replace("Turkmen", "Turkmeni"), "utf-8")
    published.run("ingest")
    assert published.json("articles", "show", "1")["withdrawn_at"] is not None

"""`digest recipients`: add, list, end."""

from digest.audience.store import note_event
from digest.audience.suppressions import suppress
from tests.conftest import INGESTED_AT
from tests.desks import Desk
from tests.mailing import Office


def test_a_recipient_is_added_and_listed(filled: Desk) -> None:
    """For the operator: the choice as it will be mailed."""
    choice = ("--name", "Ann", "--language", "ru", "--language", "en", "--theme", "drugs")
    added = filled.json("recipients", "add", "Ann@Example.org", *choice)
    assert added == {"id": 1, "new": True, "changed": {}}
    [ann] = filled.json("recipients", "list")
    assert (ann["id"], ann["name"], ann["status"]) == (1, "Ann", "active")
    assert (ann["language"], ann["languages"]) == ("ru", ["ru", "en"])
    assert (ann["themes"], ann["digests"]) == (["drugs"], ["weekly"])
    printed = filled.run("recipients", "list").stdout
    assert "ru, en" in printed
    assert printed.endswith("1 recipient. Next: digest recipients add ADDRESS.\n")


def test_a_second_add_changes_what_is_given_and_nothing_else(filled: Desk) -> None:
    """For the recipient: correcting a name leaves the choice alone. Each change is shown."""
    first = ("--name", "Ann", "--language", "ru", "--theme", "drugs")
    assert "Added recipient 1." in filled.run("recipients", "add", "ann@example.org", *first).stdout
    again = filled.run("recipients", "add", "ANN@example.org", "--name", "Anna").stdout
    assert again.startswith("Recipient 1: name: Ann became Anna. Next:")
    more = filled.json("recipients", "add", "ann@example.org", "--theme", "everything")
    assert more["changed"] == {"themes": {"before": "drugs", "after": "everything"}}
    [ann] = filled.json("recipients", "list")
    assert (ann["name"], ann["languages"], ann["themes"]) == ("Anna", ["ru"], None)


def test_a_second_add_of_the_same_says_so(filled: Desk) -> None:
    """For the operator who runs it twice: nothing is written."""
    choice = ("recipients", "add", "ann@example.org", "--theme", "youth", "--theme", "drugs")
    filled.run(*choice)
    for words in (choice, choice[:3], (*choice[:3], "--resubscribe")):
        assert "already exists, nothing changed" in filled.run(*words).stdout
    assert [one["themes"] for one in filled.json("recipients", "list")] == [["drugs", "youth"]]


def test_a_recipient_who_is_ended_gets_no_more_mail(filled: Desk) -> None:
    """For somebody who unsubscribed by telephone: queued mail is skipped too."""
    filled.run("recipients", "add", "ann@example.org")
    with filled.open() as db:
        Office(filled, db).compose()
        with db.write():
            db.run("UPDATE deliveries SET due_at = '2020-01-01T00:00:00.000000Z'")
    ended = filled.run("recipients", "end", "Ann@Example.org")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("Recipient 1 is unsubscribed:")
    assert "was already unsubscribed" in filled.run("recipients", "end", "ann@example.org").stdout
    filled.run("send", "--yes", "--queued", "--despite", "clock")
    [row] = filled.json("deliveries", "list")
    assert (row["status"], row["reason"]) == ("skipped", "subscription ended")
    assert not (filled.folder / "outbox").exists()


def test_an_unsubscribed_recipient_comes_back_only_on_request(filled: Desk) -> None:
    """For somebody who unsubscribed: no slip brings the mail back. The operator learns the way."""
    filled.run("recipients", "add", "ann@example.org", "--theme", "drugs")
    filled.run("recipients", "end", "ann@example.org")
    refused = filled.run("recipients", "add", "ann@example.org")
    assert refused.exit_code == 1
    assert "unsubscribed" in refused.stderr
    assert "digest recipients add ADDRESS --resubscribe" in refused.stderr
    assert [one["status"] for one in filled.json("recipients", "list")] == ["ended"]
    back = filled.run("recipients", "add", "ann@example.org", "--resubscribe")
    assert "status: ended became active" in back.stdout
    [ann] = filled.json("recipients", "list")
    assert (ann["status"], ann["themes"]) == ("active", ["drugs"])


def test_a_choice_without_mail_gets_a_warning(filled: Desk) -> None:
    """For the operator: a digest in Russian alone for somebody who reads English, and a dead address."""
    filled.configure(languages='["ru"]')
    text = filled.config.read_text("utf-8")
    filled.config.write_text(
        text.replace('languages = ["ru"]', 'languages = ["en", "ru"]', 1), "utf-8"
    )
    added = ("recipients", "add", "ann@example.org", "--language")
    warned = filled.run(*added, "en")
    assert warned.exit_code == 0
    assert "digest weekly has no language of this choice" in warned.stderr
    assert filled.run(*added, "ru").stderr == ""
    filled.run("suppressions", "add", "ann@example.org")
    assert "ann@example.org is suppressed (manual)" in filled.run(*added, "ru").stderr


def test_readers_are_imported_after_a_trial_run(filled: Desk) -> None:
    """For the operator who brings a list: the trial run shows each line, the import adds, a fault does
    not stop it and is seen in the exit code."""
    path = filled.folder / "list.csv"
    path.write_text(
        "email,tags,status\nann@example.org,Customs,\nbo@,VIP,\ncy@example.org,VIP,odd\n"
    )
    words = (
        "recipients",
        "import",
        str(path),
        "--dry-run",
        "--language",
        "ru",
        "--tag",
        "a b=youth",
    )
    trial = filled.run(*words)
    assert trial.exit_code == 1
    assert "line 2: ann@example.org: added (weekly; ru; customs)\n" in trial.stdout
    assert trial.stdout.endswith(
        "Trial run, nobody was added. 3 lines: 1 added, 2 refused. "
        f"Next: digest --config {filled.config} recipients import {path} --language ru "
        "--tag 'a b=youth'.\n"
    )
    assert "list.csv, line 3: 'bo@' is not an e-mail address" in trial.stderr
    assert "list.csv, line 4: its status 'odd' is not known" in trial.stderr
    assert filled.json("recipients", "list") == []
    path.write_text("email,tags\nann@example.org,Customs\ncy@example.org,VIP\n")
    done = filled.json("recipients", "import", str(path), "--tag", "vip=youth")
    assert done == {
        "dry_run": False,
        "counts": {"added": 2},
        "unknown": {},
        "unused": [],
        "lines": [],
    }
    again = filled.json("recipients", "import", str(path), "--dry-run")
    assert [one["outcome"] for one in again["lines"]] == ["already here", "already here"]
    assert again["unknown"] == {"tag 'VIP'": 1}
    assert [one["themes"] for one in filled.json("recipients", "list")] == [["customs"], ["youth"]]
    refused = filled.run("recipients", "import", str(path), "--theme", "sport")
    assert "theme 'sport' is not in config.toml" in refused.stderr


def test_readers_are_exported_for_the_operator_alone(filled: Desk) -> None:
    """For the readers: the file is private. For the operator: it can also go through a pipe."""
    filled.run("recipients", "add", "ann@example.org", "--name", "Анна")
    filled.run("recipients", "add", "bo@example.org")
    filled.run("recipients", "end", "bo@example.org")
    path = filled.folder / "out.csv"
    said = filled.run("recipients", "export", str(path)).stdout
    assert (
        said
        == f"Wrote 1 recipient to {path}, which only you can read. Next: digest recipients list.\n"
    )
    assert path.stat().st_mode & 0o077 == 0
    piped = filled.run("recipients", "export", "--all")
    assert piped.stdout.splitlines()[0].startswith("email,name,status,")
    assert [line.split(",")[2] for line in piped.stdout.splitlines()[1:]] == ["active", "ended"]
    assert path.read_text("utf-8").splitlines() == piped.stdout.splitlines()[:2]


def test_a_recipient_moves_and_pauses(filled: Desk) -> None:
    """For somebody with a new address and a holiday: one recipient, with history, and no mail until then."""
    filled.run("recipients", "add", "ann@example.org", "--theme", "drugs")
    moved = filled.run("recipients", "set", "ann@example.org", "--address", "Anna@example.org")
    assert "address: ann@example.org became Anna@example.org" in moved.stdout
    until = ("recipients", "set", "anna@example.org", "--pause-until")
    assert "paused until: no day became 2099-01-01 00:00" in filled.run(*until, "2099-01-01").stdout
    assert (
        "paused    until 2099-01-01" in filled.run("recipients", "show", "anna@example.org").stdout
    )
    assert "paused" in filled.run("recipients", "list").stdout
    filled.run("recipients", "add", "bo@example.org")
    with filled.open() as db:
        Office(filled, db).compose()
        with db.write():  # as if before that edition
            db.run("UPDATE recipients SET added_at = '2026-11-01T00:00:00.000000Z'")
    assert [one["recipient_id"] for one in filled.json("deliveries", "list")] == [2]
    traced = ("deliveries", "trace", "anna@example.org")
    assert "nothing was queued, as they have paused until 2099-01-01" in filled.run(*traced).stdout
    resumed = filled.run("recipients", "set", "anna@example.org", "--resume", "--theme", "youth")
    assert (
        "themes: drugs became youth; paused until: 2099-01-01 00:00 became no day" in resumed.stdout
    )
    assert "they did not get this digest then, or had paused it" in filled.run(*traced).stdout
    assert "ends in the future" in filled.run(*until, "2020-01-01").stderr
    filled.run("recipients", "end", "bo@example.org")
    taken = filled.run("recipients", "set", "anna@example.org", "--address", "bo@example.org")
    assert "recipient 2 has the address" in taken.stderr
    assert (
        "unsubscribed" in filled.run("recipients", "set", "bo@example.org", "--name", "Bo").stderr
    )


def test_readers_come_through_a_pipe_and_before_the_first_run(desk: Desk) -> None:
    """For the operator who begins with the list: a trial run makes no database."""
    words = ("recipients", "import", "-")
    trial = desk.run(*words, "--dry-run", answer="email,Shoe size\nann@example.org,38\nbo@\n")
    assert "line 2: ann@example.org: added" in trial.stdout
    assert "1 refused. Not used: Shoe size. Next: digest --config " in trial.stdout
    assert "standard input, line 3: 'bo@' is not" in trial.stderr
    assert desk.run("recipients", "export", "-").stdout.startswith("email,name,")
    assert not desk.store.exists()
    assert "1 added" in desk.run(*words, answer="email\nann@example.org\n").stdout
    assert "ann@example.org" in desk.run("recipients", "export", "-").stdout


def test_a_suppression_of_a_person_goes_with_them(filled: Desk) -> None:
    """For somebody who asked for no mail, and whose mailbox is dead: the first holds anywhere."""
    filled.run("recipients", "add", "ann@example.org")
    filled.run("suppressions", "add", "ann@example.org")
    moved = filled.run("recipients", "set", "ann@example.org", "--address", "anna@example.org")
    assert "anna@example.org is suppressed (manual)" in moved.stderr
    filled.run("recipients", "add", "bo@example.org")
    with filled.open() as db, db.write():
        suppress(db, "bo@example.org", "hard", INGESTED_AT)
    moved = filled.run("recipients", "set", "bo@example.org", "--address", "bob@example.org")
    assert (
        "bo@example.org is suppressed (hard), bob@example.org is not and gets mail" in moved.stderr
    )


def test_a_recipient_follows_a_phrase_and_stops(filled: Desk) -> None:
    """By hand, for somebody who asks on the telephone; `show` says what is followed."""
    filled.run("recipients", "add", "ann@example.org")
    done = filled.run("recipients", "follow", "ann@example.org", "Customs union").stdout
    assert done == (
        "Recipient 1 follows Customs union. Next: digest recipients show ann@example.org.\n"
    )
    assert "follows   Customs union\n" in filled.run("recipients", "show", "ann@example.org").stdout
    [one] = filled.json("recipients", "show", "ann@example.org")["follows"]
    assert (one["phrase"], one["story"]) == ("Customs union", None)
    missed = filled.run("recipients", "unfollow", "ann@example.org", "custom")
    assert (missed.exit_code, "does not follow custom;" in missed.stderr) == (1, True)
    stopped = filled.run("recipients", "unfollow", "ann@example.org", "customs-union").stdout
    assert stopped.startswith("Recipient 1 no longer follows customs-union.")
    assert filled.json("recipients", "show", "ann@example.org")["follows"] == []
    filled.run("recipients", "end", "ann@example.org")
    assert (
        "has unsubscribed" in filled.run("recipients", "follow", "ann@example.org", "ferry").stderr
    )


def test_a_form_has_a_language_of_the_site(filled: Desk) -> None:
    """Not English for another: the error says which there are."""
    filled.edit_config("# public_url", "public_url")
    assert 'lang="ru"' in filled.run("recipients", "form", "--language", "ru").stdout
    wrong = filled.run("recipients", "form", "--language", "xx")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "language 'xx' is not in config.toml; allowed are en, ru" in wrong.stderr


def test_acts_of_any_length_stand_apart_from_their_moment(filled: Desk) -> None:
    """In what `show` lists."""
    filled.run("recipients", "add", "ann@example.org")
    with filled.open() as db, db.write():
        note_event(db, 1, "made a feed", "link", INGESTED_AT)
    assert "\nmade a feed 20" in filled.run("recipients", "show", "ann@example.org").stdout


def test_what_cannot_be_followed_is_one_clear_error(filled: Desk) -> None:
    """And the usage where neither or both are given."""
    filled.run("recipients", "add", "ann@example.org")
    for words, exit_code, said in (
        (("of",), 1, "too short"),
        (("--story", "99"), 1, "no story 99"),
        ((), 2, "Give either a PHRASE or --story ID."),
        (("ferry", "--story", "1"), 2, "Give either a PHRASE or --story ID."),
    ):
        result = filled.run("recipients", "follow", "ann@example.org", *words)
        assert (result.exit_code, said in result.stderr) == (exit_code, True)


def test_alerts_are_shown_then_sent_once(filled: Desk) -> None:
    """`digest send` looks for what readers follow; the dry run only counts it."""
    filled.run("recipients", "add", "ann@example.org")
    filled.run("recipients", "follow", "ann@example.org", "desalination")
    copy = "Plant opens\n\nA desalination plant opened on the coast of the region this week.\n"
    (filled.seeds / "901.txt").write_text(copy, "utf-8")
    filled.run("ingest")
    before = filled.files()
    assert "1 alert to readers" in filled.run("send", "--dry-run").stderr
    assert filled.files() == before
    for _ in range(2):
        filled.run("send", "--yes")
    mails = [path.read_text("utf-8") for path in (filled.folder / "outbox" / "new").iterdir()]
    assert sum("alert.1." in mail for mail in mails) == 1

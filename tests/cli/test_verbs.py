"""`digest ingest`, `publish`, `compose`: what they did, what comes next, and the exit code."""

from tests.desks import Desk, sha256


def test_a_first_ingest_says_what_came_in(desk: Desk) -> None:
    """For a newcomer: one line, and the next command."""
    result = desk.run("ingest")
    assert result.exit_code == 0
    assert result.stdout == (
        "Read 5 documents (0 unchanged): 36 new articles, 0 revised, 3 links between articles. "
        "Next: digest publish.\n"
    )


def test_a_second_ingest_says_that_nothing_came_in(filled: Desk) -> None:
    """For the operator: nothing was written."""
    before = sha256(filled.store)
    assert "(5 unchanged): 0 new articles" in filled.run("ingest").stdout
    nothing: dict[str, list[str]] = {"added": [], "revised": [], "faults": []}
    assert filled.json("ingest") == {
        **{"documents": 5, "unchanged": 5, "linked": 0, "asked": 0, "repaired": [], "ignored": {}},
        **{"polled": 0, "unanswered": []},
        **nothing,
    }
    assert sha256(filled.store) == before


def test_faulty_documents_are_named_with_exit_code_1(desk: Desk) -> None:
    """For the operator: the binary, the empty and the large file are named, the others are read."""
    (desk.seeds / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    (desk.seeds / "b.txt").touch()
    (desk.seeds / "c.txt").write_bytes("Заголовок\n\nВстреча прошла в Ашхабаде.".encode("cp1251"))
    (desk.seeds / "d.txt").write_bytes(b"word " * (6 * 1024 * 1024 // 5 + 1))
    for reading in ("37 new articles", "0 new articles"):
        result = desk.run("ingest")
        assert result.exit_code == 1
        assert reading in result.stdout
        errors = result.stderr.splitlines()
        assert [line.split(":")[2].strip() for line in errors] == ["a.txt", "b.txt", "d.txt"]
        assert all(line.startswith("Error: source seeds: ") for line in errors)
    findings = desk.run("doctor").stdout
    assert all(f"document {name}" in findings for name in ("a.txt", "b.txt", "d.txt"))
    assert [one["faulty"] for one in desk.json("status")["sources"]] == [3]


def test_publish_writes_once(filled: Desk) -> None:
    """For the web server: a second run touches no file."""
    first = filled.json("publish")
    assert len(first["written"]) > 36
    before = filled.files("feeds")
    count = len(first["written"])
    assert filled.json("publish") == {"written": [], "unchanged": count, "removed": []}
    assert filled.files("feeds") == before
    assert f"left {count} unchanged" in filled.run("publish").stdout


def test_compose_says_when_nothing_is_due(desk: Desk) -> None:
    """For the operator: and how to see what waits."""
    desk.run("ingest")
    result = desk.run("compose")
    assert result.exit_code == 0
    assert "No edition is due. Next: digest send --dry-run" in result.stdout
    assert desk.json("compose") == []


def test_compose_says_what_it_closed(filled: Desk) -> None:
    """For the operator: the edition with its number, its articles, and its state."""
    filled.configure(schedule='"* * * * *"')
    [edition] = filled.json("compose", "weekly")
    assert set(edition) == {"id", "digest", "number", "status", "hash", "articles"}
    assert (edition["digest"], edition["number"], edition["articles"]) == ("weekly", 1, 36)
    [listed] = filled.json("editions", "list")
    assert (listed["id"], listed["hash"]) == (edition["id"], edition["hash"])
    shown = filled.json("editions", "show", str(edition["id"]))
    assert len(shown["articles"]) == 36
    assert shown["recipients"] == sum(shown["deliveries"].values()) == 0
    assert edition["hash"] in filled.run("editions", "show", str(edition["id"])).stdout
    assert "1 edition." in filled.run("editions", "list").stdout


def test_reading_before_the_first_ingest_says_what_to_do(desk: Desk) -> None:
    """For a newcomer who starts elsewhere: each command that reads points at the first one."""
    for command in ("publish", "status", "send --dry-run", "articles list", "stories list"):
        result = desk.run(*command.split())
        assert result.exit_code == 1
        assert "there is no database yet. Run `digest ingest` first." in result.stderr
    assert not desk.store.exists()

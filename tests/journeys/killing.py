"""Verbs in processes of their own that kill themselves, as by kill -9, at a chosen step.

A step is a call into SQLite or into the system's files: what stands before the blow is on disk, what
comes after it is not. One warm process forks each of them, so that a hundred kills take seconds.

    python -m tests.journeys.killing        orders as lines of JSON in, answers as lines of JSON out
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from digest.config.load import load_settings
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from tests.desks import ROOT, Desk, shipped_lexicon

STEPS = frozenset(
    [
        "execute",
        "executemany",
        "backup",
        "open",
        "write",
        "fsync",
        "replace",
        "rename",
        "link",
        "unlink",
        "remove",
        "mkdir",
        "utime",
        "chmod",
        "close",
    ]
)
"""Names of the calls that are counted."""


def _command(*words: str) -> Callable[[Newsroom], None]:
    def run(newsroom: Newsroom) -> None:
        from digest.cli.main import main

        folder = newsroom.settings.path.parent
        given = [word.replace("FOLDER", str(folder)) for word in words]
        main(["--config", str(newsroom.settings.path), *given], standalone_mode=False)

    return run


def _woken(verb: Verb) -> Callable[[Newsroom], None]:
    return lambda newsroom: void(Worker(newsroom).run(verb, lambda: False))


def void(_: object) -> None:
    """Nothing of it is needed."""


def _restore(newsroom: Newsroom) -> None:
    from digest.store.backups import restore

    folder = newsroom.settings.path.parent
    restore(folder / "copy.db", newsroom.settings.store.path, newsroom.now())


WORK: dict[str, Callable[[Newsroom], None]] = {
    "read": _woken(Verb.READ),
    "compose": _woken(Verb.COMPOSE),
    "send": _woken(Verb.SEND),
    "bounces": _woken(Verb.BOUNCES),
    "prune": _woken(Verb.PRUNE),
    "watch": _woken(Verb.WATCH),
    "desk": _woken(Verb.REPORT),
    "restore": _restore,
    "export": _command("export", "FOLDER/out.jsonl"),
    "import": _command("import", "FOLDER/in.jsonl"),
    "themes apply": _command("themes", "apply"),
}


@dataclass(frozen=True)
class Run:
    """How a run ended: killed, or after so many steps; `fault` is a trace."""

    killed: bool
    steps: int
    fault: str


class Killer:
    """The warm process, as a test drives it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, desk: Desk, verb: str, now: datetime, *, nth: int | None = None) -> Run:
        """Run a verb at `now`, and kill it at its `nth` step; None lets it come to its end."""
        order = {"config": str(desk.config), "verb": verb, "now": now.isoformat(), "nth": nth}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Run(**json.loads(self._process.stdout.readline()))


@contextlib.contextmanager
def killer() -> Iterator[Killer]:
    pipe = subprocess.PIPE
    words = [sys.executable, "-m", "tests.journeys.killing"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Killer(process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    shipped_lexicon()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _work(order, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as told:
            answer = json.loads(told.read() or '{"steps": 0, "fault": ""}')
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(json.dumps({"killed": killed, **answer}) + "\n")
        sys.stdout.flush()


def _work(order: dict[str, Any], told: int) -> None:
    """In the child: to the end, or to the blow."""
    steps = 0

    def count(frame: object, event: str, called: Any) -> None:
        nonlocal steps
        if event == "c_call" and called.__name__ in STEPS:
            steps += 1
            if steps == order["nth"]:
                os.kill(os.getpid(), signal.SIGKILL)

    fault = ""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    newsroom = Newsroom(
        load_settings(Path(order["config"])), lambda: datetime.fromisoformat(order["now"])
    )
    newsroom.__dict__["lexicon"] = shipped_lexicon()
    sys.setprofile(count)
    try:
        WORK[order["verb"]](newsroom)
    except BaseException:  # noqa: BLE001 - told to the parent
        fault = traceback.format_exc()
    finally:
        sys.setprofile(None)
    os.write(told, json.dumps({"steps": steps, "fault": fault}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()

"""Verbs in processes of their own that kill themselves, as by kill -9, at a chosen step.

A step is a call into SQLite or the file system: what came before the kill is on disk, what comes after
is not. One warm process forks each of them, so that a hundred kills take seconds. Or a test kills them
from outside.

    python -m tests.journeys.killing        orders as lines of JSON in, answers as lines of JSON out
"""

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import digest as package
from digest.cli.main import main as digest
from digest.config.load import load_settings
from digest.mail import maildir
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from digest.store.backups import restore
from digest.themes.lexicon import lexicon_of
from tests.desks import CONFIG, ROOT, Desk

STEPS = {"execute", "executemany", "backup", "open", "write", "fsync", "utime", "chmod", "close"}
STEPS |= {"replace", "rename", "link", "unlink", "remove", "mkdir"}
"""Names of the calls that are counted."""


def _command(*words: str) -> Callable[[Newsroom], object]:
    def run(newsroom: Newsroom) -> None:
        config = newsroom.settings.path
        given = [word.replace("FOLDER", str(config.parent)) for word in words]
        digest(["--config", str(config), *given], standalone_mode=False)

    return run


def _woken(verb: Verb) -> Callable[[Newsroom], object]:
    return lambda newsroom: Worker(newsroom).run(verb, lambda: False)


WORK: dict[str, Callable[[Newsroom], object]] = {
    "read": _woken(Verb.READ),
    "compose": _woken(Verb.COMPOSE),
    "send": _woken(Verb.SEND),
    "bounces": _woken(Verb.BOUNCES),
    "prune": _woken(Verb.PRUNE),
    "watch": _woken(Verb.WATCH),
    "desk": _woken(Verb.REPORT),
    "restore": lambda newsroom: restore(
        newsroom.settings.path.parent / "copy.db", newsroom.settings.store.path, newsroom.now()
    ),
    "export": _command("export", "FOLDER/out.jsonl"),
    "import": _command("import", "FOLDER/in.jsonl"),
    "themes apply": _command("themes", "apply"),
    "send by hand": _command("send", "--yes"),
    "notify": _command("articles", "notify", "37"),
    "serve": _command("serve"),
}


@dataclass(frozen=True)
class Run:
    """How a run ended: killed, or after `steps`; `fault` is a trace."""

    killed: bool
    steps: int
    fault: str


@dataclass
class Killer:
    """The warm process, as a test drives it."""

    process: subprocess.Popen[str]

    def run(self, desk: Desk, verb: str, now: datetime, *, nth: int | None = None) -> Run:
        """Run a verb at `now`, and kill it at its `nth` step; None lets it finish."""
        return self.wait(self.start(desk, verb, now, nth=nth))

    def start(
        self, desk: Desk, verb: str, now: datetime, *, nth: int | None = 0, at: Sequence[str] = ()
    ) -> int:
        """Its process id; several may run at once, and each must be waited for.

        `nth` as above, 0: count no steps. `at`: kill it once the maildir's writer has called these
        one after another, before it makes the last call.
        """
        order = {"config": str(desk.config), "verb": verb, "now": now.isoformat()}
        return int(self._answer({**order, "nth": nth, "at": list(at)}))

    def wait(self, pid: int) -> Run:
        return Run(**self._answer(pid))

    def _answer(self, order: object) -> Any:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def killer() -> Iterator[Killer]:
    pipe = subprocess.PIPE
    words = [sys.executable, "-m", "tests.journeys.killing"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Killer(process)
        process.stdin.close()


def main() -> None:
    for module in pkgutil.walk_packages(package.__path__, "digest."):  # once, for every child
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    lexicon_of(load_settings(CONFIG).themes)
    answers: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            with os.fdopen(answers.pop(order), encoding="utf-8") as pipe:
                answer = json.loads(pipe.read() or '{"steps": 0, "fault": ""}')
            _, status = os.waitpid(order, 0)
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            print(json.dumps({"killed": killed, **answer}), flush=True)  # noqa: T201 - the answer
            continue
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _work(order, writing)
        os.close(writing)
        answers[child] = reading
        print(child, flush=True)  # noqa: T201 - the answer
    for child in answers:  # of a test that was interrupted
        os.kill(child, signal.SIGKILL)


def _work(order: dict[str, Any], answer: int) -> None:
    """In the child: to the end, or to the kill."""
    steps, left = 0, order["at"]

    def count(frame: Any, event: str, called: Any) -> None:
        nonlocal steps
        if event == "c_call" and called.__name__ in STEPS:
            steps += 1
            if steps == order["nth"]:
                os.kill(os.getpid(), signal.SIGKILL)

    def follow(frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ == left[0]:
            callers = {frame.f_code.co_filename, frame.f_back.f_code.co_filename}
            if maildir.__file__ in callers and left.pop(0) and not left:
                os.kill(os.getpid(), signal.SIGKILL)

    fault = ""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    now = datetime.fromisoformat(order["now"])
    newsroom = Newsroom(load_settings(Path(order["config"])), lambda: now)
    if left:
        threading.setprofile(follow)  # type: ignore[arg-type]
        sys.setprofile(follow)
    elif order["nth"] != 0:
        sys.setprofile(count)
    try:
        WORK[order["verb"]](newsroom)
    except BaseException:  # noqa: BLE001 - reported to the parent
        fault = traceback.format_exc()
    finally:
        sys.setprofile(None)
    os.write(answer, json.dumps({"steps": steps, "fault": fault}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()

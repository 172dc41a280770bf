"""`digest serve` as a process of its own: its answers over HTTP, and its log."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.desks import WATCHING, Desk


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def ask(
    port: int, path: str, headers: dict[str, str], method: str = "GET", body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers with names in lower case, and the body as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, lower, answer.read()


@dataclass
class Running:
    """A service, and the lines of its log read so far."""

    process: subprocess.Popen[str]
    port: int
    log: list[dict[str, Any]] = field(default_factory=list)

    def until(self, event: str) -> dict[str, Any]:
        """Read its log up to the line of this event."""
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == event:
                return self.log[-1]
        raise AssertionError(f"ended before {event}: {self.log}")

    def until_added(self, most: int = 100) -> None:
        """Read its log until a document brought articles; fail after `most` lines."""
        while not self.until("read").get("added"):
            assert len(self.log) < most

    def get(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.port, path, names, method)

    def watch(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """/readyz or /metrics, as monitoring asks for them."""
        return ask(self.port, path, WATCHING)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.log += [json.loads(line) for line in self.process.stderr]
        return self.process.wait(20)


@contextlib.contextmanager
def service(
    desk: Desk, environment: dict[str, str] | None = None, files: int = 1024
) -> Iterator[Running]:
    """The process, with at most `files` open files; it must end cleanly after the block, unless the
    block ended it.
    """
    desk.open_reports()
    port = free_port()
    limited = ("sh", "-c", f'ulimit -n {files} && exec "$@"', "sh")
    words = [*limited, *desk.command("serve", "--port", str(port))]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        running = Running(process, port)
        try:
            yield running
            assert process.returncode is not None or running.end() == 0
        finally:
            if process.poll() is None:
                process.kill()

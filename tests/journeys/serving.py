"""`digest serve` as a process of its own, asked over HTTP, and what its log says."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.desks import Desk


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass
class Running:
    """A service, and what its log has said so far."""

    process: subprocess.Popen[str]
    port: int
    told: list[dict[str, Any]] = field(default_factory=list)

    def until(self, event: str) -> dict[str, Any]:
        """Read its log up to the line of this event."""
        for line in self.process.stderr:
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event:
                return self.told[-1]
        raise AssertionError(f"ended before {event}: {self.told}")

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=names)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.told += [json.loads(line) for line in self.process.stderr]
        return self.process.wait(20)


@contextlib.contextmanager
def service(desk: Desk, environment: dict[str, str] | None = None) -> Iterator[Running]:
    port = free_port()
    words = [sys.executable, "-m", "digest", "--config", str(desk.config)]
    with subprocess.Popen(
        [*words, "serve", "--port", str(port)], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        running = Running(process, port)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()

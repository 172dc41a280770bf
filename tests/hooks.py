"""A real HTTP server that records what is posted, and answers as the test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class Hook:
    """`taken` are the posted objects or forms with their path, in order; `status` and `headers` the
    answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    taken: list[tuple[str, Any]] = field(default_factory=list)
    port: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=abc"


@contextmanager
def running_hook(hook: Hook | None = None) -> Iterator[Hook]:
    """The server while the block lasts."""
    hook = hook or Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_form = self.headers["content-type"] == "application/x-www-form-urlencoded"
            read = dict(parse_qsl(body.decode())) if is_form else json.loads(body)
            hook.taken.append((self.path, read))
            if hook.hang:
                hook.done.wait(10)
                return
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hook
        finally:
            hook.done.set()
            server.shutdown()
            thread.join()

"""A real S3-compatible server (moto's) that counts, refuses or hangs, and looks at what readers see."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from typing import Any

NEEDED = ("obstore", "moto", "flask", "flask_cors")
WHY_NOT = next((f"{name} is not installed" for name in NEEDED if find_spec(name) is None), "")
_NAMED = re.compile(rb"/feeds/((?:articles|archives)/[a-z0-9.-]+\.(?:html|atom|rss))")
_REFUSAL = b"<Error><Code>%s</Code><Message>No.</Message></Error>"
_CODES = {403: b"AccessDenied", 503: b"SlowDown"}


@dataclass
class Server:
    """`objects` and `headers` are what the bucket `news` holds below `site/`. `missing` collects what a
    feed named while it was not there, after each write. The writes after the first `allowed` ones are
    answered with `status`; 0 means that nothing is answered until `released`."""

    port: int = 0
    allowed: int = 1_000_000
    status: int = 503
    requests: list[tuple[str, str]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def writes(self) -> list[str]:
        return [name for method, name in self.requests if method not in ("GET", "HEAD")]

    def names(self) -> dict[str, bytes]:
        """What readers find, without our own notes."""
        return {k: v for k, v in self.objects.items() if not k.startswith(".published/")}

    def look(self) -> None:
        for name, data in self.names().items():
            if "/" not in name:
                named = {found.decode() for found in _NAMED.findall(data)}
                self.missing |= {f"{one} in {name}" for one in named - self.objects.keys()}


@contextmanager
def serving_bucket() -> Iterator[Server]:
    """The server with an empty bucket `news` while the block lasts."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    app = DomainDispatcherApplication(create_backend_app)
    server, lock = Server(), threading.Lock()

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        name, bulk = path.removeprefix("/news/site/"), path.rstrip("/") == "/news"
        data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(data)
        with lock:
            if path.startswith("/news") and environ.get("HTTP_AUTHORIZATION"):
                server.requests.append((method, name))
            refused = method in ("PUT", "POST") and len(server.writes) > server.allowed
            if not refused:
                answered = list(app(environ, start))
                if name != path and method == "PUT":
                    server.objects[name] = data
                    kind = environ["CONTENT_TYPE"], environ["HTTP_CACHE_CONTROL"]
                    server.headers[name] = kind
                elif bulk and method == "POST":
                    for key in re.findall(rb"<Key>site/([^<]+)</Key>", data):
                        server.objects.pop(key.decode(), None)
                if method in ("PUT", "POST"):
                    server.look()
                return answered
        server.reached.set()
        if not server.status:
            server.released.wait(60)
        start(f"{server.status or 503} No", [("Content-Type", "application/xml")])
        return [_REFUSAL % _CODES.get(server.status, b"SlowDown")]

    listener = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
    server.port = listener.server_port
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    try:
        make_bucket(server)
        yield server
    finally:
        server.released.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


def make_bucket(server: Server) -> None:
    from contextlib import closing
    from http.client import HTTPConnection

    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.request("PUT", "/news")
        assert connection.getresponse().status == 200

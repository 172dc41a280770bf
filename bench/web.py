"""Feeds over HTTP: `digest serve` beside nginx on the same 60 kB feed, in turns; a page of the site beside
a bare Starlette page of the same bytes; and the polls of feeds through nginx as docs/site.md has it.

    python bench/web.py [--rounds N] [--seconds N] [--polls SECONDS]

Needs `wrk` and `nginx` (Debian packages of those names). One worker each, 32 connections, one
thread of wrk. For each case (complete, unchanged, gzip) the
ratios of the requests a second and of the 99th percentiles are taken per round, so that a busy machine
slows both alike; shown are the medians, with the least and the most of the ratios. Targets: an article page
at least 1,500 times a second or 0.5 of the bare one; a billion polls a day (11,600 a second, 95 % of them 304)
with a 99th percentile under 10 ms and no error.
"""

import argparse
import contextlib
import gzip
import http.client
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
FEED = "bench.atom"
SIZE = 60_000
CONNECTIONS = 32
FACTORS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; gzip_static on;
  types {{ application/atom+xml atom; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fast; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=2048; location /feeds/ {{ root {folder}; }} }}
}}
"""

CACHING = """
daemon off; worker_processes 1; pid {folder}/polls.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  proxy_cache_path {folder}/cache keys_zone=news:10m max_size=1g inactive=1d use_temp_path=off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fast; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://127.0.0.1:{ours};
      proxy_cache news; proxy_cache_revalidate on; proxy_cache_lock on;
    }}
  }}
}}
"""
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

body = sys.stdin.buffer.read()
async def page(request):
    return HTMLResponse(body)
app = Starlette(routes=[Route(sys.argv[2], page)])
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", access_log=False, log_level="error")
"""
PAGE = "/en/articles/1"
POLLS = """
local tags, count, requests = {{ {tags} }}, 0, {{}}
init = function()
  for name, tag in pairs(tags) do
    table.insert(requests, {{ wrk.format("GET", "/feeds/" .. name),
      wrk.format("GET", "/feeds/" .. name, {{ ["If-None-Match"] = tag }}) }})
  end
end
request = function()
  count = count + 1
  return requests[count % #requests + 1][count % 20 == 0 and 1 or 2]
end
"""


def feed() -> bytes:
    """Text of the size of a feed, which packs about as well as one."""
    words = [f"{stem}{i}" for stem in ("customs", "border", "таможня") for i in range(400)]
    draw = random.Random(1)  # noqa: S311 - the same text at each run
    text = " ".join(draw.choice(words) for _ in range(SIZE // 5))
    return f"<feed>{text}".encode()[:SIZE]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ask(port: int, path: str = f"/feeds/{FEED}", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=sent)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined] # as it cannot be read twice
    return answer


def is_up(port: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        return ask(port, path).status == 200
    return False


@contextlib.contextmanager
def running(
    words: list[str], port: int, path: str = f"/feeds/{FEED}", given: bytes = b""
) -> Iterator[None]:
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, **pipes) as process:  # type: ignore[call-overload] # of a dict
        try:
            process.stdin.write(given)
            process.stdin.close()
            for _ in range(200):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
                if process.poll() is not None:
                    sys.exit(f"{words[0]} ended with {process.returncode}")
                if is_up(port, path):
                    break
            yield
        finally:
            process.terminate()


def load(
    port: int,
    seconds: int,
    headers: dict[str, str],
    path: str = f"/feeds/{FEED}",
    script: Path | None = None,
) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    options += ["-s", str(script)] if script is not None else []
    address = f"http://127.0.0.1:{port}{path}"
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *options, address]
    output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    if rate is None or slow is None:
        sys.exit(output)
    return float(rate[1]), float(slow[1]) * FACTORS[slow[2]]


def headers_of(case: str, port: int) -> dict[str, str]:
    """What a request of this case sends; the answer is looked at before it is measured."""
    if case == "gzip":
        if ask(port, Accept_Encoding="gzip").getheader("Content-Encoding") != "gzip":
            sys.exit("no gzip")
        return {"Accept-Encoding": "gzip"}
    if case == "304":
        tag = ask(port).getheader("ETag") or ""
        if ask(port, If_None_Match=tag).status != 304:
            sys.exit("no 304")
        return {"If-None-Match": tag}
    return {}


def compared(
    rounds: list[dict[str, tuple[float, float]]], figure: int, form: str, beside: str
) -> str:
    """Three cells: the ratio of ours to the other's as median (least to most), and both medians."""
    ratios = [one["ours"][figure] / one[beside][figure] for one in rounds]
    ours, other = (median(one[name][figure] for one in rounds) for name in ("ours", beside))
    spread = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    return f"{spread} | {ours:{form}} | {other:{form}}"


def polls(folder: Path, port: int, seconds: int) -> None:
    """All feeds in turn, of 20 polls one without a tag."""
    names = sorted(path.name for path in (folder / "feeds").glob("*.atom"))
    tags = {name: ask(port, f"/feeds/{name}").getheader("ETag") or "" for name in names}
    for name, tag in tags.items():
        if ask(port, f"/feeds/{name}", If_None_Match=tag).status != 304:
            sys.exit(f"no 304 for {name}")
    script = folder / "polls.lua"
    lines = ", ".join(f"['{name}'] = '{tag}'" for name, tag in tags.items())
    script.write_text(POLLS.format(tags=lines), "utf-8")
    rate, slow = load(port, seconds, {}, script=script)
    print(
        f"\npolls of {len(names)} feeds through nginx for {seconds} s, no error: {rate:,.0f} a second "
        f"({rate * 86_400 / 1e9:.1f} billion a day), 99th percentile {slow:.2f} ms"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--seconds", type=int, default=1)
    options.add_argument("--polls", type=int, default=60)
    given = options.parse_args()
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as servers:
        folder = Path(place)
        folder.chmod(0o755)  # nginx's worker is another user
        shutil.copy(ROOT / "digest" / "config" / "config.toml", folder)
        shutil.copytree(ROOT / "seeds", folder / "seeds")
        (folder / "feeds").mkdir()
        (folder / "feeds" / FEED).write_bytes(feed())
        (folder / "feeds" / f"{FEED}.gz").write_bytes(gzip.compress(feed(), mtime=0))
        ports = {"ours": free_port(), "nginx": free_port()}
        settings = folder / "nginx.conf"
        settings.write_text(NGINX.format(folder=folder, port=ports["nginx"]), "utf-8")
        config = str(folder / "config.toml")
        digest = [sys.executable, "-m", "digest", "--config", config]
        for word in ("ingest", "publish"):
            subprocess.run([*digest, word], check=True, capture_output=True)
        serve = [*digest, "serve", "--port", str(ports["ours"])]
        servers.enter_context(running(serve, ports["ours"], PAGE))
        servers.enter_context(running([nginx, "-c", str(settings)], ports["nginx"]))
        ports["bare"], ports["polls"] = free_port(), free_port()
        bare = [sys.executable, "-c", BARE, str(ports["bare"]), PAGE]
        page = ask(ports["ours"], PAGE).body  # type: ignore[attr-defined] # as above
        servers.enter_context(running(bare, ports["bare"], PAGE, page))
        front = folder / "polls.conf"
        front.write_text(
            CACHING.format(folder=folder, port=ports["polls"], ours=ports["ours"]), "utf-8"
        )
        servers.enter_context(running([nginx, "-c", str(front)], ports["polls"]))
        print(
            "| case | ours / other, requests a second | ours | other "
            "| ours / other, 99th percentile | ours ms | other ms |"
        )
        print("|---|---|---|---|---|---|---|")
        for case, beside in (
            ("200", "nginx"),
            ("304", "nginx"),
            ("gzip", "nginx"),
            ("page", "bare"),
        ):
            pair = ("ours", beside)
            headers = {name: headers_of(case, ports[name]) for name in pair}
            path = PAGE if case == "page" else f"/feeds/{FEED}"
            rounds = [
                {
                    name: load(ports[name], given.seconds, headers[name], path)
                    for name in (pair if i % 2 else reversed(pair))
                }
                for i in range(given.rounds)
            ]
            cells = (compared(rounds, 0, ",.0f", beside), compared(rounds, 1, ".2f", beside))
            print(f"| {case}, {beside} | {' | '.join(cells)} |", flush=True)
        if given.polls:
            polls(folder, ports["polls"], given.polls)


if __name__ == "__main__":
    main()

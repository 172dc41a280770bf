"""Feeds over HTTP: `digest serve` beside nginx on the same 60 kB feed, in turns.

    python bench/web.py [--rounds N] [--seconds N]

Needs `wrk` and `nginx` (Debian packages of those names). One worker each, 32 connections, one
thread of wrk. For each case (complete, unchanged, gzip) the
ratios of the requests a second and of the 99th percentiles are taken per round, so that a busy machine
slows both alike; shown are the medians, with the least and the most of the ratios.
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


def feed() -> bytes:
    """Text of the size of a feed, which packs about as well as one."""
    words = [f"{stem}{i}" for stem in ("customs", "border", "таможня") for i in range(400)]
    draw = random.Random(1)  # noqa: S311 - the same text at each run
    text = " ".join(draw.choice(words) for _ in range(SIZE // 5))
    return f"<feed>{text}".encode()[:SIZE]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ask(port: int, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", f"/feeds/{FEED}", headers=sent)
    answer = connection.getresponse()
    answer.read()
    return answer


def is_up(port: int) -> bool:
    with contextlib.suppress(OSError):
        return ask(port).status == 200
    return False


@contextlib.contextmanager
def running(words: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
                if process.poll() is not None:
                    sys.exit(f"{words[0]} ended with {process.returncode}")
                if is_up(port):
                    break
            yield
        finally:
            process.terminate()


def load(port: int, seconds: int, headers: dict[str, str]) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    address = f"http://127.0.0.1:{port}/feeds/{FEED}"
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


def compared(rounds: list[dict[str, tuple[float, float]]], figure: int, form: str) -> str:
    """Three cells: the ratio of ours to nginx's as median (least to most), and both medians."""
    ratios = [one["ours"][figure] / one["nginx"][figure] for one in rounds]
    ours, nginx = (median(one[name][figure] for one in rounds) for name in ("ours", "nginx"))
    spread = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    return f"{spread} | {ours:{form}} | {nginx:{form}}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--seconds", type=int, default=1)
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
        ours = [sys.executable, "-m", "digest", "--config", config, "serve", "--port"]
        servers.enter_context(running([*ours, str(ports["ours"])], ports["ours"]))
        servers.enter_context(running([nginx, "-c", str(settings)], ports["nginx"]))
        print(
            "| case | ours / nginx, requests a second | ours | nginx "
            "| ours / nginx, 99th percentile | ours ms | nginx ms |"
        )
        print("|---|---|---|---|---|---|---|")
        for case in ("200", "304", "gzip"):
            headers = {name: headers_of(case, port) for name, port in ports.items()}
            rounds = []
            for i in range(given.rounds):
                order = ("ours", "nginx") if i % 2 else ("nginx", "ours")
                rounds.append(
                    {name: load(ports[name], given.seconds, headers[name]) for name in order}
                )
            print(f"| {case} | {compared(rounds, 0, ',.0f')} | {compared(rounds, 1, '.2f')} |")


if __name__ == "__main__":
    main()

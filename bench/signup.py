"""Whether the time of a form tells who is subscribed: forms over HTTP for addresses of each kind, in turn.

    python bench/signup.py URL DATABASE [ROUNDS]

URL is that of a running `digest serve` of a throw-away newsroom with `look_up_domains = false` and high
limits in [readers]; DATABASE is its file. Makes recipients and suppressions there. Shows the median of
each kind, and how often a form of that kind takes longer than one of an unknown address: 0.5 tells nothing.
"""

import http.client
import re
import sys
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

from digest.audience.store import ChosenRecipient, add_recipient
from digest.audience.suppressions import suppress
from digest.mail.tokens import Purpose, token_for
from digest.newsroom import Clock
from digest.store.database import open_database
from digest.store.owner import token_keys

KINDS = ("unknown", "subscribed", "complaint", "hard")


def main(url: str, database: Path, rounds: int = 300) -> None:
    now, host = Clock()(), urlsplit(url).netloc
    with open_database(database, now=now, busy_timeout_seconds=30) as db:
        stamp = token_for(
            token_keys(db)[0], int((now - timedelta(minutes=1)).timestamp()), 0, Purpose.FORM
        )
        with db.write():
            for number in range(rounds):
                chosen = ChosenRecipient(f"subscribed{number}@reader.example", ("en",), ("weekly",))
                add_recipient(db, chosen, now)
                for cause in KINDS[2:]:
                    suppress(db, f"{cause}{number}@reader.example", cause, now)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for kind in (*KINDS[number % 4 :], *KINDS[: number % 4]):
            form = {"address": f"{kind}{number}@reader.example", "form": stamp, "language": "en"}
            connection = http.client.HTTPConnection(host, timeout=30)
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            headers["X-Forwarded-For"] = f"10.{number % 256}.{number // 256}.{len(kind)}"
            started = time.perf_counter()
            connection.request("POST", "/join/?lang=en", urlencode(form), headers)
            answer = connection.getresponse()
            page = answer.read().decode()
            seconds[kind].append(time.perf_counter() - started)
            if answer.status != 200 or not re.search(r"<h1>Look into your mail", page):
                sys.exit(f"{kind}: {answer.status}, the form was not taken")
            connection.close()
    usual = seconds["unknown"]
    for kind, times in seconds.items():
        longer = sum(one > other for one in times for other in usual) / len(times) / len(usual)
        print(f"{kind:<11} {median(times) * 1000:6.2f} ms   longer than unknown: {longer:.3f}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))

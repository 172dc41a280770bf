"""How long closing an edition takes with many recipients, and how much memory.

    python bench/compose.py [--recipients 1000000] [--choices 60]

Composes one edition of the seeds: freezes it and queues a delivery for each recipient, in one write. With
60 choices half of the recipients are also owed a correction.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from send import CHOICES, ROOT, add_recipients, digest, owe_a_correction


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--recipients", type=int, default=1_000_000)
    asked.add_argument("--choices", type=int, choices=(1, 60), default=1)
    asked.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.work:
        compose(options.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(ROOT / "seeds", work / "seeds")
        shutil.copy(ROOT / "digest" / "config" / "config.toml", work / "plain.toml")
        subprocess.run([*digest(work, "plain"), "ingest"], check=True, stdout=subprocess.DEVNULL)
        choices = CHOICES if options.choices > 1 else ()
        add_recipients(work / "digest.db", options.recipients, choices)
        if choices:
            owe_a_correction(work)
        command = [sys.executable, __file__, "--work", str(work)]
        result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"{result['deliveries']:,} deliveries composed in {result['seconds']:.1f} s, "
            f"peak memory {result['peak']:.0f} MB"
        )


def compose(work: Path) -> None:
    from digest.editions.compose import compose_now, find_digest
    from digest.newsroom import Newsroom

    newsroom = Newsroom.from_file(work / "plain.toml")
    began = time.perf_counter()
    with newsroom.open() as newsroom:
        edition = compose_now(newsroom, find_digest(newsroom.settings, None))
        if edition is None:
            sys.exit("nothing was composed")
        seconds = time.perf_counter() - began
        count = newsroom.db.value(
            "SELECT count(*) FROM deliveries WHERE edition_id = ?", (edition.id,)
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"deliveries": count, "seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    main()

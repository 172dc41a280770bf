"""How long the first digest takes, and how much of it is Python starting.

    python bench/start.py [--rounds 5]

ingest, publish and the dry run on the seeds in a fresh folder, and `digest --help`, each beside a
Python that only starts, in turns.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (("ingest",), ("publish",), ("send", "--dry-run"), ("--help",))


def seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--rounds", type=int, default=5)
    rounds = asked.parse_args().rounds
    measured: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copytree(ROOT / "seeds", folder / "seeds")
            shutil.copy(ROOT / "digest" / "config" / "config.toml", folder)
            measured.setdefault("python", []).append(
                seconds([sys.executable, "-c", "pass"], folder)
            )
            for words in COMMANDS:
                taken = seconds([sys.executable, "-m", "digest", *words], folder)
                measured.setdefault(" ".join(words), []).append(taken)
    bare = statistics.median(measured["python"])
    for name, taken in measured.items():
        median = statistics.median(taken)
        print(f"{name:<16} {median:6.3f} s   {median / bare:5.1f} times a Python that only starts")


if __name__ == "__main__":
    main()

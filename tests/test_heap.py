"""Memory: what a service once needed for a moment it does not keep for years."""

import json
import subprocess
import sys

import pytest

PEAKS = """
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from digest.schedule.heap import give_back, share_one_heap

def held():
    return int(Path("/proc/self/statm").read_text().split()[1])

def peak(kept):
    pieces = [bytes(2_000) for _ in range(20_000)]
    kept.append(pieces[-1])

share_one_heap()
before, kept = held(), []
threads = [ThreadPoolExecutor(1) for _ in range(4)]
for thread in threads:
    thread.submit(peak, kept).result()
after = held()
give_back()
print(json.dumps([before, after, held()]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_a_peak_in_any_thread_is_given_back():
    """Forty megabytes in one thread after another come to forty, not to four times that, and go."""
    told = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    before, after, given = json.loads(told.stdout)
    pages = 40_000_000 // 4096
    assert after - before < 2 * pages
    assert given - before < pages / 4

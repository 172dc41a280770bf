"""How well delivery reports are read: against flufl.bounce's own samples and their labels.

    python bench/bounces.py TESTS [MORE]

TESTS is the folder tests/ of flufl.bounce's source distribution (`pip download --no-binary :all:
--no-deps flufl.bounce`, then unpack): its data/*.txt are the reports, its test_detectors.py holds
the labels. A label without addresses is one detector's alone; there flufl.bounce is asked without choosing a detector.
MORE is a folder of other reports (*.eml), which are only listed.
"""

import ast
import email
import sys
from collections import Counter
from pathlib import Path

from flufl.bounce import all_failures

from digest.bounces.reports import ReturnAddresses, ReturnedMail, ReturnKind, read_report

OURS = ReturnAddresses("leave@news.example", ())
FAILED = {ReturnKind.HARD, ReturnKind.SOFT, ReturnKind.POLICY}
Label = tuple[frozenset[str], frozenset[str]]
"""Addresses that fail for good, and addresses that are still being tried."""


def labels(tests: Path) -> dict[str, Label]:
    """The labels by file, as the samples' own test writes them; several detectors add up."""
    labelled: dict[str, tuple[set[str], set[str]]] = {}
    for node in ast.walk(ast.parse((tests / "test_detectors.py").read_text("utf-8"))):
        if not isinstance(node, ast.Tuple) or len(node.elts) != 4:
            continue
        name = node.elts[1].value if isinstance(node.elts[1], ast.Constant) else ""
        if not isinstance(name, str) or not name.endswith(".txt"):
            continue
        _, _, addresses, temporary = ast.literal_eval(node)
        into = labelled.setdefault(name, (set(), set()))
        into[1 if temporary else 0].update(address.decode().lower() for address in addresses)
    return {name: (frozenset(hard), frozenset(soft)) for name, (hard, soft) in labelled.items()}


def as_a_whole(path: Path) -> Label:
    """What flufl.bounce finds in a file when all its detectors have a look."""
    temporary, permanent = all_failures(email.message_from_bytes(path.read_bytes()))
    return (
        frozenset(address.decode().lower() for address in permanent),
        frozenset(address.decode().lower() for address in temporary),
    )


def fault(read: ReturnedMail, label: Label) -> str | None:
    """What is wrong with a reading, or None."""
    permanent, temporary = label
    want = "failed" if permanent else "delayed" if temporary else "no bounce"
    got = (
        "failed"
        if read.kind in FAILED
        else "delayed"
        if read.kind is ReturnKind.DELAYED
        else "no bounce"
    )
    addresses = {address.lower() for address in read.addresses}
    if got != want:
        return f"{want}, read as {read.kind}"
    if want != "no bounce" and addresses != permanent | temporary:
        return f"{sorted(permanent | temporary)}, read {sorted(addresses)}"
    return None


def main() -> int:
    tests = Path(sys.argv[1])
    wanted = labels(tests)
    kinds: Counter[str] = Counter()
    right = count = 0
    for path in sorted((tests / "data").glob("*.txt")):
        read = read_report(path.read_bytes(), OURS)
        kinds[read.kind] += 1
        count += 1
        label = wanted.get(path.name)
        if wrong := fault(read, label if label and any(label) else as_a_whole(path)):
            print(f"{path.name}: wanted {wrong}")
        else:
            right += 1
        if "-v" in sys.argv:
            print(f"  {path.name}: {read.kind} {read.status} {read.diagnostic[:110]}")
    tally = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    print(f"{right} of {count} right: {tally}")
    for folder in sys.argv[2:]:
        for path in sorted(Path(folder).glob("*.eml")):
            read = read_report(path.read_bytes(), OURS)
            print(f"{path.name}: {read.kind} {read.status} {list(read.addresses)}")
    return 0 if right == count else 1


if __name__ == "__main__":
    sys.exit(main())

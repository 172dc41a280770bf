#!/usr/bin/env python3
"""No file in git names a path of somebody's machine, an address of a person, or a password."""

import re
import subprocess
import sys
from pathlib import Path

PATHS = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work|tmp)/[\w.-]+[^\s\"'`)>]*")
ADDRESSES = re.compile(r"[\w.+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+)\b")
PASSWORDS = re.compile(
    r"(?i)\b(?:password|passwd|secret|api_?key|access_?token)\b\s*[=:]\s*[\"'][^\"'(][^\"']{5,}[\"']"
)
KEYS = re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----")
EXAMPLES = re.compile(
    r"(?i)(?:^|\.)(?:example(?:\.(?:org|com|net))?|test|invalid|localhost|xn--e1afmkfd\.xn--p1ai)$"
)
"""Domains that RFC 2606 and RFC 6761 keep for examples, and пример.рф, which serves as one."""

COPY = ("seeds/", "tests/data/")
"""Wire copy and recorded documents stay byte for byte, with the addresses in them."""


def private_words(text: str, *, copy: bool = False) -> list[str]:
    """The parts of `text` that must not be in git."""
    words = [match[0] for match in PATHS.finditer(text)]
    words += [match[0] for match in KEYS.finditer(text)]
    if copy:
        return words
    words += [match[0] for match in ADDRESSES.finditer(text) if not EXAMPLES.search(match[1])]
    return words + [match[0] for match in PASSWORDS.finditer(text)]


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
    names = [name for name in listed.decode().split("\0") if name and Path(name).is_file()]
    faults = 0
    for name in names:
        try:
            lines = Path(name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture, or copy in another encoding
        for number, line in enumerate(lines, 1):
            for word in private_words(line, copy=name.startswith(COPY)):
                print(f"{name}:{number}: {word}")
                faults += 1
    print(f"{len(names)} files, {faults} private words")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

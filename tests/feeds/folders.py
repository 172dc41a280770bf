"""What a reader finds in a folder of published files."""

import gzip
from pathlib import Path

import brotli

from digest.feeds.files import HALF, MANIFEST

UNPACK = {".br": brotli.decompress, ".gz": gzip.decompress}


def contents(folder: Path) -> dict[str, bytes]:
    """The files by name, without those that only we need. The compressed ones say the same as the plain."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in (HALF, MANIFEST)
    }
    for name in [name for name in files if name.endswith(tuple(UNPACK))]:
        assert UNPACK[name[-3:]](files.pop(name)) == files[name[:-3]], name
    return files

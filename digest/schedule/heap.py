"""The heap of a process that lives for years, as glibc keeps it; nothing where the C library is another.

glibc gives each thread a heap of its own, and none of them what another has let go of; and what a
large piece of work has freed stays with the process until something is freed at the heap's end.
"""

import ctypes
import sys
from functools import cache
from typing import Any

M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def share_one_heap() -> None:
    """Let all threads use the first one's heap. Call before there are others."""
    if (library := _glibc()) is not None:
        library.mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Let the system have what is free; takes a millisecond or two."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None

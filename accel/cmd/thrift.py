"""Keeps the daemons of a node small: what they do not use they do not keep.

A library's files are mapped, not copied, and the processes of a node share them; but each process counts what it has
once touched as resident, and keeps it. Loading a library touches most of it: the linker goes through it, and every
module of it prepares all that it has. Of 24 MiB that an agent and a device plugin each have so, 10 are used again.
"""

import ctypes
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

_PERIOD_SECONDS = 10.0
"""How often what is not used is let go: it costs some thousandths of a second."""
_MADV_DONTNEED = 4
_M_ARENA_MAX = -8
_CODE = re.compile(r"^(\w+)-(\w+) r-[-x]p .* /.*\n(?:[A-Z].*\n)*?Anonymous: +0 kB$", re.MULTILINE)
"""A region in proc_pid_smaps(5), with the line that says how much of it is not as in its file."""

Region = tuple[int, int]
"""Where a piece of a file is in our memory, and where it ends."""


def be_thrifty() -> None:
    """Have one heap, and let go of code that is not used, from now on; to be called once all is loaded.

    There must be no other thread yet that may load a library: while it does, the library's parts look different.
    """
    libc = _libc()
    # Each of the first threads has a heap of its own else, with gaps that others cannot use: 3 MiB of them in an agent.
    # Python's threads take turns anyway. Not every C library has heaps.
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
    threading.Thread(target=_let_go_again_and_again, args=(code(),), name="thrift", daemon=True).start()


def code() -> Sequence[Region]:
    """Where files are that nobody may write to, nor the linker has: they are as on the disk, and stay there."""
    return [(int(found[1], 16), int(found[2], 16)) for found in _CODE.finditer(Path("/proc/self/smaps").read_text())]


def still_code(regions: Iterable[Region]) -> set[Region]:
    """Those of regions that have not become something else: what a program keeps there would be lost if let go."""
    return set(regions).intersection(code())


def let_go(regions: Iterable[Region]) -> None:
    """Have the pages of regions no more; one that is used comes back from the page cache, where it still is."""
    libc = _libc()
    for start, end in regions:
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


def _let_go_again_and_again(regions: Sequence[Region]) -> None:
    never = threading.Event()
    while not never.wait(_PERIOD_SECONDS):
        let_go(still_code(regions))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)

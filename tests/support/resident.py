"""What processes have in memory, as whoever looks at a node sees it."""

import os
from pathlib import Path

_SESSION, _RESIDENT_PAGES = 3, 21
"""Where it stands in proc_pid_stat(5), counted from what follows the name of the process."""


def resident_mib(*sessions: int) -> float:
    """The sum of what ``ps -o rss`` says of all processes of sessions; what several share counts for each of them.

    :param sessions: by the process that has begun each
    """
    pages = sum(int(stat[_RESIDENT_PAGES]) for stat in _stats() if int(stat[_SESSION]) in sessions)
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def processes_of(session: int) -> int:
    """How many there are."""
    return sum(int(stat[_SESSION]) == session for stat in _stats())


def _stats() -> list[list[str]]:
    """Of each process what follows its name."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(path.read_text().rpartition(")")[2].split())
        except OSError:  # it has ended
            continue
    return found

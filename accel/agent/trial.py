"""Tries out whether other people's drivers can be loaded without harm to the process that loads them.

The agent loads drivers to read their options, and the server from which their processes are forked holds them loaded.
A module whose import crashes natively, hangs or raises would take both with it.
"""

import multiprocessing
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from multiprocessing.context import SpawnProcess

from accel.drivers import registry


def harmless(names: Iterable[str], *, timeout_seconds: float) -> frozenset[str]:
    """The named drivers, all installed, whose modules can be loaded here, if only to learn what they lack.

    Our own can be; each of the others is loaded by a process of its own first, all at once.
    """
    installed = registry.installed()
    entries = {name: installed[name] for name in names}
    tried = {name: _trial(entry.module) for name, entry in entries.items() if not registry.is_ours(entry)}
    return frozenset(entries) - {name for name, process in tried.items() if not _ends_well(process, timeout_seconds)}


def _trial(module: str) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=_load, args=(module,), name="trial", daemon=True)
    process.start()
    return process


def _load(module: str) -> None:
    with suppress(ImportError):  # whoever loads it can deal with that
        import_module(module)


def _ends_well(process: SpawnProcess, timeout_seconds: float) -> bool:
    process.join(timeout_seconds)
    process.kill()
    return process.exitcode == 0

"""Tries out whether other people's drivers can be loaded without harm to the process that loads them.

The server from which the processes of drivers are forked holds them loaded. A module whose import crashes natively,
hangs or raises would take it with it, and so the other drivers.
"""

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection

from accel.agent.nursery import Child, Nursery
from accel.drivers import registry


def harmless(names: Iterable[str], *, timeout_seconds: float) -> frozenset[str]:
    """The named drivers, all installed, whose modules can be loaded, if only to learn what they lack.

    Our own can be; each of the others is loaded by a process of its own first, all at once.
    """
    installed = registry.installed()
    entries = {name: installed[name] for name in names}
    others = {name: entry.module for name, entry in entries.items() if not registry.is_ours(entry)}
    nursery = Nursery()
    with nursery.needed():
        tried = {name: nursery.start(_load, module) for name, module in others.items()}
        return frozenset(entries) - {name for name, child in tried.items() if not _ends_well(child, timeout_seconds)}


def _load(module: str, _: Connection) -> None:
    with suppress(ImportError):  # whoever loads it can deal with that
        import_module(module)


def _ends_well(child: Child, timeout_seconds: float) -> bool:
    child.join(timeout_seconds)
    child.kill()
    try:
        return child.exit_code() == 0
    finally:
        child.forget()

"""The commands, by the entry points of the group ``accel.cli``. None is imported before it is run.

cliff's own manager imports every command of the group to find one; ``accel up`` alone would bring the whole server.
"""

import ast
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cliff.commandmanager import CommandManager, EntryPointWrapper

GROUP = "accel.cli"


class Entry(EntryPoint):
    """A command that is not imported yet."""

    def load(self) -> Any:
        """Import it.

        :raises RuntimeError: its module is broken. A ValueError would tell cliff that there is no such command.
        """
        try:
            return super().load()
        except ValueError as error:
            raise RuntimeError(f"{self.value} cannot be imported: {error}") from error


class Commands(CommandManager):
    """Finds a command by its words, or by the beginnings of its words where only one command has them."""

    def __init__(self) -> None:
        super().__init__(GROUP)

    def load_commands(self, namespace: str) -> None:
        """Note which commands there are."""
        self.group_list.append(namespace)
        for entry_point in entry_points(group=namespace):
            self.commands[entry_point.name.replace("_", " ")] = Entry(entry_point.name, entry_point.value, namespace)


def summary(entry: EntryPoint | EntryPointWrapper) -> str:
    """The first line of a command's docstring, read from its source without running it; empty where it has none."""
    module, _, name = entry.value.partition(":")
    return _summaries(module).get(name, "")


@cache
def _summaries(module: str) -> Mapping[str, str]:
    """Those of all classes of a module: reading a source once costs more than all else that a command does."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    return {
        statement.name: (ast.get_docstring(statement) or "").partition("\n")[0].rstrip(".")
        for statement in ast.parse(Path(spec.origin).read_bytes()).body
        if isinstance(statement, ast.ClassDef)
    }

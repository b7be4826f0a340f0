"""What ``accel --help`` shows, and what is said to somebody who mistyped a command."""

import argparse
import difflib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from cliff._argparse import ArgumentParser
from cliff.command import Command
from cliff.complete import CompleteCommand

from accel.cli import commands

if TYPE_CHECKING:
    from accel.cli.app import AccelApp

Parser = ArgumentParser


class Help(Command):
    """Show this, or the help of a command."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the command that help is wanted for."""
        parser = super().get_parser(prog_name)
        parser.add_argument("command", nargs="*", metavar="COMMAND", help="the command that help is wanted for")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Show the help."""
        return self.app.run([*parsed_args.command, "--help"])


class Complete(CompleteCommand):
    """Print what makes bash complete accel: source it."""

    def get_actions(self, command: list[str]) -> list[argparse.Action]:
        """The options of a command; none for one whose parts are not installed here."""
        try:
            return super().get_actions(command)
        except ImportError:
            return []


def write(app: "AccelApp") -> None:
    """Write what the program is, its commands and its options."""
    out = app.stdout
    out.write(f"{app.parser.description}\n\n")
    out.write("accel                   the summary of the fleet\naccel COMMAND --help    more about a command\n")
    known = sorted(app.command_manager)
    width = max(len(name) for name, _ in known)
    nouns = {name.split()[0] for name, _ in known if " " in name}
    for _, group in groupby(known, key=lambda entry: {entry[0].split()[0]} & nouns):
        out.write("\n")
        for name, entry in group:
            out.write(f"  {name:{width}}  {commands.summary(entry)}\n")
    out.write("\n" + app.parser.format_help().partition("\n\n")[2].partition("\n\n")[2])


def unknown(argv: Sequence[str], names: Iterable[str]) -> str:
    """What to say when no command is called so."""
    words = [word for word in argv if not word.startswith("-")]
    known = sorted(names)
    of_noun = [name for name in known if name.split()[0] == words[0]]
    if of_noun and len(words) == 1:
        return "\n".join([f"{words[0]} … what? There are:", *(f"  accel {name}" for name in of_noun)])
    near = of_noun or _like(words[0], known, place=0) or _like(words[0], known, place=-1)
    said = f"there is no command {' '.join(words)!r}; accel --help lists them"
    return "\n".join([said, "Did you mean:", *(f"  accel {name}" for name in near)]) if near else said


def _like(word: str, names: Iterable[str], *, place: int) -> list[str]:
    """The names whose word at a place is nearest to a word: what it is about comes first, what is done with it last."""
    nearest = difflib.get_close_matches(word, {name.split()[place] for name in names}, n=1)
    return [name for name in names if name.split()[place] in nearest]

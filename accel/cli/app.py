"""The application: global options, finding the command, and what becomes of an error.

cliff does the rest. Its interactive mode is left out: ``accel`` alone shows the summary.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, TextIO

from cliff.app import App
from cliff.command import Command

from accel.cli import arguments, credentials, usage
from accel.cli.client import DEFAULT_ENDPOINT, ENDPOINT_VARIABLE, Client
from accel.cli.commands import Commands
from accel.cli.errors import BROKEN_PIPE, INTERRUPTED, CommandFailed, WrongUse
from accel.errors import AccelError, InvalidValue

DESCRIPTION = "Every accelerator of a fleet: what there is, what is free, what is broken."
SUMMARY = "summary"


class AccelApp(App):
    """The command line of accel.

    :param wait: waits so many seconds between two looks
    """

    NAME = "accel"

    def __init__(
        self,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.wait = wait
        super().__init__(DESCRIPTION, version("accel"), Commands(), stdout=stdout, stderr=stderr)
        self.command_manager.add_command("help", usage.Help)
        self.command_manager.add_command("complete", usage.Complete)

    @property
    def client(self) -> Client:
        """The API at the endpoint that was asked for, else where the credentials say, else on this machine."""
        who = self._credentials
        endpoint = self.options.endpoint or who.endpoint() or DEFAULT_ENDPOINT
        return Client(endpoint, timeout_seconds=self.options.timeout, credentials=who)

    @cached_property
    def _credentials(self) -> credentials.Credentials:
        """Those of all requests of a command: a token is asked for once."""
        return credentials.find(self.options.os_cloud, os.environ)

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """The options that stand before or after any command."""
        parser = usage.Parser(description=description, add_help=False, allow_abbrev=False, **argparse_kwargs or {})
        parser.prog = self.NAME
        parser.add_argument(
            "--endpoint",
            metavar="URL",
            default=os.environ.get(ENDPOINT_VARIABLE),
            help=f"where the server is (default: {ENDPOINT_VARIABLE}, else what the cloud's catalog says, "
            f"else {DEFAULT_ENDPOINT})",
        )
        parser.add_argument(
            "--os-cloud", metavar="NAME", help="sign in to this cloud of clouds.yaml (default: OS_CLOUD, OS_*)"
        )
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=arguments.seconds,
            default=30.0,
            help="how long to wait for the server's answer (default: 30)",
        )
        parser.add_argument("--debug", action="store_true", help="show requests, and where an error comes from")
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}", help="show the version")
        parser.add_argument("-h", "--help", action="store_true", help="show this, or the help of a command")
        return parser

    def configure_logging(self) -> None:
        """Show what libraries say with ``--debug`` only."""
        if self.options.debug:
            logging.basicConfig(level=logging.DEBUG, stream=self.stderr, format="%(name)s: %(message)s")

    def run(self, argv: Sequence[str]) -> int:
        """Run one command and return its exit code."""
        try:
            self.options, rest = self.parser.parse_known_args(list(argv))
            self.configure_logging()
            if self.options.help and not rest:
                usage.write(self)
                return 0
            if self.options.help:
                rest.append("--help")
            return self.run_subcommand(rest if rest and not rest[0].startswith("-") else [SUMMARY, *rest])
        except SystemExit as end:  # how argparse ends: 0 after --help, 2 when something is wrong
            return end.code if isinstance(end.code, int) else 0
        except BrokenPipeError:
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return INTERRUPTED

    def run_subcommand(self, argv: list[str]) -> int:
        """Run the command that the arguments begin with; an error becomes a sentence and an exit code."""
        try:
            command, name, rest = self._find(argv)
            return command.run(command.get_parser(f"{self.NAME} {name}").parse_args(rest))
        except AccelError as error:
            if self.options.debug:
                logging.getLogger(__name__).debug("the command failed", exc_info=True)
            self.stderr.write(f"{self.NAME}: {error}\n")
            return _exit_code(error)

    def _find(self, argv: list[str]) -> tuple[Command, str, list[str]]:
        try:
            found, name, rest = self.command_manager.find_command(argv)
        except ValueError as error:
            raise WrongUse(usage.unknown(argv, [name for name, _ in self.command_manager])) from error
        except ImportError as error:
            raise CommandFailed(
                f"{' '.join(argv[:1])} needs what is not installed here ({error}): pip install 'accel[server]'"
            ) from error
        return found(self, self.options), name, rest


def _exit_code(error: AccelError) -> int:
    if isinstance(error, CommandFailed):
        return error.exit_code
    return WrongUse.exit_code if isinstance(error, InvalidValue) else CommandFailed.exit_code

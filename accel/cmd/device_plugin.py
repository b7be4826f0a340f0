"""``accel-device-plugin``: what a node's agent offers, as resources of a kubelet.

It reads a file of its own and logs by the standard library alone: with the libraries of the other services it would be
twice as large.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event

from accel.cmd import systemd
from accel.cmd.stopping import until_set
from accel.cmd.thrift import be_thrifty
from accel.errors import AccelError
from accel.kubernetes import config as configuration
from accel.kubernetes.config import Config
from accel.kubernetes.plugin import Plugin
from accel.model.finding import State, as_table, examine

PROG = "accel-device-plugin"
DEFAULT_FILE = Path("/etc/accel/device-plugin.yaml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, or do what else the first argument asks for.

    :return: the exit status: 1 when the plugin cannot start as it is configured, or something was found to be wrong
    """
    arguments = _parser().parse_args(argv)
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        file = arguments.config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
        config = configuration.load(file) if file else Config()
        if arguments.command == "doctor":
            return doctor(config, file, as_json=arguments.format == "json")
        return serve(config)
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1


def serve(config: Config) -> int:
    """Be the plugin of this node.

    :return: the exit status
    :raises ConfigurationError: nobody can listen where the figures are to be
    """
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    plugin = Plugin(config)
    be_thrifty()
    with _figures(plugin, config.listen):
        plugin.start()
        systemd.notify(systemd.READY)
        until_set(stop)
        systemd.notify(systemd.STOPPING)
        plugin.stop()
    return 0


@contextmanager
def _figures(plugin: Plugin, listen: str) -> Iterator[None]:
    """Let others see meanwhile how it goes, where that is wanted."""
    if not listen:
        yield
        return
    from accel.kubernetes.figures import FiguresServer  # noqa: PLC0415 - its library is large

    server = FiguresServer(plugin, listen)
    server.start()
    try:
        yield
    finally:
        server.stop()


def doctor(config: Config, file: Path | None, *, as_json: bool) -> int:
    """Print how everything is that the plugin needs, and how to mend it; one that runs is not disturbed.

    :return: the exit status: 1 when something has failed
    """
    from accel.kubernetes.doctor import probes  # noqa: PLC0415 - a plugin that serves does without

    findings = examine(probes(config, file))
    text = json.dumps([asdict(one) for one in findings], indent=2) + "\n" if as_json else as_table(findings)
    sys.stdout.write(text)
    return 1 if any(one.state is State.FAILED for one in findings) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG, description="Offer this node's accelerators to its kubelet.", allow_abbrev=False
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"what it is told, as YAML (default: {DEFAULT_FILE}, if it is there)",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "doctor"),
        default="serve",
        help="serve: be the plugin, the default; doctor: print what it needs, how it is, and how to mend it",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="of what doctor prints")
    parser.add_argument("--verbose", action="store_true", help="log more")
    return parser


if __name__ == "__main__":
    sys.exit(main())

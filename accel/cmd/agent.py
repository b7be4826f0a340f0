"""``accel-agent``: the daemon on each node, and what a person runs to see how it is.

The processes in which drivers look import this module too, so it imports what it needs when it needs it.
"""

import argparse
import sys
from collections.abc import Sequence

from accel.errors import AccelError

PROG = "accel-agent"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon, or what else the arguments ask for.

    :return: the exit status: 1 when the service cannot start as it is configured, or something was found to be wrong
    """
    arguments, rest = _parser().parse_known_args(sys.argv[1:] if argv is None else argv)
    from accel import conf as configuration  # noqa: PLC0415  # see above

    try:
        conf = configuration.load(rest, prog=PROG)
        if arguments.command == "serve":
            from accel.cmd import agent_daemon  # noqa: PLC0415  # see above

            return agent_daemon.serve(conf, fleet_file=arguments.fleet or conf.agent.fleet_file)
        from accel.cmd import agent_inspection  # noqa: PLC0415  # see above

        command = agent_inspection.COMMANDS[arguments.command]
        return command(conf, as_json=arguments.format == "json")
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Look at this node's accelerators and report them to the conductor.",
        epilog="Other options are those of the configuration: --config-file FILE, --config-dir DIRECTORY, --debug.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="serve",
        choices=("serve", "discover", "doctor"),
        help="serve: run the daemon (default); discover: print what the drivers see; doctor: say what the agent lacks",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="of what is printed")
    parser.add_argument(
        "--fleet", metavar="FILE", help="play the nodes of a fleet file instead of looking at this host"
    )
    return parser

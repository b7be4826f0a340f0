"""``accel-agent``: the daemon on each node, and what a person runs to see how it is.

The processes in which drivers look import this module too, so it imports what it needs when it needs it.
"""

import argparse
import sys
from collections.abc import Sequence

from accel.errors import AccelError

PROG = "accel-agent"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon, or what else the first argument asks for.

    :return: the exit status: 1 when the service cannot start as it is configured, or something was found to be wrong
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = words.pop(0) if words and not words[0].startswith("-") else "serve"
    arguments, rest = _parser().parse_known_args(words)
    if command not in _COMMANDS:
        _parser().error(f"{command!r} is none of {', '.join(_COMMANDS)}")
    from accel import conf as configuration  # noqa: PLC0415  # see above

    try:
        conf = configuration.load(rest, prog=PROG)
        if command == "serve":
            from accel.cmd import agent_daemon  # noqa: PLC0415  # see above

            return agent_daemon.serve(conf, fleet_file=arguments.fleet or conf.agent.fleet_file)
        from accel.cmd import agent_inspection  # noqa: PLC0415  # see above

        return agent_inspection.COMMANDS[command](conf, as_json=arguments.format == "json")
    except AccelError as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1


_COMMANDS = {
    "serve": "run the daemon; this is the default",
    "discover": "print what the drivers see, and end; no conductor is needed",
    "doctor": "print what the agent needs, how it is, and how to mend it",
}


def _parser() -> argparse.ArgumentParser:
    """Everything but the command and the options of the configuration, which other parsers take."""
    parser = argparse.ArgumentParser(
        prog=PROG,
        usage="%(prog)s [serve | discover | doctor] [--format table|json] [--fleet FILE] [--config-file FILE] …",
        description="Look at this node's accelerators and report them to the conductor.",
        epilog="\n".join(
            [
                *(f"  {name:<10}{text}" for name, text in _COMMANDS.items()),
                "",
                "Further options: --config-dir, --debug …",
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="of what is printed")
    parser.add_argument(
        "--fleet", metavar="FILE", help="play the nodes of a fleet file instead of looking at this host"
    )
    return parser

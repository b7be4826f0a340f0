"""How the programs of the server start: where the libraries of the extra ``server`` are missing, with a sentence."""

import sys
from importlib import import_module


def api() -> int:
    """``accel-api``."""
    return start("accel-api", "accel.cmd.api")


def conductor() -> int:
    """``accel-conductor``."""
    return start("accel-conductor", "accel.cmd.conductor")


def manage() -> int:
    """``accel-manage``."""
    return start("accel-manage", "accel.cmd.manage")


def status() -> int:
    """``accel-status``."""
    return start("accel-status", "accel.cmd.status")


def start(program: str, module: str) -> int:
    """Run ``main()`` of a module.

    :return: its exit status; 1 where a library that it needs is not installed
    """
    try:
        main = import_module(module).main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "accel":
            raise
        sys.stderr.write(f"{program} needs what is not installed here ({error}): pip install 'accel[server]'\n")
        return 1
    return int(main())

"""The stand-ins of vendors' programs, put into a host made of files."""

import json
from pathlib import Path

BIN = Path(__file__).parents[1] / "data" / "bin"


def install(root: Path, *names: str) -> dict[str, str]:
    """Put programs into a tree; their paths by their names, with ``_`` for ``-``, as drivers' options are named."""
    directory = root / "usr/bin"
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).symlink_to(BIN / name)
    return {name.replace("-", "_"): str(directory / name) for name in names}


def behave(root: Path, name: str, **how: object) -> None:
    """Have a program behave otherwise than well; see the README beside the programs."""
    file = root / "etc/stand-in" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(how))


def calls(root: Path, name: str) -> list[list[str]]:
    """The arguments that a program was called with, each time."""
    log = root / "var/log" / f"{name}.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def behave_well(root: Path, name: str) -> None:
    """Have a program behave well again."""
    (root / "etc/stand-in" / f"{name}.json").unlink()


def hanging(root: Path, name: str) -> int:
    """The process of a program that has come to the point where it hangs; 0 until then."""
    file = root / "var/log" / f"{name}.hangs"
    return int(file.read_text() or 0) if file.exists() else 0

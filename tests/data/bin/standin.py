"""What the programs have in common: where the tree is, and how they are made to behave."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

TOOL = Path(sys.argv[0]).absolute()
ROOT = next(parent for parent in TOOL.parents if (parent / "sys").is_dir())


def behaviour() -> dict[str, Any]:
    """What the test wants of us; nothing: as the real one."""
    file = ROOT / "etc/stand-in" / f"{TOOL.name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def remember(arguments: list[str]) -> None:
    """Say in the log how we were called."""
    log = ROOT / "var/log" / f"{TOOL.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(json.dumps(arguments) + "\n")


def fail(status: int, text: str, *, stream: Any = None) -> NoReturn:
    """End with an error."""
    print(text, file=stream or sys.stderr)
    sys.exit(status)


def hang() -> NoReturn:
    """Never end."""
    (ROOT / "var/log" / f"{TOOL.name}.hangs").write_text(str(os.getpid()))
    while True:
        signal.pause()


def load(file: Path, text: str, nothing: str) -> None:
    """Change an attribute of sysfs as loading an image does: what was there is gone before the new one is.

    :param nothing: what the attribute shows in between
    """
    wanted = behaviour()
    if wanted.get("hangs") == "before":
        hang()
    file.write_text(nothing)
    if wanted.get("hangs") == "after":
        hang()
    if "status" in wanted:
        fail(wanted["status"], wanted.get("stderr", ""))
    file.write_text(f"{wanted.get('loads', text)}\n")


def text_of(path: Path) -> str:
    """What an attribute says; empty for none."""
    try:
        return path.read_text().strip("\0 \n")
    except OSError:
        return ""

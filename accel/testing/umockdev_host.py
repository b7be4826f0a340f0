"""A host whose devices come and go. Runs under the system's Python, which has the bindings of umockdev.

It is given a description of a host, prints the directory of the mocked host, and then obeys lines on standard input,
``remove /devices/…`` and ``add /devices/…``, with one path or several: each takes the devices with all below them,
sends the kernel's events, and is answered with ``done``. Processes see the host with the directory in UMOCKDEV_DIR and
libumockdev-preload preloaded.
"""

import sys
from pathlib import Path

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402  # after the version is chosen


def main(description: Path) -> None:
    """Obey until standard input ends."""
    sections = {_path(section): section for section in description.read_text().strip().split("\n\n")}
    bed = UMockdev.Testbed.new()
    bed.add_from_string("\n\n".join(sections.values()) + "\n")
    _say(bed.get_root_dir())
    for line in sys.stdin:
        verb, *tops = line.split()
        paths = [path for path in sections if any(path == top or path.startswith(f"{top}/") for top in tops)]
        if verb == "remove":
            for path in reversed(paths):
                bed.uevent(f"/sys{path}", "remove")
                bed.remove_device(f"/sys{path}")
                Path(bed.get_sys_dir(), "block", Path(path).name).unlink(missing_ok=True)  # a testbed leaves it
        else:
            for path in paths:
                bed.add_from_string(_without_node(sections[path]))
                bed.uevent(f"/sys{path}", "add")
        _say("done")


def _path(section: str) -> str:
    return section.splitlines()[0].removeprefix("P: ")


def _without_node(section: str) -> str:
    """A testbed does not forget the nodes in /dev of devices that were removed, and takes none twice."""
    return "".join(f"{line}\n" for line in section.splitlines() if not line.startswith("N:"))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

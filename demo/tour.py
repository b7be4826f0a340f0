"""``make demo``: everything in one process, the main commands, claims, a card that vanishes and comes back.

It ends by itself.

Only public things are used: ``accel up`` is started as anybody would start it, and every line after a ``$`` is a
command that can be typed. All state is in a temporary directory that is removed at the end.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from accel.testing.host_tree import unpack

ROOT = Path(__file__).resolve().parent.parent
ACCEL = Path(sys.executable).with_name("accel")
FLEET = ROOT / "etc" / "accel" / "fleets" / "demo.yaml"
CAPTURED_HOST = ROOT / "tests" / "data" / "hosts" / "qemu-2numa-boot" / "qemu-2numa-boot.tar.gz"
PATIENCE_SECONDS = 60
NO_PLACEMENT = 5
CONFLICT = 6
PLACE = "h100-01/0000:13:00.0"
LINKED = ("--type", "GPU", "--model", "H100", "--near", "linked")
NEW_NODES = """nodes:
  - {name: h100-05, cards: [{model: H100-SXM5-80GB, count: 8}]}
"""


class TourFailure(Exception):
    """A step did not do what the tour says it does."""


def say(text: str) -> None:
    """A line of the guide."""
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def accel(*arguments: str) -> str:
    """Run ``accel`` and give back what it printed.

    :raises TourFailure: it failed
    """
    done = subprocess.run([ACCEL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise TourFailure(f"accel {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def show(*arguments: str) -> None:
    """Run ``accel`` as a person would and show command and output."""
    print(f"$ accel {' '.join(arguments)}".rstrip(), flush=True)
    print(accel(*arguments).rstrip(), flush=True)


def show_refused(code: int, *arguments: str) -> None:
    """Run ``accel`` as a person would and show command and refusal.

    :param code: what it ends with
    :raises TourFailure: it does not
    """
    print(f"$ accel {' '.join(arguments)}", flush=True)
    done = subprocess.run([ACCEL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise TourFailure(f"accel {' '.join(arguments)} was not refused:\n{done.stdout}{done.stderr}")
    print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)


def wait_for_event(kind: str, device: str) -> None:
    """Return when the history of a device holds an event of the kind.

    :raises TourFailure: it does not within a minute
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if json.loads(accel("event", "list", "--device", device, "--kind", kind, "-f", "json")):
            return
        time.sleep(0.2)
    raise TourFailure(f"no event {kind} of {device} within {PATIENCE_SECONDS} s")


@contextmanager
def everything_running(directory: Path, fleet: Path) -> Iterator[None]:
    """``accel up`` with this host, a captured host and a simulated fleet."""
    tree = unpack(CAPTURED_HOST, directory / "captured-host")
    log = directory / "accel.log"
    command = [ACCEL, "up", "--state-path", directory / "state", "--listen", "127.0.0.1:0"]
    command += ["--fleet", fleet, "--host-tree", tree]
    with log.open("w") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as up:
        try:
            endpoint = wait_until_ready(up, log)
            for name in [name for name in os.environ if name.startswith(("ACCEL_", "OS_"))]:
                del os.environ[name]  # this server asks nobody who they are
            os.environ["ACCEL_ENDPOINT"] = endpoint
            yield
        finally:
            up.terminate()
            up.communicate(timeout=PATIENCE_SECONDS)
    if up.returncode:
        raise TourFailure(f"accel up ended with {up.returncode}:\n{log.read_text()}")


def wait_until_ready(up: "subprocess.Popen[str]", log: Path) -> str:
    """The endpoint that ``accel up`` announces once the first reports are taken."""
    if up.stdout is None:
        raise TourFailure("accel up has no standard output")
    for line in up.stdout:
        print(line, end="", flush=True)
        if line.startswith("Ready:"):
            return line.split()[1]
    raise TourFailure(f"accel up did not get ready:\n{log.read_text()}")


def tour(fleet: Path) -> None:
    """The sights."""
    say("What do we have, and what is free?")
    show()
    show("node", "list")
    say("The cards of one node, and one of them in full")
    show("device", "list", "--node", "h100-01")
    card = json.loads(accel("device", "list", "--node", "h100-01", "-f", "json"))[0]["uuid"]
    show("device", "show", card[:8])
    say("How its cards are connected")
    show("topology", "h100-01")
    place()
    say("A captured host: real sysfs, read by the real drivers")
    show("device", "list", "--node", "captured-host")
    request = claim()
    say("The card falls off its bus: vm-1 still has it, and nobody else will …")
    intact = fleet.read_text()
    fleet.write_text(intact + "  - {node: h100-01, card: 0, state: absent}\n")
    wait_for_event("device.lost", card)
    show("who", PLACE)
    say("… and comes back: it is the same device. Given back, it can be had again")
    fleet.write_text(intact)
    wait_for_event("device.returned", card)
    show("request", "delete", request)
    show("who", PLACE)
    say("All that has happened to it")
    show("event", "list", "--device", card[:8])


def place() -> None:
    """Take what fits best, ask why something does not fit, and what would be with another node."""
    say("Four that are all connected by NVLink, wherever they fit best: first only looked at, then taken for an hour")
    show("claim", *LINKED, "--count", "4", "--dry-run")
    show("claim", *LINKED, "--count", "4", "--consumer", "training", "--lease", "1h")
    say("What fits nowhere is refused with the reason, and explained")
    show_refused(NO_PLACEMENT, "claim", "--model", "L40S", "--count", "4", "--near", "linked")
    show_refused(NO_PLACEMENT, "explain", "--model", "L40S", "--count", "4", "--near", "linked")
    say("How many jobs of eight would fit without h100-01 and with a node that is not there yet?")
    Path("new.yaml").write_text(NEW_NODES)
    print(f"$ cat new.yaml\n{NEW_NODES}", end="", flush=True)
    more = ("--times", "4", "--drain", "h100-01", "--add-nodes", "new.yaml")
    show_refused(NO_PLACEMENT, "whatif", *LINKED, "--count", "8", *more)
    show("claim", "release", "training")


def claim() -> str:
    """Give a card to one who asks, and not to another; what to call the request that has it."""
    say("A profile says what workloads ask for; each request is one accelerator for one of them")
    show("profile", "create", "gpu", "--group", "resources:PGPU=1,trait:CUSTOM_GPU_NVIDIA=required")
    show("request", "create", "gpu")
    first = json.loads(accel("request", "list", "-f", "json"))[0]["uuid"][:8]
    show("request", "bind", first, "--device", PLACE, "--instance", "vm-1")
    say("Who has the card, and how does its hypervisor get it?")
    show("who", PLACE)
    show("attach-spec", first, "--format", "libvirt-xml")
    say("Another one cannot have it")
    second = accel("request", "create", "gpu", "-f", "value", "-c", "uuid")[:8]
    show_refused(CONFLICT, "request", "bind", second, "--device", PLACE, "--instance", "vm-2")
    return first


def main() -> int:
    """Run the tour in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="accel-demo-") as name:
        directory = Path(name)
        fleet = Path(shutil.copy(FLEET, directory))
        try:
            say("Starting API, conductor and agent in one process: this host, a captured host, a simulated fleet")
            with chdir(directory), everything_running(directory, fleet):
                tour(fleet)
        except TourFailure as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
    say("That was it. To look around by yourself: .venv/bin/accel up --fleet etc/accel/fleets/demo.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``make demo``: everything in one process, the main commands, claims, a card that vanishes and comes back.

It ends by itself.

Only public things are used: ``accel up`` is started as anybody would start it, and every line after a ``$`` is a
command that can be typed. All state is in a temporary directory that is removed at the end.
"""

import json
import shutil
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

from stage import PATIENCE_SECONDS, DemoFailure, accel, accel_up, say, show, show_refused

from accel.testing.host_tree import unpack

ROOT = Path(__file__).resolve().parent.parent
FLEET = ROOT / "etc" / "accel" / "fleets" / "demo.yaml"
CAPTURED_HOST = ROOT / "tests" / "data" / "hosts" / "qemu-2numa-boot" / "qemu-2numa-boot.tar.gz"
NO_PLACEMENT = 5
CONFLICT = 6
FAILED = 1
HOW_IT_WENT = ("-c", "kind", "-c", "state", "-c", "message", "-c", "fraction", "-c", "error_text")
PLACE = "h100-01/0000:13:00.0"
LINKED = ("--type", "GPU", "--model", "H100", "--near", "linked")
NEW_NODES = """nodes:
  - {name: h100-05, cards: [{model: H100-SXM5-80GB, count: 8}]}
"""


def wait_for_event(kind: str, device: str) -> None:
    """Return when the history of a device holds an event of the kind.

    :raises DemoFailure: it does not within a minute
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if json.loads(accel("event", "list", "--device", device, "--kind", kind, "-f", "json")):
            return
        time.sleep(0.2)
    raise DemoFailure(f"no event {kind} of {device} within {PATIENCE_SECONDS} s")


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
    operate()
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


def operate() -> None:
    """Have something done to a card, and follow it."""
    say("What its user has left is taken out before others get it: a job, which is verified before it counts as done")
    show("job", "wait", ordered("device", "scrub", PLACE, "--method", "zero"), "--for", "1m", *HOW_IT_WENT)
    say("Another way than its driver knows is refused, with those that it knows, and the card is as it was")
    job = ordered("device", "scrub", PLACE, "--method", "shred")
    show_refused(FAILED, "job", "wait", job, "--for", "1m")


def ordered(*words: str) -> str:
    """Order a job as a person would; what to call it."""
    said = accel(*words)
    print(f"$ accel {' '.join(words)}\n{said.rstrip()}", flush=True)
    return said.split()[1][:8]


def main() -> int:
    """Run the tour in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="accel-demo-") as name:
        directory = Path(name)
        fleet = Path(shutil.copy(FLEET, directory))
        try:
            say("Starting API, conductor and agent in one process: this host, a captured host, a simulated fleet")
            captured = unpack(CAPTURED_HOST, directory / "captured-host")
            with chdir(directory), accel_up(directory, "--fleet", fleet, "--host-tree", captured):
                tour(fleet)
        except DemoFailure as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
    say("That was it. To look around by yourself: .venv/bin/accel up --fleet etc/accel/fleets/demo.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What schemathesis has to know of our API: which faults clients insist on, and what is in the fleet it is given.

It imports this module by the name in its environment.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import schemathesis
import yaml
from hypothesis import strategies
from schemathesis.openapi.checks import EnsureResourceAvailability, UseAfterFree
from support.populated import uuid
from support.registered import IMAGE, KEY, WAITING_IMAGE
from support.worked_on import DEVICES, JOBS, NODE, PARTS

from accel.api.microversion import Version, requested
from accel.api.schemas.orders import KINDS

ALLOWED = yaml.safe_load((Path(__file__).parents[1] / "data/fuzz/allowed-faults.yaml").read_text())
LONGEST_URL = 100_000
"""Web servers refuse much longer ones in a form of their own, before the API sees them."""
KNOWN = {
    "accelerator_requests": [uuid(8, 1)],
    "attach_handles": [uuid(4, number) for number in range(2, 7)],
    "attributes": [uuid(3, number) for number in (1, 2, 3)],
    "deployables": [*(uuid(2, number) for number in range(1, 6)), uuid(2, 23)],
    "device_profiles": [uuid(7, 1), uuid(7, 2), "gold", "secret"],
    "devices": [*(uuid(1, number) for number in range(1, 6)), *DEVICES],
    "health": [uuid(1, 1), *DEVICES],
    "image_keys": [KEY],
    "images": [IMAGE, WAITING_IMAGE],
    "jobs": JOBS,
    "nodes": ["alpha", "beta", NODE],
    "quotas": ["red", "blue"],
}
"""What stands in paths, by collection, for things that there are."""
BINDING = {
    "hostname": strategies.sampled_from(["alpha", "beta"]),
    "device_rp_uuid": strategies.sampled_from([uuid(9, 5), uuid(9, 4)]),
    "instance_uuid": strategies.uuids().map(str),
}
CHANGES = strategies.fixed_dictionaries(BINDING).map(
    lambda values: [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]
) | strategies.just([{"path": "/hostname", "op": "remove"}])
"""What may become of a request: it is bound, perhaps to something that there is, or unbound."""
DEVICE = strategies.sampled_from(KNOWN["devices"])
LAYOUT = strategies.dictionaries(strategies.sampled_from(PARTS), strategies.integers(1, 9), min_size=1)
CUT = strategies.fixed_dictionaries({"device_uuid": DEVICE, "layout": LAYOUT})
GROUP = strategies.fixed_dictionaries({"resources": strategies.sampled_from([{"FPGA": 1}, {"FPGA": 2}, {"PGPU": 1}])})
QUESTION = strategies.fixed_dictionaries({"groups": strategies.lists(GROUP, min_size=1, max_size=2)})
ORDER = strategies.fixed_dictionaries(
    {"kind": strategies.sampled_from([str(kind) for kind in KINDS]), "device_uuid": DEVICE},
    optional={
        "deployable_uuid": strategies.sampled_from(KNOWN["deployables"]),
        "method": strategies.sampled_from(["sanitize_crypto", "format"]),
        "count": strategies.integers(0, 9),
    },
)
SENSIBLE = {
    "PATCH /v2/accelerator_requests": strategies.dictionaries(strategies.just(uuid(8, 1)), CHANGES, min_size=1),
    "POST /v2/jobs": ORDER,
    "POST /v2/partition/apply": strategies.fixed_dictionaries({"changes": strategies.lists(CUT, min_size=1)}),
    "POST /v2/partition/plan": CUT | strategies.fixed_dictionaries({"demand": LAYOUT}),
    "POST /v2/placements": QUESTION,
    "PUT /v2/images": strategies.just(b"hello"),
}
"""Bodies about things that there are, by what the method and the path begin with."""


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext, failure: object, case: schemathesis.Case, response: schemathesis.Response
) -> bool:
    """Let pass what clients insist on, and what is so by its nature."""
    if isinstance(failure, UseAfterFree) and case.operation.path.startswith("/v2/jobs/"):
        return False  # a job that was called off is told of for as long as one that was done
    if isinstance(failure, (EnsureResourceAvailability, UseAfterFree)):
        # In this path a uuid means nothing: the body names what is to be bound.
        return (case.operation.method.upper(), case.operation.path) != ("PATCH", "/v2/accelerator_requests/{uuid}")
    return not any(_is(fault, case, response) for fault in ALLOWED)


def _is(fault: Mapping[str, Any], case: schemathesis.Case, response: schemathesis.Response) -> bool:
    wanted = (fault["method"], fault["path"], fault["status"])
    if wanted != (case.operation.method.upper(), case.operation.path, response.status_code):
        return False
    used = requested(response.headers["openstack-api-version"][0])
    text = json.loads(response.json()["error_message"])["faultstring"]
    return used < Version(*map(int, fault["before"].split("."))) and bool(re.search(fault["says"], text, re.DOTALL))


@schemathesis.hook
def filter_query(_context: schemathesis.HookContext, query: Mapping[str, Any] | None) -> bool:
    """Leave out what no web server hands on."""
    return len(json.dumps(query, default=str)) < LONGEST_URL


@schemathesis.hook
def before_generate_path_parameters(
    context: schemathesis.HookContext, strategy: strategies.SearchStrategy[Any]
) -> strategies.SearchStrategy[Any]:
    """Name things that there are, every other time."""
    path = context.operation.path
    names = re.findall(r"\{(\w+)\}", path)
    known = [value for collection, values in KNOWN.items() if f"/{collection}/{{" in path for value in values]
    if not known:
        return strategy
    return strategy | strategies.sampled_from(known).map(lambda value: dict.fromkeys(names, value))


@schemathesis.hook
def before_generate_body(
    context: schemathesis.HookContext, strategy: strategies.SearchStrategy[Any]
) -> strategies.SearchStrategy[Any]:
    """Speak of things that there are, every other time."""
    called = f"{context.operation.method.upper()} {context.operation.path}"
    sensible = [bodies for begin, bodies in SENSIBLE.items() if called.startswith(begin)]
    return strategy | sensible[0] if sensible else strategy

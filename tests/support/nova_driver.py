"""Calls Nova's own client of accelerators: one JSON line in, one out.

It runs in an environment with Nova, with Nova's configuration file as its argument, and knows nothing of ours. A line
in is ``{"call": <method of the client>, "arguments": […], "context": {…}}``, where the context is what Nova's API
would have made of a user's token; a line out is ``{"result": …}``, or ``{"error": <class>, "text": …}``.
"""

import json
import sys
from typing import Any

from nova import config, context, exception, objects
from nova.accelerator import cyborg


def main() -> None:
    """Answer until the input ends."""
    config.parse_args(["nova", "--config-file", sys.argv[1]], init_rpc=False)
    objects.register_all()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line)), default=_plain), flush=True)  # noqa: T201 - this is what it is for


def _answer(wanted: dict[str, Any]) -> dict[str, Any]:
    client = cyborg.get_client(context.RequestContext(**wanted["context"]))
    try:
        return {"result": getattr(client, wanted["call"])(*wanted["arguments"])}
    except exception.NovaException as error:
        return {"error": type(error).__name__, "text": str(error)}


def _plain(value: Any) -> Any:
    """What JSON has no form for: Nova's objects."""
    return value.obj_to_primitive()


if __name__ == "__main__":
    main()

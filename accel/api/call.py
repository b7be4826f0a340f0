"""A request as a handler sees it: everything read and checked, nothing of HTTP left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

from oslo_context.context import RequestContext

from accel.api.claiming import Claiming
from accel.api.environment import Stream
from accel.api.imaging import Imaging
from accel.api.microversion import SAYS_MORE, Version
from accel.api.patience import Patience
from accel.api.placing import Placing
from accel.db.engine import Database
from accel.db.events import Origin
from accel.db.paging import ListQuery
from accel.db.scope import Scope
from accel.placement.pod import Meanings

_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir"})


class Reply(NamedTuple):
    """What a handler returns where the status is not always the same; elsewhere it returns the body."""

    body: Any
    status: HTTPStatus


class Bytes(NamedTuple):
    """What a handler returns where the answer is bytes: they are sent as they come."""

    parts: Iterable[bytes]
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the API."""

    database: Database
    claiming: Claiming
    placing: Placing
    imaging: Imaging
    patience: Patience
    pod_resources: Meanings
    """What the resources are that pods of Kubernetes ask for."""
    version: Version
    base_url: str
    """Where the API is mounted, without a slash at the end: links begin with it."""
    path: str
    """The path of the request below the mount point, in its full form: ``/v2/devices``."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """What stands in the path for the names in the route's template."""
    query: Sequence[tuple[str, Any]] = ()
    query_text: Sequence[tuple[str, str]] = ()
    """The query as it came, for links."""
    body: Any = None
    content: Stream | None = None
    """The body of a route that takes bytes."""
    context: RequestContext
    """Who is asking, for which project, with which roles."""
    origin: Origin
    scope: Scope
    """Whose things the caller may see."""

    @property
    def says_more(self) -> bool:
        """Whether answers have the members that 2.4 added."""
        return self.version >= SAYS_MORE

    @property
    def list_query(self) -> ListQuery:
        """The query of a list, for the database."""
        paging = {name: value for name, value in self.query if name in _PAGING}
        return ListQuery(
            filters=[(name, value) for name, value in self.query if name not in _PAGING],
            limit=paging.get("limit"),
            marker=paging.get("marker"),
            sort_key=paging.get("sort_key"),
            descending=paging.get("sort_dir") == "desc",
        )

    def link(self, path: str, *, rel: str = "self") -> dict[str, str]:
        """A link to something below the mount point."""
        return {"href": f"{self.base_url}{path}", "rel": rel}

    def next_page(self, marker: str) -> dict[str, str]:
        """The link to the page after this one."""
        parameters = [(name, text) for name, text in self.query_text if name != "marker"]
        return self.link(f"{self.path}?{urlencode([*parameters, ('marker', marker)])}", rel="next")

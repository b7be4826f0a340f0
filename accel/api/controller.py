"""The one controller: from a request to the call of a handler, and from what it returns to an answer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
import pecan
import webob
from pecan.core import ExplicitPecan, RoutingState

from accel.api import environment, identity, microversion, old_filters, validation
from accel.api.call import Bytes, Call, Reply
from accel.api.environment import Input, Stream
from accel.api.refusals import MethodNotAllowed, NoSuchRoute, NotAcceptable, UnsupportedMediaType
from accel.api.route import Route
from accel.api.routing import Place, Router
from accel.api.services import Services
from accel.db.events import Origin
from accel.policies.enforcer import Policy

_JSON = "application/json"
_BYTES = "application/octet-stream"
_ANYTHING = "*/*"


class RootController:
    """Pecan's root. It looks the request up in the table of routes, asks the policy and answers it.

    :param public_endpoint: what links begin with; None: with what the request was sent to
    :param clock: what time it is, in UTC
    """

    def __init__(
        self,
        router: Router,
        services: Services,
        *,
        policy: Policy,
        public_endpoint: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._router = router
        self._services = services
        self._policy = policy
        self._public_endpoint = public_endpoint
        self._clock = clock

    def find(self, request: webob.Request) -> tuple[Route, Place]:
        """What is asked for.

        :raises NoSuchRoute: nothing is at this path
        :raises NotAcceptable: the client wants something else than JSON
        """
        place = self._router.find(request.path_info)
        request.environ[environment.ROUTE] = place.template
        route = place.route(request.environ["REQUEST_METHOD"])
        accepted = request.environ.get("HTTP_ACCEPT", _ANYTHING)
        offered = _BYTES if route.gives_bytes else _JSON
        if accepted not in {offered, _ANYTHING} and not request.accept.acceptable_offers([offered]):
            raise NotAcceptable(f"The answer is {offered}; the request does not accept that")
        return route, place

    def answer(self, request: webob.Request, route: Route, place: Place) -> pecan.Response:
        """The answer of the route that was found."""
        headers = _agree_on_version(route, place, request.environ) if route.has_version else []
        identity.require(self._policy, route.policy, environment.context(request.environ))
        result = route.handler(self._call(route, place, request))
        if isinstance(result, Bytes):
            headers += [("Content-Type", _BYTES)]
            response = pecan.Response(status=route.success, app_iter=result.parts, headerlist=headers)
            response.content_length = result.size_bytes
            return response
        if route.answer is None:
            return pecan.Response(status=route.success, content_type=None, headerlist=headers)
        headers += [("Content-Type", _JSON)]
        reply = result if isinstance(result, Reply) else Reply(result, route.success)
        return pecan.Response(status=reply.status, body=_render(reply.body), headerlist=headers)

    def _call(self, route: Route, place: Place, request: webob.Request) -> Call:
        given: Input = request.environ[environment.INPUT]
        context = environment.context(request.environ)
        pairs = given.query if route.old_filters is None else old_filters.translate(given.query, route.old_filters)
        return Call(
            database=self._services.database,
            claiming=self._services.claiming,
            placing=self._services.placing,
            imaging=self._services.imaging,
            patience=self._services.patience,
            pod_resources=self._services.pod_resources,
            version=environment.version(request.environ) or microversion.OLDEST,
            base_url=(self._public_endpoint or request.application_url).rstrip("/"),
            path=place.path,
            arguments=place.arguments,
            query=validation.read_query(pairs, route.query),
            query_text=pairs,
            body=_body(route, given),
            content=_content(route, given),
            context=context,
            origin=Origin(
                at=self._clock(), request_id=environment.request_id(request.environ), user_id=context.user_id
            ),
            scope=identity.scope_of(context),
        )


class Application(ExplicitPecan):  # type: ignore[misc]  # Pecan has no types
    """Pecan with one controller, which has a table of routes of its own and gives whole answers.

    Pecan would choose the type of the answer, read the query into arguments and look at the signatures of its methods
    and at the answer with every request, a notable part of the time of a short one.
    """

    def __init__(self, root: RootController) -> None:
        super().__init__(root, request_cls=webob.Request)  # that of Pecan looks twice at whatever is asked of it

    def find_controller(
        self, state: RoutingState
    ) -> tuple[Callable[..., pecan.Response], tuple[object, ...], dict[str, object]]:
        """What answers a request, and with what."""
        return self.root.answer, (state.request, *self.root.find(state.request)), {}

    def invoke_controller(
        self,
        controller: Callable[..., pecan.Response],
        arguments: Sequence[object],
        _named: object,
        state: RoutingState,
    ) -> None:
        """Have it answered."""
        state.response = controller(*arguments)

    def _handle_empty_response_body(self, state: RoutingState) -> None:
        """Leave the answer as it is: Pecan would look into it for whether it is empty."""


def _render(result: Any) -> bytes:
    """JSON. A time without a zone is UTC: the rows of long lists leave it out."""
    return orjson.dumps(result, option=orjson.OPT_NAIVE_UTC)


def _agree_on_version(route: Route, place: Place, environ: dict[str, Any]) -> list[tuple[str, str]]:
    """Settle the version of the request; the headers that say so.

    :raises MethodNotAllowed: the route is newer than that, and others at its path are not
    :raises NoSuchRoute: all that is at the path is newer than that
    """
    version = microversion.requested(environ.get("HTTP_OPENSTACK_API_VERSION", ""))
    known = [other.method for other in place.routes.values() if other.since <= version]
    if known and route.method not in known:
        raise MethodNotAllowed(route.method, known)
    environ[environment.VERSION] = version
    if version < route.since:
        raise NoSuchRoute(f"Nothing is at {place.path} in version {version}; it came with {route.since}")
    return microversion.headers(version)


def _body(route: Route, given: Input) -> Any:
    return None if route.body is None else validation.read_body(given.body, given.media_type, route.body)


def _content(route: Route, given: Input) -> Stream | None:
    """The body of a route that takes bytes.

    :raises UnsupportedMediaType: it is something else by its sender's word
    """
    if not route.takes_bytes:
        return None
    if given.media_type.partition(";")[0].strip().lower() != _BYTES:
        raise UnsupportedMediaType(f"The body needs the header Content-Type: {_BYTES}")
    return given.stream

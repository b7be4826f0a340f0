"""From a path to the routes that answer at it.

A path may lack the ``/v2`` in front, may end with a slash and with ``.json``: clients of every age are met with.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accel.api.refusals import MethodNotAllowed, NoSuchRoute
from accel.api.route import Route

_VERSION = "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path that something is at."""

    template: str
    path: str
    """The path in its full form."""
    arguments: Mapping[str, str]
    routes: Mapping[str, Route]
    """By method."""

    def route(self, method: str) -> Route:
        """The route of a method.

        :raises MethodNotAllowed: there is none
        """
        if method not in self.routes:
            raise MethodNotAllowed(method, self.routes)
        return self.routes[method]


class Router:
    """Finds routes; made once from the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._templates: dict[tuple[str, ...], dict[str, Route]] = {}
        self._methods_with_bytes: set[str] = set()
        for route in routes:
            if route.takes_bytes:
                self._methods_with_bytes.add(route.method)
            self._templates.setdefault(tuple(_segments(route.path)), {})[route.method] = route

    def find(self, path: str) -> Place:
        """What is at a path.

        :raises NoSuchRoute: nothing
        """
        asked = _segments(path)
        for segments in (asked, [_VERSION, *asked]):
            for template in self._candidates(tuple(segments)):
                arguments = _match(template, segments)
                if arguments is not None:
                    return Place(
                        template="/" + "/".join(template),
                        path="/" + "/".join(segments),
                        arguments=arguments,
                        routes=self._templates[template],
                    )
        raise NoSuchRoute(f"Nothing is at {path[:100]}")

    def _candidates(self, segments: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """The templates that a path may be of: itself where it is one."""
        return (segments,) if segments in self._templates else self._templates

    def takes_bytes(self, method: str, path: str) -> bool:
        """Whether the route of a request takes bytes."""
        if method not in self._methods_with_bytes:
            return False
        try:
            return self.find(path).route(method).takes_bytes
        except (NoSuchRoute, MethodNotAllowed):
            return False

    def is_open(self, path: str) -> bool:
        """Whether what is at a path is for everybody who can reach the service."""
        try:
            return all(route.policy is None for route in self.find(path).routes.values())
        except NoSuchRoute:
            return False


def _segments(path: str) -> list[str]:
    return [segment for segment in path.rstrip("/").removesuffix(".json").split("/") if segment]


def _match(template: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    arguments = {}
    for wanted, given in zip(template, segments, strict=True):
        if wanted.startswith("{"):
            arguments[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return arguments

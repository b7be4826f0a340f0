"""Who the command line says it is: a user with a password, a user of an OpenStack cloud, or nobody.

openstacksdk knows where clouds are described and how to sign in to each. It takes half a second to import: it is
imported when somebody of a cloud first asks for something, not with ``accel --help``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from accel.cli.errors import CommandFailed, NoServer, NotAuthorised, WrongUse

if TYPE_CHECKING:
    import requests
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion

USER_VARIABLE = "ACCEL_USER"
PASSWORD_VARIABLE = "ACCEL_PASSWORD"  # noqa: S105 - where the password is, not what it is
CLOUD_VARIABLE = "OS_CLOUD"
HINT = f"Say who you are: --os-cloud NAME, OpenStack's OS_* variables, or {USER_VARIABLE} and {PASSWORD_VARIABLE}"
SERVICE_TOKEN_VARIABLE = "OS_SERVICE_TOKEN"  # noqa: S105 - where the token is, not what it is
SERVICE_HINT = (
    f"With Keystone, a token of a user who has the role service goes into {SERVICE_TOKEN_VARIABLE}; where users are "
    "kept in files, sign in as one who has that role"
)
_OPENSTACK_VARIABLES = (CLOUD_VARIABLE, "OS_AUTH_URL", "OS_AUTH_TYPE")


class Credentials(Protocol):
    """What makes a request somebody's."""

    def endpoint(self) -> str | None:
        """Where the server is, if the credentials know."""

    def sign(self, session: "requests.Session") -> None:
        """Let every request of a session carry them."""


class Nobody:
    """No credentials: for a server that asks for none."""

    def endpoint(self) -> None:
        """Nothing is known."""

    def sign(self, session: "requests.Session") -> None:
        """Leave the session as it is."""


class Password:
    """A user with a password, for a server that keeps its users in files."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def endpoint(self) -> None:
        """Nothing is known."""

    def sign(self, session: "requests.Session") -> None:
        """Send both with every request, in UTF-8."""
        from requests.auth import HTTPBasicAuth  # noqa: PLC0415 - imported with the first request, as requests is

        session.auth = HTTPBasicAuth(self._user.encode(), self._password.encode())


class Cloud:
    """A user of an OpenStack cloud, for a server that asks Keystone.

    :param name: of the cloud in clouds.yaml; None for the one that the environment describes
    :param service_token: of a service on whose behalf the user asks; None for no service's
    """

    def __init__(self, name: str | None, service_token: str | None = None) -> None:
        self._name = name
        self._service_token = service_token

    def endpoint(self) -> str | None:
        """What the catalog of the cloud says.

        :raises CommandFailed: signing in fails, or the catalog does not know the service
        """
        with _explained():
            found = self._region.get_session_endpoint("accelerator")
        if not found:
            raise CommandFailed("the catalog of the cloud has no service of type accelerator: say --endpoint URL")
        return found

    def sign(self, session: "requests.Session") -> None:
        """Send a token with every request, a new one when it is about to expire."""

        def add_token(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
            with _explained():
                request.headers.update(self._signed_in.get_auth_headers() or {})
            return request

        session.auth = add_token
        if self._service_token:
            session.headers["X-Service-Token"] = self._service_token
        with _explained():
            session.verify, session.cert = self._region.get_requests_verify_args()

    @cached_property
    def _region(self) -> "CloudRegion":
        with _explained():
            from openstack.config import OpenStackConfig  # noqa: PLC0415 - see the module's docstring

            return OpenStackConfig(app_name="accel").get_one(self._name)

    @cached_property
    def _signed_in(self) -> "Session":
        return self._region.get_session()


def find(cloud: str | None, environ: Mapping[str, str]) -> Credentials:
    """The credentials that somebody wants to use: a cloud by name comes first, then the variables of accel.

    :param cloud: of ``--os-cloud``
    :raises WrongUse: there is half of what is needed
    """
    user = environ.get(USER_VARIABLE)
    if user and not cloud:
        if PASSWORD_VARIABLE not in environ:
            raise WrongUse(f"{USER_VARIABLE} is set and {PASSWORD_VARIABLE} is not")
        return Password(user, environ[PASSWORD_VARIABLE])
    if cloud or any(environ.get(name) for name in _OPENSTACK_VARIABLES):
        return Cloud(cloud, environ.get(SERVICE_TOKEN_VARIABLE))
    return Nobody()


@contextmanager
def _explained() -> Iterator[None]:
    """Foreign failures become ours."""
    try:
        from keystoneauth1 import exceptions as keystone  # noqa: PLC0415 - see the module's docstring
        from openstack import exceptions as openstack  # noqa: PLC0415 - see the module's docstring
    except ImportError as error:
        raise CommandFailed("signing in to OpenStack needs more: pip install 'accel[openstack]'") from error
    try:
        yield
    except (keystone.Unauthorized, keystone.Forbidden) as error:
        raise NotAuthorised(f"Keystone does not let you in: {error}") from error
    except keystone.ConnectFailure as error:
        raise NoServer(f"Keystone does not answer: {error}") from error
    except openstack.ConfigException as error:
        raise WrongUse(f"--os-cloud, OS_*: {error}") from error
    except keystone.ClientException as error:
        raise CommandFailed(f"signing in to OpenStack failed: {error}") from error

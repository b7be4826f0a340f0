"""Where images may be fetched from by URL: what is right in a URL, and which hosts are allowed."""

import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from accel.errors import ConfigurationError, InvalidValue
from accel.model.profile import shortened

_PORTS = {"http": 80, "https": 443}
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
LONGEST_URL = 2048

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Origin:
    """Who is asked."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_origin(url: str, hosts: Collection[str], *, field: str = "source_ref") -> Origin:
    """Whom a URL asks, if images may be fetched from there.

    :param hosts: those that are allowed, each with its port where that is not the scheme's
    :raises InvalidValue: the URL is none, or one of another host
    """
    expected = "a URL such as https://images.example.org/blur.gbs, without a user, a password or a fragment"
    if len(url) > LONGEST_URL or not _PRINTABLE.fullmatch(url):
        raise InvalidValue(field, shortened(url), expected)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidValue(field, shortened(url), expected) from error
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "#" in url or "\\" in url:
        raise InvalidValue(field, _without_user(url), expected)
    origin = Origin(parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme])
    if str(origin) not in {host.lower() for host in hosts}:
        allowed = ", ".join(sorted(hosts)) or "none"
        raise InvalidValue(field, shortened(url), f"at a host of [images] url_hosts, where images are from: {allowed}")
    return origin


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks that are not public and may be fetched from all the same.

    :raises ConfigurationError: one of them is none
    """
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(f"[images] url_networks: {error}; write 10.1.0.0/16,fd00:1::/32") from error


def may_be_asked(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is public, or in one of the networks that may be asked all the same."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    is_public = found.is_global and not found.is_multicast
    return is_public or any(found.version == network.version and found in network for network in networks)


def _without_user(url: str) -> str:
    return str(shortened(re.sub(r"//[^/]*@", "//…@", url)))

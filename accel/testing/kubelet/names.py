"""Which names of resources and versions a kubelet takes, with its own words for those that it does not."""

import re

VERSION = "v1beta1"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?", re.ASCII)
_QUOTA_PREFIX = "requests."


def refusal(version: str, name: str) -> str:
    """Why a kubelet refuses a registration; empty where it does not."""
    if version != VERSION:
        return f'requested API version "{version}" is not supported by kubelet. Supported version is ["{VERSION}"]'
    if not is_extended_resource(name):
        return f'the ResourceName "{name}" is invalid'
    return ""


def is_extended_resource(name: str) -> bool:
    """Whether a name is that of an extended resource."""
    prefix, slash, last = name.partition("/")
    if not slash or "kubernetes.io/" in name or name.startswith(_QUOTA_PREFIX):
        return False
    is_subdomain = _SUBDOMAIN.fullmatch(prefix) and len(_QUOTA_PREFIX + prefix) <= 253
    return bool(is_subdomain and _NAME.fullmatch(last) and len(last) <= 63)

"""Users in files, for an API that knows its users by name and password."""

from collections.abc import Iterable
from pathlib import Path

import bcrypt

ROLES = {
    "ada": "research:admin",
    "max": "research:manager",
    "mia": "teaching:member",
    "rita": "research:reader",
    "nova": "service:service",
}
"""By name; each one's password is the name twice."""


def write_users(directory: Path, roles: dict[str, str] = ROLES, *, more: Iterable[str] = ()) -> Path:
    """Both files, and the configuration file that names them.

    :param more: further lines of the configuration
    """
    users = directory / "htpasswd"
    users.write_text("# written by htpasswd -B\n\n" + "".join(f"{name}:{hashed(name * 2)}\n" for name in roles))
    (directory / "roles").write_text("".join(f"{name}:{text}\n" for name, text in roles.items()))
    config = directory / "accel.conf"
    lines = ["[http_basic]", f"user_file = {users}", f"role_file = {directory / 'roles'}"]
    config.write_text("\n".join([*lines, "[api]", "auth_strategy = http_basic", *more, ""]))
    return config


def hashed(password: str) -> str:
    """The hash of a password, in the form that Apache's htpasswd writes."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")

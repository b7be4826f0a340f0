"""Users, their passwords and roles in two files: who may do what, without Keystone.

Passwords are kept as bcrypt's hashes, which take a tenth of a second to compare. A password that was right is
remembered until the files change or the process ends, as a digest under a key that nobody else has, and compared so
from then on.
"""

import hmac
import logging
import math
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from accel.errors import ConfigurationError

_LOG = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1
_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
_LONGEST_NAME = 64
_IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}
"""As in a Keystone that was set up by ``keystone-manage bootstrap``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user."""

    name: str
    password_hash: bytes
    project: str
    roles: tuple[str, ...]
    """With the ones that are implied."""


class Accounts:
    """Users by their names."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._proven: dict[str, bytes] = {}
        self._key = secrets.token_bytes(32)

    def authenticate(self, name: str, password: bytes) -> Account | None:
        """The user of that name and password; None when there is none, after the same time."""
        known = self._accounts.get(name)
        compared = known or next(iter(self._accounts.values()))
        digest = hmac.digest(self._key, password, "sha256")
        if hmac.compare_digest(self._proven.get(name, b""), digest):
            return known
        if not _is_right(password, compared.password_hash) or known is None:
            return None
        self._proven[name] = digest
        return known


class AccountFiles:
    """Users as both files have them: a change is seen within a second.

    With a mistake in a file, as there is one while somebody edits the two, users stay as they were.

    :param clock: seconds since whenever
    """

    def __init__(self, user_file: Path, role_file: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._user_file = user_file
        self._role_file = role_file
        self._clock = clock
        self._accounts = Accounts({})
        self._seen: object = None
        self._looks_again_at = -math.inf

    def read(self) -> None:
        """Read both files.

        :raises ConfigurationError: as ``read_accounts``
        """
        self._looks_again_at = self._clock() + _SECONDS_BETWEEN_LOOKS
        self._seen = self._look()  # before they are read: what changes meanwhile is read again
        self._accounts = read_accounts(self._user_file, self._role_file)

    def authenticate(self, name: str, password: bytes) -> Account | None:
        """See ``Accounts.authenticate``."""
        if self._clock() >= self._looks_again_at:
            self._read_if_changed()
        return self._accounts.authenticate(name, password)

    def _read_if_changed(self) -> None:
        if self._look() == self._seen:
            self._looks_again_at = self._clock() + _SECONDS_BETWEEN_LOOKS
            return
        try:
            self.read()
        except ConfigurationError as error:
            _LOG.error("users stay as they were: %s", error)
        else:
            _LOG.info("users are those that %s and %s have now", self._user_file, self._role_file)

    def _look(self) -> object:
        """What is another after a change of a file."""
        return [_stamp(path) for path in (self._user_file, self._role_file)]


def read_accounts(user_file: Path, role_file: Path) -> Accounts:
    """Read both files.

    :raises ConfigurationError: one is missing or has a mistake; the text names file and line
    """
    hashes = {name: (place, _checked_hash(place, text)) for place, name, text in _lines(user_file, "user_file")}
    if not hashes:
        raise ConfigurationError(f"[http_basic] user_file = {user_file}: has no user; add one with htpasswd -B")
    accounts = {}
    for place, name, text in _lines(role_file, "role_file"):
        if name not in hashes:
            raise ConfigurationError(f"{place}: user {name} has no password in {user_file}")
        project, roles = _checked_roles(place, text)
        accounts[name] = Account(name=name, password_hash=hashes[name][1], project=project, roles=roles)
    for name, (place, _) in hashes.items():
        if name not in accounts:
            raise ConfigurationError(f"{place}: user {name} has no line in {role_file}")
    return Accounts(accounts)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _lines(path: Path, option: str) -> Iterator[tuple[str, str, str]]:
    """Place, name and the rest of each line that says something."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigurationError(f"[http_basic] {option} = {path}: {why}") from error
    seen = set()
    for number, line in enumerate(lines, 1):
        place = f"{path}:{number}"
        name, _, text = line.strip().partition(":")
        if not name or name.startswith("#"):
            continue
        if len(name) > _LONGEST_NAME:
            raise ConfigurationError(f"{place}: a name has at most {_LONGEST_NAME} characters")
        if name in seen:
            raise ConfigurationError(f"{place}: user {name} has a line above")
        seen.add(name)
        yield place, name, text


def _checked_hash(place: str, text: str) -> bytes:
    if not _HASH.fullmatch(text):
        raise ConfigurationError(f"{place}: no hash of bcrypt follows the name; write the line with htpasswd -B")
    return text.encode()


def _checked_roles(place: str, text: str) -> tuple[str, tuple[str, ...]]:
    project, _, given = (part.strip() for part in text.partition(":"))
    roles = [role.strip() for role in given.split(",")]
    if not project or not all(roles):
        raise ConfigurationError(f"{place}: write name:project:role,role, such as alice:research:manager")
    return project, tuple(sorted({implied for role in roles for implied in _with_implied(role)}))


def _with_implied(role: str) -> Iterator[str]:
    yield role
    while role in _IMPLIED:
        role = _IMPLIED[role]
        yield role


def _is_right(password: bytes, password_hash: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, password_hash)
    except ValueError:  # longer than the 72 bytes that bcrypt looks at
        return False

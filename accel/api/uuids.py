"""UUIDs in paths and bodies."""

from uuid import UUID

from accel.errors import InvalidValue


def checked_uuid(field: str, text: str) -> str:
    """The UUID in its usual form, from any form that OpenStack's clients send.

    :raises InvalidValue: the text is no UUID
    """
    try:
        return str(UUID(text))
    except ValueError as error:
        raise InvalidValue(field, text, "a uuid") from error

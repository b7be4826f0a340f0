"""The errors that accel names: whoever is told a code by another process finds the error by it."""

from accel import errors
from accel.errors import acts, base

NAMED = [
    one
    for module in (acts, base)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, errors.AccelError) and one.__module__ == module.__name__
]


def test_each_error_is_to_be_had_of_the_package() -> None:
    assert {one.__name__ for one in NAMED} - set(errors.__all__) == set()


def test_each_error_has_a_code_of_its_own() -> None:
    assert sorted(errors.BY_CODE) == sorted(one.code for one in NAMED)

"""The errors that accel names: whoever is told a code by another process finds the error by it."""

import importlib
import pkgutil

from accel import errors

NAMED = [
    one
    for module in pkgutil.iter_modules(errors.__path__, f"{errors.__name__}.")
    for one in vars(importlib.import_module(module.name)).values()
    if isinstance(one, type) and issubclass(one, errors.AccelError) and one.__module__ == module.name
]


def test_each_error_is_to_be_had_of_the_package() -> None:
    assert {one.__name__ for one in NAMED} - set(errors.__all__) == set()


def test_each_error_has_a_code_of_its_own() -> None:
    assert sorted(errors.BY_CODE) == sorted(one.code for one in NAMED)

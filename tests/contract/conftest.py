"""Fixtures that the tests of one vendor's driver share."""

from pathlib import Path

import pytest
from support.nvml import Nvml, build_library


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the stand-in for NVIDIA's library."""
    return build_library(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def host_nvml(nvml_library: Path, tmp_path: Path) -> Nvml:
    return Nvml(library=nvml_library, directory=tmp_path)

"""A mistake in a file of options is told when the file is read, with the option's name and what would be right."""

from pathlib import Path

import pytest
from oslo_config import cfg

from accel import conf as configuration
from accel.drivers.intel_fpga import IntelFpgaDriver
from accel.drivers.registry import option_values
from accel.errors import ConfigurationError
from accel.rpc.messaging import transport_of


def load(directory: Path, text: str) -> cfg.ConfigOpts:
    (directory / "accel.conf").write_text(text)
    return configuration.load(["--config-file", str(directory / "accel.conf")], prog="test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[api]\nport = abc", "[api] port: 'abc' is not a whole number; it is set in {file}"),
        ("[api]\nport = 65536", "[api] port: should be less than or equal to 65535; it is set in {file}"),
        ("[database]\npool_size = 1e400", "[database] pool_size: '1e400' is not a whole number; it is set in {file}"),
        (
            "[guest]\nvirtual_functions = x",
            "[guest] virtual_functions: unexpected boolean value 'x'; it is set in {file}",
        ),
        (
            "[api]\nauth_strategy = x",
            "[api] auth_strategy: valid values are [keystone, http_basic, none], but found 'x'; it is set in {file}",
        ),
        (
            "[api]\npublic_endpoint = x",
            "[api] public_endpoint: this is no URL: host, scheme were required but missing; it is set in {file}",
        ),
        (
            "[DEFAULT]\nmax_logfile_count = x",
            "[DEFAULT] max_logfile_count: 'x' is not a whole number; it is set in {file}",
        ),
        ("[api]\nprot = 1", "[api] prot: there is no such option; port may be meant; see {file}"),
        ("[agent]\nnothing_like_it = 1", "[agent] nothing_like_it: there is no such option; see {file}"),
    ],
)
def test_a_mistake_is_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text)

    assert str(refused.value) == told.format(file=tmp_path / "accel.conf")


def test_a_mistake_in_a_directory_of_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("[api]\nprot = 1")

    with pytest.raises(ConfigurationError, match=f"port may be meant; see {tmp_path}/b.conf$"):
        configuration.load(["--config-dir", str(tmp_path)], prog="test", default_config_files=[])


def test_options_of_others_are_theirs(tmp_path: Path) -> None:
    conf = load(
        tmp_path, "[some_driver]\nspeed = 1\n[DEFAULT]\ntransport_url = x\n[nova]\nauth_type = v3oidc\nidp = 1\n"
    )

    assert conf.nova.auth_type == "v3oidc"


def test_a_mistake_in_what_is_said_to_a_driver_is_told(tmp_path: Path) -> None:
    conf = load(tmp_path, "[intel_fpga]\nprogram_timeout = long")

    with pytest.raises(ConfigurationError) as refused:
        option_values(conf, "intel_fpga", IntelFpgaDriver.options)

    assert (
        str(refused.value)
        == f"[intel_fpga] program_timeout: 'long' is not a number; it is set in {tmp_path}/accel.conf"
    )


def test_a_mistake_in_what_is_said_of_the_broker_is_told(tmp_path: Path) -> None:
    conf = load(tmp_path, "[oslo_messaging_rabbit]\nheartbeat_rate = x")

    with pytest.raises(
        ConfigurationError, match=r"^\[oslo_messaging_rabbit\] heartbeat_rate: 'x' is not a whole number"
    ):
        transport_of(conf)

"""Nova's own client module, ``nova.accelerator.cyborg``, works with the API, with the tokens of a real Keystone."""

from collections.abc import Iterator

import pytest
from support.cloud import Cloud, running_cloud
from support.nova_client import NovaClient, NovaError, context_of, running_nova

# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def nova(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NovaClient]:
    directory = tmp_path_factory.mktemp("nova")
    with running_nova(directory, cloud.keystone, user="service1", project="own") as process:
        yield NovaClient(process, context_of(cloud.token_of("member1"), cloud.keystone))


def test_groups_of_a_profile_become_groups_of_a_request_to_placement(nova: NovaClient) -> None:
    groups = nova.call("get_device_profile_groups", "gold")

    assert groups == [{"resources:FPGA": "1", "trait:CUSTOM_FAKE_DEVICE": "required"}]


def test_an_unknown_profile_is_none(nova: NovaClient) -> None:
    with pytest.raises(NovaError, match=r"DeviceProfileError: .* got nothing"):
        nova.call("get_device_profile_groups", "nosuch")

"""Nova's own client module, ``nova.accelerator.cyborg``, works with the API, with the tokens of a real Keystone."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests
from support.cloud import Cloud, running_cloud
from support.nova_client import NovaClient, NovaError, context_of, running_nova_client
from support.populated import uuid

PROVIDER = uuid(9, 5)
"""Has two attach handles, on the node beta."""
GROUP = {"resources:FPGA": "1", "trait:CUSTOM_FAKE_DEVICE": "required"}
# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        headers = {"X-Auth-Token": cloud.token_of("admin1")}
        profile = {"name": "several", "groups": [GROUP, {"resources:FPGA": "2"}]}
        made = requests.post(f"{cloud.url}/v2/device_profiles", json=[profile], headers=headers, timeout=60)
        assert made.status_code == 201, made.text
        yield cloud


@pytest.fixture(scope="module")
def nova(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NovaClient]:
    directory = tmp_path_factory.mktemp("nova")
    with running_nova_client(directory, cloud.keystone, user="service1", project="own") as process:
        yield NovaClient(process, context_of(cloud.token_of("member1"), cloud.keystone))


def _binding(instance: str, provider: str = PROVIDER) -> dict[str, str]:
    """In the order in which Nova says it."""
    return {"hostname": "beta", "device_rp_uuid": provider, "instance_uuid": instance}


def test_groups_of_a_profile_become_groups_of_a_request_to_placement(nova: NovaClient) -> None:
    groups = nova.call("get_device_profile_groups", "gold")
    (wanted,) = nova.call("get_device_request_groups", groups, None)

    assert groups == [GROUP]
    assert wanted["nova_object.data"]["requester_id"] == "device_profile_0"
    assert wanted["nova_object.data"]["resources"] == {"FPGA": 1}
    assert wanted["nova_object.data"]["required_traits"] == ["CUSTOM_FAKE_DEVICE"]


def test_an_unknown_profile_is_an_error(nova: NovaClient) -> None:
    with pytest.raises(NovaError, match=r"DeviceProfileError: .* got nothing"):
        nova.call("get_device_profile_groups", "nosuch")
    with pytest.raises(NovaError, match=r"AcceleratorRequestOpFailed: .*\[404\]"):
        nova.call("create_arqs", "nosuch")


def test_an_instance_gets_an_accelerator_and_gives_it_back(nova: NovaClient, cloud: Cloud) -> None:
    instance = str(uuid4())
    cloud.nova.servers[instance] = "beta"
    (made,) = nova.call("create_arqs_and_match_resource_providers", "gold", {"device_profile_0": [PROVIDER]})
    nova.call("bind_arqs", {made["uuid"]: _binding(instance, made["device_rp_uuid"])})

    told = {"name": "accelerator-request-bound", "tag": made["uuid"], "status": "completed", "server_uuid": instance}
    assert cloud.nova.next_post().events == [told]
    (bound,) = nova.call("get_arqs_for_instance", instance, True)  # noqa: FBT003 - those that are resolved
    assert bound == nova.call("get_arq_by_uuid", made["uuid"])
    assert (bound["state"], bound["attach_handle_type"]) == ("Bound", "TEST_PCI")
    assert bound["attach_handle_info"].keys() >= {"domain", "bus", "device", "function"}
    assert bound.items() >= _binding(instance).items()

    nova.call("delete_arqs_for_instance", instance)
    nova.call("delete_arqs_for_instance", instance)
    with pytest.raises(NovaError, match="no accelerator requests"):
        nova.call("get_arqs_for_instance", instance)
    with pytest.raises(NovaError, match=made["uuid"]):
        nova.call("get_arq_by_uuid", made["uuid"])


def test_what_is_refused_for_one_is_refused_for_all(nova: NovaClient) -> None:
    instance = str(uuid4())
    made = nova.call("create_arqs", "several")
    assert [arq["device_profile_group_id"] for arq in made] == [0, 1, 1]

    with pytest.raises(NovaError, match=r"AcceleratorRequestBindingFailed: .*\[409\]"):  # two handles, three wanted
        nova.call("bind_arqs", {arq["uuid"]: _binding(instance) for arq in made})
    with pytest.raises(NovaError, match=r"AcceleratorRequestBindingFailed: .*\[409\]"):
        nova.call("bind_arqs", {made[0]["uuid"]: _binding(instance) | {"hostname": "alpha"}})
    with pytest.raises(NovaError, match=r"AcceleratorRequestBindingFailed: .*\[404\]"):
        nova.call("bind_arqs", {made[0]["uuid"]: _binding(instance, str(uuid4()))})

    assert {nova.call("get_arq_by_uuid", arq["uuid"])["state"] for arq in made} == {"Initial"}
    nova.call("delete_arqs_by_uuid", [arq["uuid"] for arq in made])


def test_deletion_by_uuid_frees_what_there_is(nova: NovaClient) -> None:
    instance = str(uuid4())
    first, second, third = nova.call("create_arqs", "several")
    nova.call("bind_arqs", {arq["uuid"]: _binding(instance) for arq in (first, second)})
    assert len(nova.call("get_arqs_for_instance", instance)) == 2

    nova.call("delete_arqs_by_uuid", [third["uuid"]])
    nova.call("delete_arqs_by_uuid", [first["uuid"], third["uuid"], second["uuid"]])

    for arq in (first, second, third):
        with pytest.raises(NovaError, match=arq["uuid"]):
            nova.call("get_arq_by_uuid", arq["uuid"])

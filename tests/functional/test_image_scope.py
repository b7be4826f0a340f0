"""Whose images and keys a caller sees and changes, for every persona."""

import hashlib
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import webob
from support.api import NEWEST, Client, client
from support.databases import migrated
from support.inventory import Inventory
from support.stand_in_keystone import asking_keystone

from accel import signing

BYTES = b"hello"
DIGEST = hashlib.sha256(BYTES).hexdigest()
NUMBERS = count()
PERSONAS = ("admin", "projadmin", "manager", "foreign_manager", "member", "alt", "reader", "nova", "roleless")
OWNERS = {"own": "member", "foreign": "alt"}

# What becomes of a request about an image or a key of `own`, by the personas above.
IMAGE = """
    GET    /v2/images/{uuid}           private  200  200  200  404  200  404  200  403  403
    GET    /v2/images/{uuid}           shared   200  200  200  200  200  200  200  403  403
    GET    /v2/images/{uuid}           public   200  200  200  200  200  200  200  403  403
    GET    /v2/images?ref={uuid}       private  in   in   in   out  in   out  in   403  403
    GET    /v2/images?ref={uuid}       shared   in   in   in   in   in   in   in   403  403
    GET    /v2/images?ref={uuid}       public   in   in   in   in   in   in   in   403  403
    GET    /v2/images/{uuid}/content   private  200  200  200  404  200  404  403  403  403
    GET    /v2/images/{uuid}/content   shared   200  200  200  200  200  200  403  403  403
    GET    /v2/images/{uuid}/content   public   200  200  200  200  200  200  403  403  403
    PATCH  /v2/images/{uuid}           private  200  200  200  404  200  404  403  403  403
    PATCH  /v2/images/{uuid}           shared   200  200  200  404  200  404  403  403  403
    PATCH  /v2/images/{uuid}           public   200  200  200  404  200  404  403  403  403
    PUT    /v2/images/{uuid}/content   private  409  409  409  404  409  404  403  403  403
    PUT    /v2/images/{uuid}/content   shared   409  409  409  404  409  404  403  403  403
    DELETE /v2/images/{uuid}           private  204  204  204  404  204  404  403  403  403
    DELETE /v2/images/{uuid}           shared   204  204  204  404  204  404  403  403  403
    DELETE /v2/images/{uuid}           public   204  204  204  404  204  404  403  403  403
"""
KEY = """
    GET    /v2/image_keys/{uuid}         -      200  200  200  404  200  404  200  403  403
    GET    /v2/image_keys?ref={uuid}     -      in   in   in   out  in   out  in   403  403
    POST   /v2/image_keys/{uuid}/revoke  -      200  200  200  404  403  403  403  403  403
"""
ROWS = [
    pytest.param(*line.split(maxsplit=3), id=" ".join(line.split()[:3]))
    for line in (IMAGE + KEY).splitlines()
    if line.strip()
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("images")
    with migrated("sqlite", directory) as database, asking_keystone(directory) as config:
        yield client(database, "--config-file", str(config))


def ask(api: Client, persona: str, method: str, path: str, body: Any = None) -> webob.Response:
    headers = NEWEST | {"X-Auth-Token": f"<{persona}>"}
    if body is None or isinstance(body, bytes):
        return api.request(method, path, headers=headers | {"Content-Type": "application/octet-stream"}, body=body)
    return api.send(method, path, body, **headers)


def image(api: Client, visibility: str = "private", owner: str = "own") -> dict[str, Any]:
    """An image with its bytes."""
    new = {"name": f"image-{next(NUMBERS)}", "digest": DIGEST, "size_bytes": len(BYTES)}
    made = ask(api, OWNERS[owner], "POST", "/v2/images", new).json
    path = f"/v2/images/{made['uuid']}"
    assert ask(api, OWNERS[owner], "PUT", f"{path}/content", BYTES).status_int == 200
    sight = {"visibility": visibility, "projects": ["foreign"] if visibility == "shared" else []}
    answer = ask(api, "admin", "PATCH", path, sight)
    assert answer.status_int == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def key(api: Client, persona: str = "manager") -> dict[str, Any]:
    new = {"name": f"key-{next(NUMBERS)}", "public_key": signing.public_key_of(signing.new_private_key())}
    answer = ask(api, persona, "POST", "/v2/image_keys", new)
    assert answer.status_int == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize(("method", "path", "visibility", "cells"), ROWS)
def test_what_becomes_of_a_request_is_as_the_table_says(
    method: str, path: str, visibility: str, cells: str, api: Client
) -> None:
    found = {}
    for persona in PERSONAS:
        thing = key(api) if "keys" in path else image(api, visibility)
        bodies: dict[str, Any] = {"PATCH": {"version": "2"}, "PUT": BYTES}
        answer = ask(api, persona, method, path.format(**thing), bodies.get(method))
        is_list = answer.status_int == 200 and "?" in path
        found[persona] = ("in" if next(iter(answer.json.values())) else "out") if is_list else str(answer.status_int)

    assert found == dict(zip(PERSONAS, cells.split(), strict=True))


def test_who_only_sees_an_image_does_not_see_with_whom_it_is_shared_nor_where_it_is_from(api: Client) -> None:
    uuid = image(api, "shared")["uuid"]
    owned, seen = (ask(api, persona, "GET", f"/v2/images/{uuid}").json for persona in ("reader", "alt"))

    assert (owned["projects"], owned["source_ref"]) == (["foreign"], "")
    assert (seen["projects"], seen["source_ref"], seen["key_uuid"]) == ([], None, None)
    assert seen["digest"] == owned["digest"]


def test_only_administrators_make_an_image_public(api: Client) -> None:
    new = {"name": "loud", "digest": DIGEST, "size_bytes": 5, "visibility": "public"}
    assert ask(api, "manager", "POST", "/v2/images", new).status_int == 403
    assert ask(api, "manager", "PATCH", f"/v2/images/{image(api)['uuid']}", {"visibility": "public"}).status_int == 403
    assert ask(api, "admin", "POST", "/v2/images", new).status_int == 201


def test_the_owner_of_a_public_image_goes_on_signing_it(api: Client) -> None:
    uuid = image(api, "public")["uuid"]
    assert ask(api, "member", "PATCH", f"/v2/images/{uuid}", {"version": "3"}).json["visibility"] == "public"


def test_an_image_is_signed_with_keys_of_its_own_project_only(api: Client) -> None:
    private = signing.new_private_key()
    new = {"name": f"key-{next(NUMBERS)}", "public_key": signing.public_key_of(private)}
    assert ask(api, "foreign_manager", "POST", "/v2/image_keys", new).status_int == 201
    path = f"/v2/images/{image(api)['uuid']}"
    signature = {"signature": signing.sign(private, DIGEST)}

    refused = ask(api, "member", "PATCH", path, signature)
    assert (refused.status_int, refused.json["code"]) == (409, "accel.signature_invalid")
    assert ask(api, "manager", "POST", "/v2/image_keys", new).status_int == 201
    assert ask(api, "member", "PATCH", path, signature).json["signature_state"] == "valid"


def test_two_projects_with_the_same_bytes_learn_nothing_of_each_other(api: Client) -> None:
    first, second = image(api), image(api, owner="foreign")
    path = f"/v2/images/{second['uuid']}"

    assert ask(api, "member", "DELETE", f"/v2/images/{first['uuid']}").status_int == 204
    assert ask(api, "alt", "GET", f"{path}/content").body == BYTES
    new = {"name": "without", "digest": DIGEST, "size_bytes": len(BYTES)}
    known = ask(api, "member", "POST", "/v2/images", new).json  # whoever knows a digest has not the bytes
    assert known["state"] == "awaiting"
    assert ask(api, "member", "GET", f"/v2/images/{known['uuid']}/content").status_int == 409


def test_a_tenant_is_told_of_devices_that_it_holds_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("loaded")
    with migrated("sqlite", directory) as database, asking_keystone(directory) as config:
        asked = client(database, "--config-file", str(config))
        uuid = image(asked, "shared")["uuid"]
        inventory = Inventory(database)
        node = inventory.node()
        parts = [inventory.deployable(inventory.device(node), bitstream_id=uuid) for _ in range(3)]
        inventory.holder(inventory.handle(parts[0]), project_id="own")
        inventory.holder(inventory.handle(parts[1]), project_id="foreign")

        def loaded(persona: str) -> list[str]:
            return [part["uuid"] for part in ask(asked, persona, "GET", f"/v2/images/{uuid}").json["loaded_in"]]

        assert loaded("admin") == [part["uuid"] for part in parts]
        assert loaded("member") == [parts[0]["uuid"]]
        assert loaded("alt") == [parts[1]["uuid"]]
        refused = ask(asked, "member", "DELETE", f"/v2/images/{uuid}")
        assert refused.status_int == 409
        assert " is in use by what others have: " in refused.json["detail"]

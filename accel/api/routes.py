"""The whole URL space, as data.

Requests are answered from this table, and the OpenAPI document is made from it. What stands in braces in a path is
whatever stands there in the request.
"""

from http import HTTPStatus
from typing import Any

from accel.api import openapi
from accel.api.call import Call
from accel.api.handlers import (
    accelerator_requests,
    attach_handles,
    attributes,
    audit,
    deployables,
    device_profiles,
    devices,
    events,
    nodes,
    quotas,
    summary,
    versions,
)
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import accelerator_requests as request_schemas
from accel.api.schemas import attach_handles as handle_schemas
from accel.api.schemas import attributes as attribute_schemas
from accel.api.schemas import audit as audit_schemas
from accel.api.schemas import deployables as deployable_schemas
from accel.api.schemas import device_profiles as profile_schemas
from accel.api.schemas import devices as device_schemas
from accel.api.schemas import events as event_schemas
from accel.api.schemas import nodes as node_schemas
from accel.api.schemas import quotas as quota_schemas
from accel.api.schemas import summary as summary_schemas
from accel.api.schemas import versions as version_schemas


def describe(call: Call) -> dict[str, Any]:
    """This document: the API in the words of OpenAPI 3.1."""
    return openapi.document(ROUTES, base_url=call.base_url)


_PAGING_FILTERS = ("limit", "marker", "sort_key", "sort_dir")

ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/", handler=versions.root, answer=version_schemas.ROOT, has_version=False),
    Route(
        method="GET",
        path="/openapi.json",
        handler=describe,
        answer=version_schemas.OPENAPI,
        has_version=False,
    ),
    Route(method="GET", path="/v2", handler=versions.version, answer=version_schemas.VERSION),
    Route(
        method="GET",
        path="/v2/devices",
        handler=devices.index,
        policy="device:get_all",
        query=device_schemas.QUERY,
        answer=device_schemas.DEVICES,
        old_filters=_PAGING_FILTERS,
    ),
    Route(
        method="GET",
        path="/v2/devices/{uuid}",
        handler=devices.show,
        policy="device:get_one",
        answer=device_schemas.DEVICE,
    ),
    Route(
        method="POST",
        path="/v2/devices/{uuid}/enable",
        handler=devices.enable,
        policy="device:enable",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="POST",
        path="/v2/devices/{uuid}/disable",
        handler=devices.disable,
        policy="device:disable",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="GET",
        path="/v2/deployables",
        handler=deployables.index,
        policy="deployable:get_all",
        query=deployable_schemas.QUERY,
        answer=deployable_schemas.DEPLOYABLES,
        old_filters=("name", *_PAGING_FILTERS),
    ),
    Route(
        method="GET",
        path="/v2/deployables/{uuid}",
        handler=deployables.show,
        policy="deployable:get_one",
        answer=deployable_schemas.DEPLOYABLE,
    ),
    Route(
        method="PATCH",
        path="/v2/deployables/{uuid}/program",
        handler=deployables.program,
        policy="deployable:program",
        body=deployable_schemas.PROGRAM,
        answer=deployable_schemas.DEPLOYABLE,
    ),
    # openstacksdk asks for it so, with the uuid a second time.
    Route(
        method="PATCH",
        path="/v2/deployables/{uuid}/program/{again}",
        handler=deployables.program,
        policy="deployable:program",
        body=deployable_schemas.PROGRAM,
        answer=deployable_schemas.DEPLOYABLE,
    ),
    Route(
        method="GET",
        path="/v2/attributes",
        handler=attributes.index,
        policy="attribute:get_all",
        query=attribute_schemas.QUERY,
        answer=attribute_schemas.ATTRIBUTES,
    ),
    Route(
        method="GET",
        path="/v2/attributes/{uuid}",
        handler=attributes.show,
        policy="attribute:get_one",
        answer=attribute_schemas.ATTRIBUTE,
    ),
    Route(
        method="POST",
        path="/v2/attributes",
        handler=attributes.create,
        policy="attribute:create",
        body=attribute_schemas.CREATE,
        answer=attribute_schemas.ATTRIBUTE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        method="DELETE",
        path="/v2/attributes",
        handler=attributes.delete_nothing,
        policy="attribute:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="DELETE",
        path="/v2/attributes/{uuid}",
        handler=attributes.delete,
        policy="attribute:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="GET",
        path="/v2/device_profiles",
        handler=device_profiles.index,
        policy="device_profile:get_all",
        query=profile_schemas.QUERY,
        answer=profile_schemas.PROFILES,
    ),
    Route(
        method="GET",
        path="/v2/device_profiles/{profile}",
        handler=device_profiles.show,
        policy="device_profile:get_one",
        answer=profile_schemas.SHOWN,
    ),
    Route(
        method="POST",
        path="/v2/device_profiles",
        handler=device_profiles.create,
        policy="device_profile:create",
        body=profile_schemas.CREATE,
        answer=profile_schemas.PROFILE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        method="PUT",
        path="/v2/device_profiles/{profile}",
        handler=device_profiles.replace,
        policy="device_profile:update",
        since=SAYS_MORE,
        body=profile_schemas.REPLACE,
        answer=profile_schemas.PROFILE,
    ),
    Route(
        method="PATCH",
        path="/v2/device_profiles/{profile}",
        handler=device_profiles.update,
        policy="device_profile:update",
        since=SAYS_MORE,
        body=profile_schemas.UPDATE,
        answer=profile_schemas.PROFILE,
    ),
    Route(
        method="DELETE",
        path="/v2/device_profiles",
        handler=device_profiles.delete_several,
        policy="device_profile:delete",
        query=profile_schemas.DELETE_QUERY,
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="DELETE",
        path="/v2/device_profiles/{profile}",
        handler=device_profiles.delete,
        policy="device_profile:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="GET",
        path="/v2/accelerator_requests",
        handler=accelerator_requests.index,
        policy="arq:get_all",
        query=request_schemas.QUERY,
        answer=request_schemas.REQUESTS,
    ),
    Route(
        method="GET",
        path="/v2/accelerator_requests/{uuid}",
        handler=accelerator_requests.show,
        policy="arq:get_one",
        answer=request_schemas.REQUEST,
    ),
    Route(
        method="POST",
        path="/v2/accelerator_requests",
        handler=accelerator_requests.create,
        policy="arq:create",
        body=request_schemas.CREATE,
        answer=request_schemas.MADE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        method="PATCH",
        path="/v2/accelerator_requests",
        handler=accelerator_requests.change,
        policy="arq:update",
        body=request_schemas.CHANGES,
        success=HTTPStatus.ACCEPTED,
    ),
    # openstacksdk asks for it so; the body names the requests.
    Route(
        method="PATCH",
        path="/v2/accelerator_requests/{uuid}",
        handler=accelerator_requests.change,
        policy="arq:update",
        body=request_schemas.CHANGES,
        success=HTTPStatus.ACCEPTED,
    ),
    Route(
        method="DELETE",
        path="/v2/accelerator_requests",
        handler=accelerator_requests.delete_several,
        policy="arq:delete",
        query=request_schemas.DELETE_QUERY,
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="DELETE",
        path="/v2/accelerator_requests/{uuid}",
        handler=accelerator_requests.delete,
        policy="arq:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        method="GET",
        path="/v2/attach_handles",
        handler=attach_handles.index,
        policy="attach_handle:get_all",
        since=SAYS_MORE,
        query=handle_schemas.QUERY,
        answer=handle_schemas.ATTACH_HANDLES,
    ),
    Route(
        method="GET",
        path="/v2/attach_handles/{uuid}",
        handler=attach_handles.show,
        policy="attach_handle:get_one",
        since=SAYS_MORE,
        answer=handle_schemas.ATTACH_HANDLE,
    ),
    Route(
        method="GET",
        path="/v2/quotas",
        handler=quotas.index,
        policy="quota:get_all",
        since=SAYS_MORE,
        query=quota_schemas.QUERY,
        answer=quota_schemas.QUOTAS,
    ),
    Route(
        method="GET",
        path="/v2/quotas/{project_id}",
        handler=quotas.show,
        policy="quota:get_one",
        since=SAYS_MORE,
        answer=quota_schemas.QUOTA,
    ),
    Route(
        method="PUT",
        path="/v2/quotas/{project_id}",
        handler=quotas.change,
        policy="quota:set",
        since=SAYS_MORE,
        body=quota_schemas.SET,
        answer=quota_schemas.QUOTA,
    ),
    Route(
        method="GET",
        path="/v2/audit/allocations",
        handler=audit.show,
        policy="audit:get",
        since=SAYS_MORE,
        answer=audit_schemas.AUDIT,
    ),
    Route(
        method="POST",
        path="/v2/audit/allocations",
        handler=audit.mend,
        policy="audit:fix",
        since=SAYS_MORE,
        answer=audit_schemas.AUDIT,
    ),
    Route(
        method="GET",
        path="/v2/nodes",
        handler=nodes.index,
        policy="node:get_all",
        since=SAYS_MORE,
        query=node_schemas.QUERY,
        answer=node_schemas.NODES,
    ),
    Route(
        method="GET",
        path="/v2/nodes/{node}",
        handler=nodes.show,
        policy="node:get_one",
        since=SAYS_MORE,
        answer=node_schemas.NODE,
    ),
    Route(
        method="GET",
        path="/v2/nodes/{node}/topology",
        handler=nodes.topology,
        policy="node:get_one",
        since=SAYS_MORE,
        answer=node_schemas.TOPOLOGY,
    ),
    Route(
        method="GET",
        path="/v2/events",
        handler=events.index,
        policy="event:get_all",
        since=SAYS_MORE,
        query=event_schemas.QUERY,
        answer=event_schemas.EVENTS,
    ),
    Route(
        method="GET",
        path="/v2/summary",
        handler=summary.show,
        policy="summary:get",
        since=SAYS_MORE,
        query=summary_schemas.QUERY,
        answer=summary_schemas.SUMMARY,
    ),
)

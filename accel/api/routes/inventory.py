"""What is there: devices and their parts, nodes, what happened to them, and figures."""

from http import HTTPStatus

from accel.api.handlers import (
    attach_handles,
    attributes,
    deployables,
    devices,
    events,
    health,
    nodes,
    programming,
    summary,
)
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import attach_handles as handle_schemas
from accel.api.schemas import attributes as attribute_schemas
from accel.api.schemas import deployables as deployable_schemas
from accel.api.schemas import devices as device_schemas
from accel.api.schemas import events as event_schemas
from accel.api.schemas import health as health_schemas
from accel.api.schemas import nodes as node_schemas
from accel.api.schemas import summary as summary_schemas

_PAGING_FILTERS = ("limit", "marker", "sort_key", "sort_dir")

ROUTES = (
    Route(
        "GET",
        "/v2/devices",
        devices.index,
        policy="device:get_all",
        query=device_schemas.QUERY,
        answer=device_schemas.DEVICES,
        old_filters=_PAGING_FILTERS,
    ),
    Route("GET", "/v2/devices/{uuid}", devices.show, policy="device:get_one", answer=device_schemas.DEVICE),
    Route("POST", "/v2/devices/{uuid}/enable", devices.enable, policy="device:enable", success=HTTPStatus.NO_CONTENT),
    Route(
        "POST", "/v2/devices/{uuid}/disable", devices.disable, policy="device:disable", success=HTTPStatus.NO_CONTENT
    ),
    Route(
        "GET",
        "/v2/health",
        health.index,
        policy="health:get_all",
        since=SAYS_MORE,
        query=health_schemas.QUERY,
        answer=health_schemas.HEALTH,
    ),
    Route(
        "GET",
        "/v2/health/{uuid}",
        health.show,
        policy="health:get_one",
        since=SAYS_MORE,
        answer=health_schemas.ONE,
    ),
    Route(
        "GET",
        "/v2/deployables",
        deployables.index,
        policy="deployable:get_all",
        query=deployable_schemas.QUERY,
        answer=deployable_schemas.DEPLOYABLES,
        old_filters=("name", *_PAGING_FILTERS),
    ),
    Route(
        "GET",
        "/v2/deployables/{uuid}",
        deployables.show,
        policy="deployable:get_one",
        answer=deployable_schemas.DEPLOYABLE,
    ),
    Route(
        "PATCH",
        "/v2/deployables/{uuid}/program",
        programming.program,
        policy="deployable:program",
        query=deployable_schemas.PROGRAM_QUERY,
        body=deployable_schemas.PROGRAM,
        answer=deployable_schemas.PROGRAMMED,
        other_successes=(HTTPStatus.ACCEPTED,),
    ),
    # openstacksdk asks for it so, with the uuid a second time.
    Route(
        "PATCH",
        "/v2/deployables/{uuid}/program/{again}",
        programming.program,
        policy="deployable:program",
        query=deployable_schemas.PROGRAM_QUERY,
        body=deployable_schemas.PROGRAM,
        answer=deployable_schemas.PROGRAMMED,
        other_successes=(HTTPStatus.ACCEPTED,),
    ),
    Route(
        "GET",
        "/v2/attributes",
        attributes.index,
        policy="attribute:get_all",
        query=attribute_schemas.QUERY,
        answer=attribute_schemas.ATTRIBUTES,
    ),
    Route(
        "GET", "/v2/attributes/{uuid}", attributes.show, policy="attribute:get_one", answer=attribute_schemas.ATTRIBUTE
    ),
    Route(
        "POST",
        "/v2/attributes",
        attributes.create,
        policy="attribute:create",
        body=attribute_schemas.CREATE,
        answer=attribute_schemas.ATTRIBUTE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        "DELETE", "/v2/attributes", attributes.delete_nothing, policy="attribute:delete", success=HTTPStatus.NO_CONTENT
    ),
    Route(
        "DELETE", "/v2/attributes/{uuid}", attributes.delete, policy="attribute:delete", success=HTTPStatus.NO_CONTENT
    ),
    Route(
        "GET",
        "/v2/attach_handles",
        attach_handles.index,
        policy="attach_handle:get_all",
        since=SAYS_MORE,
        query=handle_schemas.QUERY,
        answer=handle_schemas.ATTACH_HANDLES,
    ),
    Route(
        "GET",
        "/v2/attach_handles/{uuid}",
        attach_handles.show,
        policy="attach_handle:get_one",
        since=SAYS_MORE,
        answer=handle_schemas.ATTACH_HANDLE,
    ),
    Route(
        "GET",
        "/v2/nodes",
        nodes.index,
        policy="node:get_all",
        since=SAYS_MORE,
        query=node_schemas.QUERY,
        answer=node_schemas.NODES,
    ),
    Route("GET", "/v2/nodes/{node}", nodes.show, policy="node:get_one", since=SAYS_MORE, answer=node_schemas.NODE),
    Route(
        "GET",
        "/v2/nodes/{node}/topology",
        nodes.topology,
        policy="node:get_one",
        since=SAYS_MORE,
        answer=node_schemas.TOPOLOGY,
    ),
    Route(
        "GET",
        "/v2/events",
        events.index,
        policy="event:get_all",
        since=SAYS_MORE,
        query=event_schemas.QUERY,
        answer=event_schemas.EVENTS,
    ),
    Route(
        "GET",
        "/v2/summary",
        summary.show,
        policy="summary:get",
        since=SAYS_MORE,
        query=summary_schemas.QUERY,
        answer=summary_schemas.SUMMARY,
    ),
)

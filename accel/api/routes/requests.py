"""Who asks for what, and may have how much of it."""

from http import HTTPStatus

from accel.api.handlers import accelerator_requests, audit, device_profiles, quotas
from accel.api.microversion import SAYS_MORE
from accel.api.route import Route
from accel.api.schemas import accelerator_requests as request_schemas
from accel.api.schemas import audit as audit_schemas
from accel.api.schemas import device_profiles as profile_schemas
from accel.api.schemas import quotas as quota_schemas

ROUTES = (
    Route(
        "GET",
        "/v2/device_profiles",
        device_profiles.index,
        policy="device_profile:get_all",
        query=profile_schemas.QUERY,
        answer=profile_schemas.PROFILES,
    ),
    Route(
        "GET",
        "/v2/device_profiles/{profile}",
        device_profiles.show,
        policy="device_profile:get_one",
        answer=profile_schemas.SHOWN,
    ),
    Route(
        "POST",
        "/v2/device_profiles",
        device_profiles.create,
        policy="device_profile:create",
        body=profile_schemas.CREATE,
        answer=profile_schemas.PROFILE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        "PUT",
        "/v2/device_profiles/{profile}",
        device_profiles.replace,
        policy="device_profile:update",
        since=SAYS_MORE,
        body=profile_schemas.REPLACE,
        answer=profile_schemas.PROFILE,
    ),
    Route(
        "PATCH",
        "/v2/device_profiles/{profile}",
        device_profiles.update,
        policy="device_profile:update",
        since=SAYS_MORE,
        body=profile_schemas.UPDATE,
        answer=profile_schemas.PROFILE,
    ),
    Route(
        "DELETE",
        "/v2/device_profiles",
        device_profiles.delete_several,
        policy="device_profile:delete",
        query=profile_schemas.DELETE_QUERY,
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        "DELETE",
        "/v2/device_profiles/{profile}",
        device_profiles.delete,
        policy="device_profile:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        "GET",
        "/v2/accelerator_requests",
        accelerator_requests.index,
        policy="arq:get_all",
        query=request_schemas.QUERY,
        answer=request_schemas.REQUESTS,
    ),
    Route(
        "GET",
        "/v2/accelerator_requests/{uuid}",
        accelerator_requests.show,
        policy="arq:get_one",
        answer=request_schemas.REQUEST,
    ),
    Route(
        "POST",
        "/v2/accelerator_requests",
        accelerator_requests.create,
        policy="arq:create",
        body=request_schemas.CREATE,
        answer=request_schemas.MADE,
        success=HTTPStatus.CREATED,
    ),
    Route(
        "PATCH",
        "/v2/accelerator_requests",
        accelerator_requests.change,
        policy="arq:update",
        body=request_schemas.CHANGES,
        success=HTTPStatus.ACCEPTED,
    ),
    # openstacksdk asks for it so; the body names the requests.
    Route(
        "PATCH",
        "/v2/accelerator_requests/{uuid}",
        accelerator_requests.change,
        policy="arq:update",
        body=request_schemas.CHANGES,
        success=HTTPStatus.ACCEPTED,
    ),
    Route(
        "DELETE",
        "/v2/accelerator_requests",
        accelerator_requests.delete_several,
        policy="arq:delete",
        query=request_schemas.DELETE_QUERY,
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        "DELETE",
        "/v2/accelerator_requests/{uuid}",
        accelerator_requests.delete,
        policy="arq:delete",
        success=HTTPStatus.NO_CONTENT,
    ),
    Route(
        "GET",
        "/v2/quotas",
        quotas.index,
        policy="quota:get_all",
        since=SAYS_MORE,
        query=quota_schemas.QUERY,
        answer=quota_schemas.QUOTAS,
    ),
    Route(
        "GET",
        "/v2/quotas/{project_id}",
        quotas.show,
        policy="quota:get_one",
        since=SAYS_MORE,
        answer=quota_schemas.QUOTA,
    ),
    Route(
        "PUT",
        "/v2/quotas/{project_id}",
        quotas.change,
        policy="quota:set",
        since=SAYS_MORE,
        body=quota_schemas.SET,
        answer=quota_schemas.QUOTA,
    ),
    Route("GET", "/v2/audit/allocations", audit.show, policy="audit:get", since=SAYS_MORE, answer=audit_schemas.AUDIT),
    Route("POST", "/v2/audit/allocations", audit.mend, policy="audit:fix", since=SAYS_MORE, answer=audit_schemas.AUDIT),
)

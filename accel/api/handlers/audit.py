"""Audits: show, mend. A conductor does them, because Nova and Placement may be asked."""

from typing import Any

from accel.api.call import Call
from accel.api.views import audit as views
from accel.model.audit import AuditSubject, AuditWanted
from accel.model.request import Caller


def show(call: Call) -> dict[str, Any]:
    """What does not add up between attach handles, their holders and accelerator requests."""
    return _audit(call, AuditSubject.ALLOCATIONS, fix=False)


def mend(call: Call) -> dict[str, Any]:
    """The same, and mend what can be mended."""
    return _audit(call, AuditSubject.ALLOCATIONS, fix=True)


def show_placement(call: Call) -> dict[str, Any]:
    """What does not add up between the inventory and OpenStack Placement."""
    return _audit(call, AuditSubject.PLACEMENT, fix=False)


def mend_placement(call: Call) -> dict[str, Any]:
    """The same, and mend what can be mended."""
    return _audit(call, AuditSubject.PLACEMENT, fix=True)


def _audit(call: Call, of: AuditSubject, *, fix: bool) -> dict[str, Any]:
    caller = Caller(
        request_id=call.origin.request_id or "",
        user_id=call.origin.user_id,
        project_id=call.scope.project_id,
        sees_all=call.scope.sees_all,
    )
    return views.render(call.claiming.conductors.audit(AuditWanted(caller=caller, fix=fix, of=of)))

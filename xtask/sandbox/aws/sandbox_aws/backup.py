"""AWS Backup: tags that are read back, selections, and restore testing."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import unquote

from moto.backup import models, responses, urls
from moto.backup.exceptions import AlreadyExistsException, ResourceNotFoundException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from .patching import around, operation, routes

Response = responses.BackupResponse


@around(models.BackupBackend, "__init__")
def add_stores(original, self, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.selections: dict[tuple[str, str], dict[str, Any]] = {}
    self.restore_testing_plans: dict[str, dict[str, Any]] = {}
    self.restore_testing_selections: dict[tuple[str, str], dict[str, Any]] = {}


@operation(Response)
def list_tags(self) -> str:
    """Moto expects a slash at the end of the path, which the provider does not send: tags look lost."""
    return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=_arn_in_path(self))})


@operation(Response)
def tag_resource(self) -> str:
    self.backup_backend.tag_resource(_arn_in_path(self), json.loads(self.body).get("Tags"))
    return "{}"


@operation(Response)
def untag_resource(self) -> str:
    self.backup_backend.untag_resource(_arn_in_path(self), json.loads(self.body).get("TagKeyList"))
    return "{}"


def _arn_in_path(request: Response) -> str:
    return unquote(request.path.strip("/").split("/", 1)[1])


@operation(Response)
def list_recovery_points_by_backup_vault(self) -> str:
    """Asked for before a vault is emptied and deleted. Nothing is ever saved here."""
    return json.dumps({"RecoveryPoints": []})


# ---- Selections: which resources a plan saves ----


@operation(Response)
def create_backup_selection(self) -> str:
    plan, identifier = self._get_param("backupPlanId"), str(uuid.uuid4())
    self.backup_backend.get_backup_plan(plan, None)
    created = utcnow().timestamp()
    self.backup_backend.selections[plan, identifier] = {
        "BackupSelection": json.loads(self.body)["BackupSelection"],
        "SelectionId": identifier,
        "BackupPlanId": plan,
        "CreationDate": created,
    }
    return json.dumps({"SelectionId": identifier, "BackupPlanId": plan, "CreationDate": created})


@operation(Response)
def get_backup_selection(self) -> str:
    return json.dumps(_found(self.backup_backend.selections, _selection_key(self), "Backup selection"))


@operation(Response)
def list_backup_selections(self) -> str:
    plan = self._get_param("backupPlanId")
    selections = [
        {
            "SelectionId": identifier,
            "SelectionName": selection["BackupSelection"]["SelectionName"],
            "BackupPlanId": plan,
            "CreationDate": selection["CreationDate"],
            "IamRoleArn": selection["BackupSelection"]["IamRoleArn"],
        }
        for (owner, identifier), selection in self.backup_backend.selections.items()
        if owner == plan
    ]
    return json.dumps({"BackupSelectionsList": selections})


@operation(Response)
def delete_backup_selection(self) -> str:
    self.backup_backend.selections.pop(_selection_key(self), None)
    return "{}"


def _selection_key(request: Response) -> tuple[str, str]:
    return request._get_param("backupPlanId"), request._get_param("selectionId")


# ---- Restore testing: plans and what they restore ----


@operation(Response)
def create_restore_testing_plan(self) -> ActionResult:
    asked = json.loads(self.body)["RestoreTestingPlan"]
    name = asked["RestoreTestingPlanName"]
    backend = self.backup_backend
    if name in backend.restore_testing_plans:
        raise AlreadyExistsException(f"Restore testing plan {name} already exists")
    arn = f"arn:{self.partition}:backup:{self.region}:{self.current_account}:restore-testing-plan:{name}-{uuid.uuid4()}"
    now = utcnow()
    plan = asked | {"RestoreTestingPlanArn": arn, "CreationTime": now, "LastUpdateTime": now}
    plan.setdefault("ScheduleExpressionTimezone", "Etc/UTC")
    plan.setdefault("StartWindowHours", 24)
    plan["RecoveryPointSelection"].setdefault("ExcludeVaults", [])
    backend.restore_testing_plans[name] = plan
    backend.tag_resource(arn, json.loads(self.body).get("Tags"))
    return ActionResult(plan)


@operation(Response)
def get_restore_testing_plan(self) -> ActionResult:
    return ActionResult({"RestoreTestingPlan": _restore_plan(self)})


@operation(Response)
def list_restore_testing_plans(self) -> ActionResult:
    return ActionResult({"RestoreTestingPlans": list(self.backup_backend.restore_testing_plans.values())})


@operation(Response)
def update_restore_testing_plan(self) -> ActionResult:
    plan = _restore_plan(self)
    plan.update(json.loads(self.body)["RestoreTestingPlan"], LastUpdateTime=utcnow())
    return ActionResult(plan | {"UpdateTime": plan["LastUpdateTime"]})


@operation(Response)
def delete_restore_testing_plan(self) -> EmptyResult:
    plan = _restore_plan(self)
    del self.backup_backend.restore_testing_plans[plan["RestoreTestingPlanName"]]
    return EmptyResult()


@operation(Response)
def create_restore_testing_selection(self) -> ActionResult:
    plan = _restore_plan(self)
    asked = json.loads(self.body)["RestoreTestingSelection"]
    key = plan["RestoreTestingPlanName"], asked["RestoreTestingSelectionName"]
    selection = asked | {"RestoreTestingPlanName": key[0], "CreationTime": utcnow()}
    self.backup_backend.restore_testing_selections[key] = selection
    return ActionResult(selection | {"RestoreTestingPlanArn": plan["RestoreTestingPlanArn"]})


@operation(Response)
def get_restore_testing_selection(self) -> ActionResult:
    return ActionResult({"RestoreTestingSelection": _restore_selection(self)})


@operation(Response)
def list_restore_testing_selections(self) -> ActionResult:
    name = self._get_param("RestoreTestingPlanName")
    stored = self.backup_backend.restore_testing_selections
    selections = [selection for (plan, _), selection in stored.items() if plan == name]
    return ActionResult({"RestoreTestingSelections": selections})


@operation(Response)
def update_restore_testing_selection(self) -> ActionResult:
    selection = _restore_selection(self)
    selection.update(json.loads(self.body)["RestoreTestingSelection"])
    arn = _restore_plan(self)["RestoreTestingPlanArn"]
    return ActionResult(selection | {"RestoreTestingPlanArn": arn, "UpdateTime": utcnow()})


@operation(Response)
def delete_restore_testing_selection(self) -> EmptyResult:
    _restore_selection(self)
    del self.backup_backend.restore_testing_selections[_restore_key(self)]
    return EmptyResult()


def _restore_plan(request: Response) -> dict[str, Any]:
    plans = request.backup_backend.restore_testing_plans
    return _found(plans, request._get_param("RestoreTestingPlanName"), "Restore testing plan")


def _restore_key(request: Response) -> tuple[str, str]:
    return request._get_param("RestoreTestingPlanName"), request._get_param("RestoreTestingSelectionName")


def _restore_selection(request: Response) -> dict[str, Any]:
    stored = request.backup_backend.restore_testing_selections
    return _found(stored, _restore_key(request), "Restore testing selection")


def _found(resources: dict[Any, dict[str, Any]], key: Any, kind: str) -> dict[str, Any]:
    if key not in resources:
        raise ResourceNotFoundException(f"{kind} {key} not found")
    return resources[key]


PLANS = "restore-testing/plans"
SELECTIONS = f"{PLANS}/(?P<RestoreTestingPlanName>[^/]+)/selections"
routes(
    urls,
    Response,
    "backup-vaults/(?P<backupVaultName>[^/]+)/recovery-points/?$",
    "backup/plans/(?P<backupPlanId>[^/]+)/selections/?$",
    "backup/plans/(?P<backupPlanId>[^/]+)/selections/(?P<selectionId>[^/]+)$",
    f"{PLANS}$",
    f"{PLANS}/(?P<RestoreTestingPlanName>[^/]+)$",
    f"{SELECTIONS}$",
    f"{SELECTIONS}/(?P<RestoreTestingSelectionName>[^/]+)$",
)

"""Cost Explorer: anomaly monitors and subscriptions, which Moto lacks. Nothing watches any cost."""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.ce import models, responses
from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow

from .patching import around, operation

Response = responses.CostExplorerResponse

MONITOR, SUBSCRIPTION = "anomalymonitor", "anomalysubscription"


class UnknownMonitor(JsonRESTError):
    def __init__(self, arn: str) -> None:
        super().__init__("UnknownMonitorException", f"Anomaly monitor {arn} does not exist")


class UnknownSubscription(JsonRESTError):
    def __init__(self, arn: str) -> None:
        super().__init__("UnknownSubscriptionException", f"Anomaly subscription {arn} does not exist")


@around(models.CostExplorerBackend, "__init__")
def add_stores(original, self, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.anomaly: dict[str, dict[str, dict[str, Any]]] = {MONITOR: {}, SUBSCRIPTION: {}}


def _create(request: Response, kind: str, asked: dict[str, Any]) -> str:
    """Returns the new ARN; the tags of the request become those of the resource."""
    arn = f"arn:{request.partition}:ce::{request.current_account}:{kind}/{uuid.uuid4()}"
    request.ce_backend.anomaly[kind][arn] = asked
    request.ce_backend.tag_resource(arn, json.loads(request.body).get("ResourceTags") or [])
    return arn


def _stored(request: Response, kind: str, arn: str) -> dict[str, Any]:
    resources = request.ce_backend.anomaly[kind]
    if arn not in resources:
        raise UnknownMonitor(arn) if kind == MONITOR else UnknownSubscription(arn)
    return resources[arn]


def _listed(request: Response, kind: str, arns: list[str] | None) -> list[dict[str, Any]]:
    return [_stored(request, kind, arn) for arn in arns or request.ce_backend.anomaly[kind]]


@operation(Response)
def create_anomaly_monitor(self) -> str:
    asked = self._get_param("AnomalyMonitor")
    arn = _create(self, MONITOR, asked)
    today = utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
    asked.update(MonitorArn=arn, CreationDate=today, LastUpdatedDate=today, DimensionalValueCount=0)
    return json.dumps({"MonitorArn": arn})


@operation(Response)
def get_anomaly_monitors(self) -> str:
    return json.dumps({"AnomalyMonitors": _listed(self, MONITOR, self._get_param("MonitorArnList"))})


@operation(Response)
def update_anomaly_monitor(self) -> str:
    monitor = _stored(self, MONITOR, self._get_param("MonitorArn"))
    monitor["MonitorName"] = self._get_param("MonitorName") or monitor["MonitorName"]
    return json.dumps({"MonitorArn": monitor["MonitorArn"]})


@operation(Response)
def delete_anomaly_monitor(self) -> str:
    monitor = _stored(self, MONITOR, self._get_param("MonitorArn"))
    del self.ce_backend.anomaly[MONITOR][monitor["MonitorArn"]]
    return "{}"


@operation(Response)
def create_anomaly_subscription(self) -> str:
    asked = self._get_param("AnomalySubscription")
    for monitor in asked["MonitorArnList"]:
        _stored(self, MONITOR, monitor)
    asked["AccountId"] = self.current_account
    asked["SubscriptionArn"] = _create(self, SUBSCRIPTION, asked)
    for subscriber in asked["Subscribers"]:
        subscriber["Status"] = "CONFIRMED"
    return json.dumps({"SubscriptionArn": asked["SubscriptionArn"]})


@operation(Response)
def get_anomaly_subscriptions(self) -> str:
    arns = self._get_param("SubscriptionArnList")
    return json.dumps({"AnomalySubscriptions": _listed(self, SUBSCRIPTION, arns)})


@operation(Response)
def update_anomaly_subscription(self) -> str:
    subscription = _stored(self, SUBSCRIPTION, self._get_param("SubscriptionArn"))
    asked = json.loads(self.body)
    subscription.update({key: value for key, value in asked.items() if key != "SubscriptionArn"})
    return json.dumps({"SubscriptionArn": subscription["SubscriptionArn"]})


@operation(Response)
def delete_anomaly_subscription(self) -> str:
    subscription = _stored(self, SUBSCRIPTION, self._get_param("SubscriptionArn"))
    del self.ce_backend.anomaly[SUBSCRIPTION][subscription["SubscriptionArn"]]
    return "{}"

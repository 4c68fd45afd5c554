"""Budgets: updates, notification subscribers and tags, which Moto lacks."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets import models, responses
from moto.budgets.exceptions import NotFoundException

from .patching import around, operation

Response = responses.BudgetsResponse


@around(models.BudgetsBackend, "__init__")
def add_tags(original, self, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.tags: dict[str, list[dict[str, str]]] = {}


@around(Response, "create_budget")
def keep_tags(original, self) -> str:
    answer = original(self)
    name = self._get_param("Budget")["BudgetName"]
    arn = f"arn:{self.partition}:budgets::{self.current_account}:budget/{name}"
    self.backend.tags[arn] = self._get_param("ResourceTags") or []
    return answer


@operation(Response)
def update_budget(self) -> str:
    asked = self._get_param("NewBudget")
    _budget(self, asked["BudgetName"]).budget.update(asked)
    return "{}"


@operation(Response)
def describe_subscribers_for_notification(self) -> str:
    """Read for each notification after a budget is made; without it the provider repeats for minutes."""
    return json.dumps({"Subscribers": _notification(self).subscribers, "NextToken": None})


@operation(Response)
def update_notification(self) -> str:
    _notification(self, "OldNotification").details = self._get_param("NewNotification")
    return "{}"


@operation(Response)
def create_subscriber(self) -> str:
    _notification(self).subscribers.append(self._get_param("Subscriber"))
    return "{}"


@operation(Response)
def delete_subscriber(self) -> str:
    _notification(self).subscribers.remove(self._get_param("Subscriber"))
    return "{}"


@operation(Response)
def list_tags_for_resource(self) -> str:
    return json.dumps({"ResourceTags": _tags(self)})


@operation(Response)
def tag_resource(self) -> str:
    asked = self._get_param("ResourceTags")
    names = {tag["Key"] for tag in asked}
    self.backend.tags[self._get_param("ResourceARN")] = asked + [
        tag for tag in _tags(self) if tag["Key"] not in names
    ]
    return "{}"


@operation(Response)
def untag_resource(self) -> str:
    names = self._get_param("ResourceTagKeys")
    self.backend.tags[self._get_param("ResourceARN")] = [
        tag for tag in _tags(self) if tag["Key"] not in names
    ]
    return "{}"


def _tags(request: Response) -> list[dict[str, str]]:
    return request.backend.tags.get(request._get_param("ResourceARN"), [])


def _budget(request: Response, name: str) -> models.Budget:
    budgets = request.backend.budgets[request._get_param("AccountId")]
    if name not in budgets:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return budgets[name]


def _notification(request: Response, parameter: str = "Notification") -> models.Notification:
    """The optional fields have defaults on AWS, so that a notification is found with and without them."""
    budget = _budget(request, request._get_param("BudgetName"))
    wanted = _identity(request._get_param(parameter))
    for notification in budget.notifications:
        if _identity(notification.details) == wanted:
            return notification
    raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")


def _identity(details: dict[str, Any]) -> tuple[Any, ...]:
    return (
        details["NotificationType"],
        details["ComparisonOperator"],
        float(details["Threshold"]),
        details.get("ThresholdType", "PERCENTAGE"),
    )

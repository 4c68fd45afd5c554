"""CloudWatch: composite alarms, which Moto's model has room for and its API lacks."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch import models, responses
from moto.core.responses import ActionResult, EmptyResult

from .patching import around, operation

Response = responses.CloudWatchResponse


@operation(Response)
def put_composite_alarm(self) -> ActionResult:
    alarm = self.cloudwatch_backend.put_metric_alarm(
        name=self._get_param("AlarmName"),
        rule=self._get_param("AlarmRule"),
        description=self._get_param("AlarmDescription"),
        actions_enabled=self._get_param("ActionsEnabled", True),
        alarm_actions=self._get_param("AlarmActions", []),
        ok_actions=self._get_param("OKActions", []),
        insufficient_data_actions=self._get_param("InsufficientDataActions", []),
        tags=self._get_param("Tags", []),
        dimensions=[],
        **dict.fromkeys(
            (
                "namespace",
                "metric_name",
                "comparison_operator",
                "evaluation_periods",
                "period",
                "threshold",
                "statistic",
            )
        ),
    )
    for setting in ("ActionsSuppressor", "ActionsSuppressorExtensionPeriod", "ActionsSuppressorWaitPeriod"):
        name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in setting)[1:]
        setattr(alarm, name, self._get_param(setting))
    return EmptyResult()


@around(models.Alarm, "__init__")
def describe_the_rule(original, self, *args: Any, **kwargs: Any) -> None:
    """DescribeAlarms is rendered from attributes, and the rule's name there is `alarm_rule`."""
    original(self, *args, **kwargs)
    self.alarm_rule = self.rule

"""WAF: a web ACL in use is not deleted, and it tells what uses it."""

from __future__ import annotations

import json

from moto.elbv2.models import elbv2_backends
from moto.wafv2 import models, responses
from moto.wafv2.exceptions import WAFv2ClientError

from .patching import around, operation

Response = responses.WAFV2Response
MESSAGE = (
    "AWS WAF couldn’t perform the operation because your resource is being used by another resource or it’s associated "
    "with another resource."
)


def _users(backend: models.WAFV2Backend, arn: str) -> list[str]:
    """A load balancer that is gone uses nothing."""
    balancers = elbv2_backends[backend.account_id][backend.region_name].load_balancers
    return [each for each in backend.wacls[arn].associated_resources if each in balancers]


@around(models.WAFV2Backend, "associate_web_acl")
def have_one_at_a_time(original, self, web_acl_arn: str, resource_arn: str) -> None:
    if web_acl_arn in self.wacls:
        for each in self.wacls.values():
            each.associated_resources = [one for one in each.associated_resources if one != resource_arn]
    original(self, web_acl_arn, resource_arn)


@around(models.WAFV2Backend, "delete_web_acl")
def refuse_what_is_in_use(original, self, name: str, scope: str, _id: str, lock_token: str) -> None:
    for arn, each in self.wacls.items():
        if each.id == _id and _users(self, arn):
            raise WAFv2ClientError("WAFAssociatedItemException", MESSAGE)
    original(self, name, scope, _id, lock_token)


@operation(Response)
def list_resources_for_web_acl(self) -> tuple[int, dict[str, str], str]:
    arn = json.loads(self.body)["WebACLArn"]
    self.wafv2_backend.get_web_acl(arn, None, None)
    return 200, {}, json.dumps({"ResourceArns": _users(self.wafv2_backend, arn)})

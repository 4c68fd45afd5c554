"""EC2: rules between groups keep their description, launch templates their tags, gateways take their interface along."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import nat_gateways, security_groups
from moto.ec2.responses import launch_templates

from .patching import around


def _description(self: security_groups.SecurityGroupRule) -> str | None:
    """Moto looks for it in CIDR rules alone, so that a rule that names a group always differs."""
    return self.ip_range.get("Description") or self.source_group.get("Description")


security_groups.SecurityGroupRule.description = property(_description)


@around(launch_templates.LaunchTemplates, "create_launch_template")
def keep_template_tags_out_of_the_version(original, self) -> Any:
    """Moto copies the template's own tags into the version's data, where the next plan removes them."""
    result = original(self)
    names = [self._get_param("LaunchTemplateName")]
    for template in self.ec2_backend.describe_launch_templates(template_names=names):
        for version in template.versions:
            specifications = version.data.get("TagSpecifications", [])
            version.data["TagSpecifications"] = [
                each for each in specifications if each.get("ResourceType") != "launch-template"
            ]
    return result


@around(nat_gateways.NatGatewayBackend, "delete_nat_gateway")
def take_the_interface_along(original, self, nat_gateway_id: str) -> nat_gateways.NatGateway:
    """Moto leaves the network interface that it made for the gateway."""
    gateway = original(self, nat_gateway_id)
    self.enis.pop(gateway._eni.id, None)
    return gateway

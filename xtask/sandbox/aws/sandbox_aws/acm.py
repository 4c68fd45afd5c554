"""ACM: a certificate that a listener uses says so and is not deleted."""

from __future__ import annotations

from typing import Any

from moto.acm import models
from moto.acm.exceptions import AWSError
from moto.elbv2.models import elbv2_backends

from .patching import around


class ResourceInUse(AWSError):
    TYPE = "ResourceInUseException"


def _users(certificate: models.CertBundle) -> list[str]:
    _, _, _, region, account, _ = certificate.arn.split(":", 5)
    balancers = elbv2_backends[account][region].load_balancers.values()
    return [
        balancer.arn
        for balancer in balancers
        for listener in balancer.listeners.values()
        if certificate.arn in (listener.certificates or []) or certificate.arn == listener.certificate
    ]


@around(models.CertBundle, "describe")
def say_who_uses_it(original, self) -> dict[str, Any]:
    self.in_use_by = _users(self)
    return original(self)


@around(models.AWSCertificateManagerBackend, "delete_certificate")
def refuse_what_is_in_use(original, self, arn: str) -> None:
    certificate = self._certificates.get(arn)
    if certificate and _users(certificate):
        raise ResourceInUse(message=f"Certificate {arn} in account {self.account_id} is in use.")
    original(self, arn)

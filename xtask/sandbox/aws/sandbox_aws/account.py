"""What the sandbox's account has from the start: what a person would have set up in a real one."""

from __future__ import annotations

from moto.iam.models import iam_backends
from moto.route53.models import route53_backends

#: AWS's documentation account, which Moto answers with.
ACCOUNT, PARTITION = "123456789012", "aws"
#: Whose access key the sandbox hands out.
USER = "sandbox"
#: Domains that nobody can own (RFC 2606): environments that serve one need its delegated zone.
DOMAINS = ("example.com", "example.net", "example.org")


def furnish() -> tuple[str, str]:
    """Returns the id and the secret of the user's access key.

    It is a real key of a real IAM user, so that callers have an identity that access entries can name.
    """
    route53 = route53_backends[ACCOUNT][PARTITION]
    for domain in DOMAINS:
        route53.create_hosted_zone(name=domain, private_zone=False, comment="Delegated by a person")
    iam = iam_backends[ACCOUNT][PARTITION]
    iam.create_user(region_name="us-east-1", user_name=USER)
    key = iam.create_access_key(USER)
    return key.access_key_id, key.secret_access_key

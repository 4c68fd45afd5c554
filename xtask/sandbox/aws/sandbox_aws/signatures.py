"""Signature Version 4 of a presigned query, which Moto never checks.

The Kubernetes API authenticates callers by such a query (an EKS token), so that a token made for another
cluster, with another key or a minute too old must fail here as it does at STS.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote

from moto.core.exceptions import ServiceException

#: STS allows clocks to differ by this much.
CLOCK_SKEW = datetime.timedelta(minutes=5)
STS_LIFETIME = datetime.timedelta(minutes=15)
EMPTY_BODY = hashlib.sha256(b"").hexdigest()


class Refused(ServiceException):
    """The code is one of STS's: InvalidClientTokenId, SignatureDoesNotMatch or ExpiredToken."""


def is_presigned(query: str) -> bool:
    return "X-Amz-Signature=" in query


def check(query: str, headers: Mapping[str, str], secret_of: Callable[[str], str | None]) -> str:
    """Returns the access key id of a valid presigned GET of `/`; raises `Refused` otherwise."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    try:
        key, date, region, service, _ = given["X-Amz-Credential"].split("/")
        signed, signature = given["X-Amz-SignedHeaders"].split(";"), given["X-Amz-Signature"]
        made = datetime.datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        lifetime = datetime.timedelta(seconds=int(given["X-Amz-Expires"]))
    except (KeyError, ValueError) as error:
        raise Refused("IncompleteSignature", f"The presigned request is malformed: {error}") from None
    secret = secret_of(key)
    if secret is None:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    # STS takes a presigned query for 15 minutes, whatever it says; EKS logins rely on that.
    lifetime = max(lifetime, STS_LIFETIME)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    if not made - CLOCK_SKEW <= now <= made + lifetime:
        raise Refused("ExpiredToken", f"Signature expired: made {made}, valid for {lifetime}, now {now}")
    canonical = _canonical_request(query, signed, headers)
    scope = f"{date}/{region}/{service}/aws4_request"
    text = (
        f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    signing_key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.new(signing_key, text.encode(), "sha256").hexdigest(), signature):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    return key


def _canonical_request(query: str, signed: list[str], headers: Mapping[str, str]) -> str:
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name != "X-Amz-Signature"
    )
    canonical_query = "&".join(f"{name}={value}" for name, value in pairs)
    canonical_headers = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed)
    return "\n".join(("GET", "/", canonical_query, canonical_headers, ";".join(signed), EMPTY_BODY))

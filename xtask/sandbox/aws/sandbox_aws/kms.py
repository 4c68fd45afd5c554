"""KMS: a key that is disabled or waits for its deletion serves nobody. Moto lets it encrypt and decrypt."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms import models

from .patching import around


class InvalidState(JsonRESTError):
    code = 400

    def __init__(self, arn: str, state: str) -> None:
        super().__init__("KMSInvalidStateException", f"{arn} is {state}.")


def unusable(backend: models.KmsBackend, key_id: str) -> str | None:
    """The state of a key that serves nobody; None for one that does, and for one that is not here."""
    found = backend.any_id_to_key_id(key_id)
    key = backend.keys.get(backend.get_key_id(found)) if found else None
    return key.key_state if key and key.key_state != "Enabled" else None


@around(models.KmsBackend, "encrypt")
def encrypt_with_a_key_that_serves(original, self, *args: Any, **kwargs: Any) -> tuple[bytes, str]:
    return _served(self, original(self, *args, **kwargs))


@around(models.KmsBackend, "decrypt")
def decrypt_with_a_key_that_serves(original, self, *args: Any, **kwargs: Any) -> tuple[bytes, str]:
    return _served(self, original(self, *args, **kwargs))


def _served(backend: models.KmsBackend, answer: tuple[bytes, str]) -> tuple[bytes, str]:
    state = unusable(backend, answer[1])
    if state:
        raise InvalidState(answer[1], state)
    return answer

"""RDS: one identity an instance, parameters that stay set, and a PostgreSQL server behind each of them."""

from __future__ import annotations

import uuid
from typing import Any

from moto.kms.models import kms_backends
from moto.rds import models
from moto.rds.exceptions import RDSClientError

from . import control, kms
from .patching import around

#: What a create or modify call may set and Moto does not take from it.
PASSED_ON = (
    "monitoring_interval",
    "monitoring_role_arn",
    "performance_insights_kms_key_id",
    "performance_insights_retention_period",
)
#: Days that Performance Insights keeps when nobody says otherwise: the free tier of the real service.
DEFAULT_INSIGHTS_RETENTION_DAYS = 7
#: The certificate authority of an instance that names none; Moto has one that expired in 2024.
DEFAULT_AUTHORITY = "rds-ca-rsa2048-g1"


def _resource_id(instance: models.DBInstance) -> str:
    """Moto gives every instance the same id, and the provider finds instances by it: the second
    environment, or a replica, would not be found."""
    name = f"{instance.region}/{instance.db_instance_identifier}/{uuid.uuid4()}"
    return "db-" + uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:26].upper()


def _set_insights(instance: models.DBInstance, asked: dict[str, Any]) -> None:
    """Moto forgets Performance Insights and enhanced monitoring: the next plan would set them again."""
    for key in PASSED_ON:
        if asked.get(key) is not None:
            setattr(instance, key, asked[key])
    instance.performance_insights_enabled = bool(asked.get("enable_performance_insights"))
    if instance.performance_insights_enabled and not asked.get("performance_insights_retention_period"):
        instance.performance_insights_retention_period = DEFAULT_INSIGHTS_RETENTION_DAYS


@around(models.DBInstance, "__init__")
def give_an_identity(original, self, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.dbi_resource_id = _resource_id(self)
    self.ca_certificate_identifier = kwargs.get("ca_certificate_identifier") or DEFAULT_AUTHORITY
    _set_insights(self, kwargs)


@around(models.DBInstance, "update")
def keep_insights_switch(original, self, *args: Any, **kwargs: Any) -> None:
    """The request says `enable_…`, the description `…_enabled`; Moto stores only the first."""
    original(self, *args, **kwargs)
    if kwargs.get("enable_performance_insights") is not None:
        self.performance_insights_enabled = kwargs["enable_performance_insights"]


@around(models.RDSBackend, "create_db_instance")
def start_a_server(original, self, db_kwargs: dict[str, Any]) -> models.DBInstance:
    """The endpoint that DescribeDBInstances returns is where a server accepts the master's password.

    A snapshot is restored through here, too, and cannot be read with a key that serves nobody.
    """
    key = db_kwargs.get("kms_key_id")
    state = kms.unusable(kms_backends[self.account_id][self.region_name], key) if key else None
    if state:
        raise RDSClientError("KMSKeyNotAccessibleFault", f"The KMS key {key} is {state}.")
    instance = original(self, db_kwargs)
    _start(self, instance, password=db_kwargs.get("master_user_password"), source=None)
    return instance


@around(models.RDSBackend, "create_db_instance_read_replica")
def start_a_replica(original, self, db_kwargs: dict[str, Any]) -> models.DBInstance:
    """Moto copies the primary, with settings that AWS does not inherit (logs, IAM login, protection)."""
    replica = original(self, db_kwargs)
    replica.dbi_resource_id = _resource_id(replica)
    replica.deletion_protection = bool(db_kwargs.get("deletion_protection"))
    replica.enabled_cloudwatch_logs_exports = db_kwargs.get("enable_cloudwatch_logs_exports") or []
    replica.enable_iam_database_authentication = bool(db_kwargs.get("enable_iam_database_authentication"))
    replica.max_allocated_storage = db_kwargs.get("max_allocated_storage") or replica.allocated_storage
    replica.backup_retention_period = db_kwargs.get("backup_retention_period") or 0
    replica.multi_az = bool(db_kwargs.get("multi_az"))
    _set_insights(replica, db_kwargs)
    _start(self, replica, password=None, source=db_kwargs["source_db_instance_identifier"].split(":")[-1])
    return replica


def _start(
    backend: models.RDSBackend, instance: models.DBInstance, password: str | None, source: str | None
) -> None:
    if not control.available() or instance.engine != "postgres":
        return
    try:
        server = control.create_database(
            {
                "identifier": instance.db_instance_identifier,
                "engine_version": instance.engine_version,
                "master_username": instance.master_username,
                "master_password": password,
                "database_name": instance.db_name,
                "source_identifier": source,
                "parameters": _parameters(backend, instance),
            }
        )
    except control.ControlError as error:
        backend.databases.pop(instance.db_instance_identifier, None)
        if source:
            backend.find_db_from_id(source).remove_replica(instance)
        # A client error, because the provider would repeat a server error for minutes.
        raise RDSClientError("InvalidParameterCombination", str(error)) from None
    instance.server_address = server["address"]
    instance.port = server["port"]


def _parameters(backend: models.RDSBackend, instance: models.DBInstance) -> dict[str, str]:
    """What somebody set in the instance's parameter group; a server reads it once, when it starts."""
    group = backend.db_parameter_groups.get(instance.db_parameter_group_name)
    parameters = group.parameters.items() if group else ()
    return {name: str(each["ParameterValue"]) for name, each in parameters if "ParameterValue" in each}


@around(models.RDSBackend, "modify_db_instance")
def change_the_password(original, self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
    password = db_kwargs.get("master_user_password")
    # The port of the request is that of the configuration (5432); the server keeps its own.
    db_kwargs.pop("port", None)
    instance = original(self, db_instance_identifier, db_kwargs)
    if password and hasattr(instance, "server_address"):
        try:
            control.set_database_password(instance.db_instance_identifier, password)
        except control.ControlError as error:
            raise RDSClientError("InvalidParameterCombination", str(error)) from None
    return instance


@around(models.RDSBackend, "delete_db_instance")
def stop_the_server(original, self, *args: Any, **kwargs: Any) -> models.DBInstance:
    instance = original(self, *args, **kwargs)
    if hasattr(instance, "server_address"):
        try:
            control.delete_database(instance.db_instance_identifier)
        except control.ControlError as error:
            self.databases[instance.db_instance_identifier] = instance
            raise RDSClientError("InvalidDBInstanceState", str(error)) from None
    return instance


_described_address = models.DBInstance.address.fget


@property
def _address(self: models.DBInstance) -> str:
    return getattr(self, "server_address", None) or _described_address(self)


models.DBInstance.address = _address


@around(models.DBParameterGroup, "update_parameters")
def mark_as_set_by_the_user(original, self, new_parameters: Any) -> None:
    """The provider reads back only parameters with source `user`; Moto leaves the source out."""
    new_parameters = list(new_parameters)
    original(self, new_parameters)
    for parameter in new_parameters:
        self.parameters[parameter["ParameterName"]]["Source"] = "user"

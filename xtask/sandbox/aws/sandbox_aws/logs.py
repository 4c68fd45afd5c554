"""CloudWatch Logs: what a service still delivers brings back a log group that was deleted before."""

from __future__ import annotations

from moto.eks.models import eks_backends
from moto.logs import models

from .patching import around

#: Groups that were made again; a second deletion is the last, as the lines have arrived by then.
_delivered: set[tuple[str, str, str]] = set()


@around(models.LogsBackend, "delete_log_group")
def deliver_the_last_lines(original, self, log_group_name: str) -> None:
    """EKS delivers its control plane's last lines after the cluster is gone: into a new group of that name,
    without tags, encryption or an end."""
    original(self, log_group_name)
    key = (self.account_id, self.region_name, log_group_name)
    start, end = "/aws/eks/", "/cluster"
    if not (log_group_name.startswith(start) and log_group_name.endswith(end)):
        return
    cluster = log_group_name[len(start) : -len(end)]
    if key in _delivered or cluster in eks_backends[self.account_id][self.region_name].clusters:
        _delivered.discard(key)
    else:
        _delivered.add(key)
        self.ensure_log_group(log_group_name)

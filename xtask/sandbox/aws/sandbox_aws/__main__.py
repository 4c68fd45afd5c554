"""Serves the sandbox's AWS on loopback: `python -m sandbox_aws [port]` (0, the default, picks a port).

Environment, set by the supervisor: SANDBOX_CONTROL_URL (see `control`), SANDBOX_READY_FILE and
SANDBOX_SUPERVISOR_PID (see `server`).
"""

import os
import sys

# Moto reads these when it is imported. Managed policies: roles attach AWS's own. Validation wait: a
# certificate is issued at once instead of after a minute.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "0")
# Moto makes AWS clients of its own in places; they must never look for real credentials.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

from . import acm, backup, budgets, cloudwatch, ec2, eks, guardduty, kms, logs, rds, s3, server, sts, tagging, wafv2  # noqa: E402

PATCHED = (acm, backup, budgets, cloudwatch, ec2, eks, guardduty, kms, logs, rds, s3, sts, tagging, wafv2)

if __name__ == "__main__":
    server.serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0)

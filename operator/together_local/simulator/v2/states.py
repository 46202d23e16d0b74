"""The states of a deployment.

Why: they are Together's words, which ledger, views and admin routes all speak.
"""

PREFIX = "DEPLOYMENT_STATE_"

PROVISIONING = PREFIX + "PROVISIONING"
SCALING = PREFIX + "SCALING"
READY = PREFIX + "READY"
DEGRADED = PREFIX + "DEGRADED"
STOPPING = PREFIX + "STOPPING"
STOPPED = PREFIX + "STOPPED"
FAILED = PREFIX + "FAILED"
#: Known to the ledger alone.
DELETED = "DELETED"

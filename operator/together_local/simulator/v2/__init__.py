"""API v2 of the simulated Together: projects, endpoints with a traffic split, deployments.

Why a package of its own: the second generation shares the clock, the hardware, the keys
and the ledger with the first, and not one resource.
"""

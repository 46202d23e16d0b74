"""A faithful local Together AI: HTTP on loopback, ledger, faults, no bill.

Why: endpoints cost dollars per hour, and what matters most about an operator for
them - never one too many, never one left behind - shows only when things go wrong,
which the real service does not do on request.
"""

from together_local.simulator.client import AdminClient, AdminError
from together_local.simulator.process import (
    SimulatorProcess,
    SimulatorStartError,
    start_simulator,
)
from together_local.simulator.server import PortTakenError, Simulator
from together_local.simulator.world import Options, Profile

__all__ = [
    "AdminClient",
    "AdminError",
    "Options",
    "PortTakenError",
    "Profile",
    "Simulator",
    "SimulatorProcess",
    "SimulatorStartError",
    "start_simulator",
]

"""One driver per generation of Together's API, behind one Protocol."""

from together_operator.drivers.driver import Driver
from together_operator.drivers.v1 import V1Driver
from together_operator.resource.hardware import v1_hardware

__all__ = ["Driver", "V1Driver", "v1_hardware"]

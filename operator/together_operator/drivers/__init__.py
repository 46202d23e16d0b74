"""One driver per generation of Together's API, behind one Protocol."""

from together_operator.drivers.driver import Deployer, Driver
from together_operator.drivers.v1 import V1Driver
from together_operator.drivers.v2 import V2Driver
from together_operator.resource.hardware import v1_hardware, v2_hardware

__all__ = ["Deployer", "Driver", "V1Driver", "V2Driver", "v1_hardware", "v2_hardware"]

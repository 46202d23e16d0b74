"""Our client and driver against the simulated Together, over HTTP."""

"""Everything for one machine: a simulated Together, a control plane, a demo."""

"""The official clients, unmodified, as judges of the simulator."""

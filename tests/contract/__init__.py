"""What clients and the simulated Together hold each other to."""

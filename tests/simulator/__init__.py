"""What a test may rely on when it uses the simulated Together."""

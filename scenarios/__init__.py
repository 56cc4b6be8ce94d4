"""Ready scenarios, found by name."""

"""Client: placeholder."""

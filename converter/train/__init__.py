"""`fer-convert train`."""

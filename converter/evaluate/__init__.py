"""`fer-convert evaluate`."""

"""`fer-convert explore`."""

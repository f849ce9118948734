"""`fer-edge service`: install, inspect and remove the systemd service."""

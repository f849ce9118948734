"""Living with the daemon: its health, what it tells systemd, what is known of the clock."""

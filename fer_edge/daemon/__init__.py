"""The daemon: composition, main loop, commands, health, systemd."""

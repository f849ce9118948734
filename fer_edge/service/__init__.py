"""`fer-edge service`: makes a systemd service of the program that runs, says how it is, and takes it away again."""

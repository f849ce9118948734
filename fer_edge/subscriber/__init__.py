"""The `fer-edge events` command: subscribe, print, audit."""

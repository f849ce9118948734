"""Scores to events: smoothing, hysteresis, track life cycle, window statistics. Pure; time is in seconds.

smoothing (average of one track) -> hysteresis (its expression) -> lifecycle (all tracks) -> summary (a window).
"""

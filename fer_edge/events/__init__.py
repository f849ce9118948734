"""Scores become events: smoothing, thresholds, dwell, coming and going, summaries. Pure, and in seconds.

rules (the settings), evidence (what a face's scores were lately) -> belief (which expression that supports) ->
reading (for how long) -> visit (one face, first frame to last) -> decider (all faces) -> summary (a window of it).
"""

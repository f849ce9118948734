"""Scores kept for later, numbers only: what a camera or a video gave, step by step, so that it can be decided again.

steps (one frame, tick or farewell) <-> rows (of a CSV table) <-> score_file (a table on disk) and ring (of tables).
"""

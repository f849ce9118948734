"""Replay of recorded scores with other thresholds, and search for thresholds. No images are needed.

replay (recorded scores through the event detector) -> search (thresholds) -> report; ground_truth (labels of a person)
"""

"""Other settings on kept scores: what would have been told, and which thresholds suit. No pixel is needed for it.

replay (scores through the very decide code) -> compare (new, gone, moved) -> sweep (over a threshold) -> propose
labels (what a person saw) judges; picture, report and progress show, command puts all together
"""

"""Saved videos: every frame through the daemon's own pipeline, and files that a person or a program reads out of it.

plan (which file gives which outputs) -> analyse (one video: pipeline with observeres) -> report
observeres: annotated_video, event_file, score_table, timeline, tally
spread (over processes, or a Dask cluster) and command (what the terminal shows) are around it
"""

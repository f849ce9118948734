"""Analysis of saved videos: every frame through the daemon's pipeline, and files written from the results.

jobs (videos and outputs) -> parallel (processes, or a Dask cluster) -> analyze (one video) -> command (reports)
Observers of the pipeline: annotated, tables, timeline, statistics.
"""

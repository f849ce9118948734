"""Recording of scores, numbers only, so that events can be replayed with other thresholds.

format (CSV table of scores) <- rotation (bounded set of tables) <- recorder (pipeline observer and writer thread).
"""

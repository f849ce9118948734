"""The live page: what the daemon sees, for whoever is let in to look. Optional; nothing is encoded while nobody does.

main thread -> stage (one slot, newest wins) -> pictures (one encoder for all watchers) -> page (Flask) -> server
guard (who may look) and seats (how many) stand at the door; drafts tries other thresholds on the last minutes
"""

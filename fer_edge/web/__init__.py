"""Live web page, optional. No frame is encoded without a viewer.

main thread -> live_state (one slot, newest wins) -> stream (one encoder for all viewers) -> app (Flask) -> server
auth: token and host names; connections: connection limiter; whatif: other thresholds on the last minutes
"""

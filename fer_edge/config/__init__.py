"""Settings: types, loading, run-time overrides."""

"""Settings: types, loading, overrides at run time."""

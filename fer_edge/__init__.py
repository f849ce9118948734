"""fer-edge: a headless daemon that reads facial expressions and publishes them over MQTT."""

__version__ = "0.1.0"

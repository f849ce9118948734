"""`fer-convert quantize` and `card`."""

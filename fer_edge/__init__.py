"""fer-edge: a headless daemon that reads facial expressions and publishes them over MQTT."""

import os

__version__ = "0.1.0"

# Largest frame that is decoded: 7680x4320 (8K), 100 MB as BGR. OpenCV checks the header of an image before it decodes
# it, but reads its limit at import: so the limit is set before any module here imports it. A user's own is kept.
MAX_PIXELS = 1 << 25
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

"""fer-edge: a headless daemon that reads facial expressions and publishes them over MQTT."""

import os

__version__ = "0.1.0"

# Largest picture that is decoded: 7680x4320 (8K), 100 MB as BGR. OpenCV counts the pixels in the header of an image
# before it decodes any, but reads its limit when it is loaded: so it is set before any module here loads it. A user's
# own is kept.
MAX_PIXELS = 1 << 25
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

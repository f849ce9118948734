"""Frame sources, the capture thread and the latest-frame slot.

uri -> sources (v4l2, network, video, images, picamera) -> supervisor, camera -> LatestFrame
                                                        -> play (analysis: drops nothing)
"""

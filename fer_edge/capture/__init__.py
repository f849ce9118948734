"""Where frames come from: sources, the thread that reads them, and the one slot in which the newest frame waits.

address -> sources (v4l2, stream, video, folder, picamera) -> supervise, camera -> latest_frame
                                                           -> playback (analysis: drops nothing)
"""

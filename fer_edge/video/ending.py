"""Whether a video ends where it says that it does, found out without decoding it.

Matroska, WebM and MPEG-TS do not count their pictures. The count that OpenCV states for them is made up from length and
rate: far too high where the rate varies, or where the sound goes on after the last picture.
"""

from pathlib import Path

# Of the length; a container's own is rounded, and may count a last picture or a last piece of sound that is not there.
TOLERANCE = 0.05
SLACK_S = 0.5


def reaches_its_end(path: Path) -> bool:
    """Whether what can be read of a file goes as far as the length that its container states.

    False also for a container that counts its pictures: there the count is what has to be reached. And without PyAV,
    which comes with the extra `video`.
    """
    try:
        import av  # noqa: PLC0415  the extra
    except ImportError:
        return False
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path.absolute())) as container:
            if container.duration is None or any(stream.frames for stream in container.streams.video):
                return False
            stated_s = container.duration / av.time_base
            begin_s = (container.start_time or 0) / av.time_base
            # A segment of a longer video may keep its place in it, and state where it ends for how long it is.
            from_s = 0.0 if 0.0 < begin_s < stated_s else begin_s
            ends = (
                float((packet.pts + (packet.duration or 0)) * packet.time_base)
                for packet in container.demux()
                if packet.size and packet.pts is not None
            )
            return max(ends, default=begin_s) - from_s >= stated_s * (1.0 - TOLERANCE) - SLACK_S
    except av.error.FFmpegError:
        return False

"""An RTSP camera for tests: a ball that moves, H.264, at 15 frames a second.

Run by Debian's own Python, which has the GObject bindings: /usr/bin/python3 rtsp_server.py PORT [USER PASSWORD]
Prints `ready` when it listens on the loopback address; the stream is at /live, over UDP alone at /udp, interlaced at
/interlaced, and with pixels of 4:3 at /wide.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! "
X264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
PAY = "h264parse ! rtph264pay name=pay0"
PIPELINES = {
    "/live": f"( {BALL}{X264} ! {PAY} )",
    "/udp": f"( {BALL}{X264} ! {PAY} )",
    "/interlaced": f"( {BALL}interlace field-pattern=1:1 ! {X264} interlaced=true ! {PAY} )",
    "/wide": f"( {BALL}capssetter caps=video/x-raw,pixel-aspect-ratio=4/3 ! {X264} ! {PAY} )",
}


def demand_password(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
):
    """Let nobody see the stream without Basic authentication."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    access = Gst.Structure.new_empty("viewer")
    access.set_value("media.factory.access", True)
    access.set_value("media.factory.construct", True)
    factory.add_role_from_structure(access)


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for path, pipeline in PIPELINES.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(pipeline)
        factory.set_shared(True)
        if path == "/udp":
            factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        if len(sys.argv) > 2:
            demand_password(server, factory, sys.argv[2], sys.argv[3])
        server.get_mount_points().add_factory(path, factory)
    if not server.attach(None):
        sys.exit(f"port {sys.argv[1]} is taken")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


main()

"""amqtt, an MQTT 3.1.1 broker in pure Python, as a process: `python -m fer_edge.demo.amqtt_broker`."""

import asyncio
import signal
import sys

from amqtt.broker import Broker


async def serve(address: str, port: int) -> None:
    """Serve on ``address``:``port`` without authentication, until SIGTERM or Ctrl-C."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{address}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stopped.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))

"""Runs amqtt, an MQTT 3.1.1 broker in pure Python, until it is told to end: `python -m fer_edge.demo.amqtt_broker`."""

import asyncio
import signal
import sys

from amqtt.broker import Broker


async def serve(address: str, port: int) -> None:
    """Listens on ``address``:``port`` for anybody, until SIGTERM or Ctrl-C."""
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{address}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await told_to_end.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))

"""A paho client as the settings want it: who we are, version, transport, TLS. It connects nowhere by itself."""

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from fer_edge.deliver.credentials import Credentials
from fer_edge.deliver.trouble import Broker
from fer_edge.deliver.versions import Version

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


def make_client(broker: Broker, credentials: Credentials, version: Version) -> Client:
    """One for one link: its socket is served by whoever makes it, and it never connects again by itself."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if version == "5" else True,
        protocol=PROTOCOLS[version],
        transport="websockets" if broker.websocket_path else "tcp",
        reconnect_on_failure=False,  # also keeps paho from trying MQTT 3.1 by itself
    )
    if broker.websocket_path:
        client.ws_set_options(broker.websocket_path)
    if credentials.username:
        client.username_pw_set(credentials.username, credentials.password)
    if credentials.tls is not None:
        client.tls_set_context(credentials.tls)
    return client

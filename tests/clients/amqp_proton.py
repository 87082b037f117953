#!/usr/bin/python3
"""qpid-proton's own client against the hub: what the vendor's SDKs do not do. SASL PLAIN, plain CBS with a ulong id, a
batch, refusals by condition. usage: amqp_proton.py (skips with 77 where python3-qpid-proton is not installed)"""
import base64, pathlib, sys, urllib.request, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proton_hub import Hub, harness, proton, token
from proton.utils import LinkDetached


def refused(condition, action):
    try:
        action()
    except LinkDetached as error:
        assert condition in str(error), error
    else:
        raise AssertionError(f"not refused: {condition}")


def main():
    with harness.Server() as server:
        server.cli("hub", "create", "home")
        for device in ("d1", "d2"):
            server.cli("device", "create", device, "--hub", "home")
        text = server.cli("device", "connection-string", "d1", "--hub", "home").strip()
        known = dict(part.split("=", 1) for part in text.split(";"))
        hub, key = Hub(server), known["SharedAccessKey"]
        mine = token("127.0.0.1/devices/d1", key)

        # CBS with a ulong id, telemetry, and another device's address refused.
        connection = hub.connect()
        refused("unauthorized-access", lambda: connection.create_sender("/devices/d1/messages/events"))
        assert hub.put_token(connection, mine) == 200
        assert hub.put_token(connection, token("127.0.0.1/devices/d1", key, -3600), uuid.uuid4()) == 401
        assert hub.put_token(connection, "nonsense", "a string") == 401
        sender = connection.create_sender(f"{hub.url}/devices/d1/messages/events")
        sender.send(proton.Message(body=b"one", inferred=True, id="m1"))
        inner = [proton.Message(body=text, inferred=True, id=f"b{text}").encode() for text in (b"2", b"3")]
        batch = b"".join(b"\x00\x53\x75\xb0" + len(one).to_bytes(4, "big") + one for one in inner)
        delivery = sender.link.delivery("batch")
        sender.link.stream(batch)
        sender.link.advance()
        connection.wait(lambda: delivery.settled, msg="the batch")
        assert delivery.remote_state == proton.Delivery.ACCEPTED, delivery.remote_state
        refused("unauthorized-access", lambda: connection.create_sender("/devices/d2/messages/events"))
        refused("not-found", lambda: connection.create_sender("/nowhere/at/all"))
        try:
            sender.send(proton.Message(body=b"x" * 300_000, inferred=True))
            raise AssertionError("a message above 256 KiB was accepted")
        except proton.utils.SendException as error:
            assert error.state == proton.Delivery.REJECTED, error
        sender.send(proton.Message(body=b"four", inferred=True))  # the link still stands
        connection.close()

        # SASL PLAIN carries the same token.
        connection = hub.connect("PLAIN", user="d1@sas.home", password=mine)
        connection.create_sender("/devices/d1/messages/events").send(proton.Message(body=b"plain", inferred=True))
        connection.close()
        try:
            hub.connect("PLAIN", user="d1@sas.home", password=token("127.0.0.1/devices/d1", base64.b64encode(b"x" * 32)))
            raise AssertionError("PLAIN with a wrong key was accepted")
        except proton.ConnectionException as error:
            assert "uthentication" in str(error) or "unauthorized" in str(error), error
        request = urllib.request.Request(server.profile["server"] + "/metrics",
                                         headers={"Authorization": "Bearer " + server.profile["token"]})
        with urllib.request.urlopen(request) as answer:
            assert "fieldwatch_hub_messages_total 5\n" in answer.read().decode()
    print("ok")


main()

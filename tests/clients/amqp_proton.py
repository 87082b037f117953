#!/usr/bin/python3
"""qpid-proton's own client against the hub: what the vendor's SDKs do not do. SASL PLAIN, plain CBS with a ulong id, a
batch, refusals by condition. usage: amqp_proton.py (skips with 77 where python3-qpid-proton is not installed)"""
import base64, hashlib, hmac, pathlib, sys, time, urllib.parse, urllib.request, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness

try:
    import proton
    from proton.utils import BlockingConnection, LinkDetached
except ImportError:
    print("SKIPPED: python3-qpid-proton is not installed")
    sys.exit(77)


def token(resource, key, lifetime=3600, policy=None):
    resource = urllib.parse.quote(resource, safe="")
    expiry = int(time.time()) + lifetime
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    text = f"SharedAccessSignature sr={resource}&sig={urllib.parse.quote(base64.b64encode(digest))}&se={expiry}"
    return text + (f"&skn={policy}" if policy else "")


class Hub:
    def __init__(self, server):
        self.server = server
        self.port = server.profile["amqpPort"]
        self.url = f"amqps://localhost:{self.port}"
        self.domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
        self.domain.set_trusted_ca_db(server.profile["caFile"])
        self.domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER_NAME)

    def connect(self, mechanism="ANONYMOUS", **options):
        return BlockingConnection(self.url, timeout=10 * harness.PATIENCE, ssl_domain=self.domain, allowed_mechs=mechanism,
                                  heartbeat=30, **options)

    def put_token(self, connection, text, message_id=proton.ulong(7)):
        sender = connection.create_sender("$cbs")
        receiver = connection.create_receiver("$cbs", credit=1)
        request = proton.Message(body=text, properties={
            "operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": "whatever"})
        request.id = message_id
        sender.send(request)
        answer = receiver.receive(timeout=10 * harness.PATIENCE)
        receiver.accept()
        sender.close()
        receiver.close()
        assert answer.correlation_id == message_id, answer  # a UUID is no text, a number is neither
        assert isinstance(answer.properties["status-code"], int) and answer.properties["status-description"]
        return answer.properties["status-code"]


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

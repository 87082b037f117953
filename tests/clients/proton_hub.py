"""The hub over qpid-proton's own client: tokens, connections, put-token. Ends with 77 where python3-qpid-proton is not
installed, as a test that is skipped."""
import base64, hashlib, hmac, pathlib, sys, time, urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness

try:
    import proton
    from proton.utils import BlockingConnection
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

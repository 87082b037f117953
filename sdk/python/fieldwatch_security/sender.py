"""MQTT 3.1.1 over TLS to a hub: as much of it as sending confirmed messages takes."""

import base64
import hashlib
import hmac
import socket
import ssl
import time
from urllib.parse import quote

_API = "2021-04-12"


class Refused(ConnectionError):
    """The hub said no: CONNACK code 4 or 5 is a credential, others its state."""


def _text(value):
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def _packet(kind, body):
    size, length = len(body), b""
    while True:
        size, digit = size >> 7, size & 127
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


class Sender:
    """One connection, made at the first send. `ca_file`: PEM of whom to trust; the server's name is always checked.

    `port` and `connect_host` override what the connection string's HostName says."""

    def __init__(self, connection_string, ca_file=None, *, port=None, connect_host=None, timeout=30):
        parts = dict(pair.split("=", 1) for pair in connection_string.strip().split(";") if "=" in pair)
        host, _, named_port = parts["HostName"].partition(":")
        self._host, self._device, self._module = host, parts["DeviceId"], parts.get("ModuleId")
        self._key = base64.b64decode(parts["SharedAccessKey"])
        self._connect = (connect_host or host, int(port or named_port or 8883))
        self._context = ssl.create_default_context(cafile=ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._timeout, self._socket, self._packet_id, self._renew = timeout, None, 0, 0

    def _token(self):
        scope = f"{self._host}/devices/{self._device}" + (f"/modules/{self._module}" if self._module else "")
        resource, expiry = quote(scope, safe=""), int(time.time()) + 3600
        digest = hmac.new(self._key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
        return f"SharedAccessSignature sr={resource}&sig={quote(base64.b64encode(digest), safe='')}&se={expiry}"

    def _open(self):
        plain = socket.create_connection(self._connect, self._timeout)
        self._socket = self._context.wrap_socket(plain, server_hostname=self._host)
        identity = self._device + (f"/{self._module}" if self._module else "")
        user = f"{self._host}/{identity}/?api-version={_API}"
        self._socket.sendall(_packet(0x10, _text("MQTT") + b"\x04\xc2\x00\x00" + _text(identity) + _text(user) + _text(self._token())))
        kind, body = self._receive()
        if kind >> 4 != 2 or len(body) != 2 or body[1] != 0:
            self.close()
            raise Refused(f"the hub refuses the connection, CONNACK {body[1] if len(body) == 2 else '?'}")
        self._renew = time.monotonic() + 3600 * 0.8

    def _exactly(self, size):
        out = b""
        while len(out) < size:
            got = self._socket.recv(size - len(out))
            if not got:
                raise ConnectionError("the hub closed the connection")
            out += got
        return out

    def _receive(self):
        kind, length, shift = self._exactly(1)[0], 0, 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
            if shift > 21:
                raise ConnectionError("no MQTT")
        if length > 1 << 20:
            raise ConnectionError("a packet over 1 MiB")
        return kind, self._exactly(length)

    def send(self, message):
        """Returns when the hub has confirmed the message (a Message, or bytes that follow the schema): it is durable there.

        Raises OSError when it was not confirmed; it may have arrived all the same: send the same message again."""
        body = message if isinstance(message, bytes) else message.body()
        if self._socket and time.monotonic() > self._renew:
            self.close()
        try:
            if not self._socket:
                self._open()
            self._packet_id = self._packet_id % 65535 + 1
            where = f"devices/{self._device}" + (f"/modules/{self._module}" if self._module else "")
            bag = "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.ct=application%2Fjson&%24.ce=utf-8"
            identifier = self._packet_id.to_bytes(2, "big")
            self._socket.sendall(_packet(0x32, _text(f"{where}/messages/events/{bag}") + identifier + body))
            while True:
                kind, answer = self._receive()
                if kind >> 4 == 4 and answer[:2] == identifier:
                    return
        except OSError:
            self.close()
            raise

    def close(self):
        if self._socket:
            try:
                self._socket.sendall(b"\xe0\x00")
            except OSError:
                pass
            self._socket.close()
        self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

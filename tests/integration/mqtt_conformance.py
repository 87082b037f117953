#!/usr/bin/python3
"""MQTT 3.1.1 against the real server, statement by statement, by the numbers of the standard (OASIS, 29 October 2014, appendix B).
Packets are written here byte by byte, so that none of our code judges itself. What IoT Hub does otherwise, and so do we, is in
docs/mqtt-conformance.md under the same numbers."""

import base64
import os
import socket
import ssl
import struct
import sys
import time
import traceback

from harness import TOP, Credentials, Server

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14)
DEVICEBOUND = "devices/d1/messages/devicebound/#"
STATEMENTS = []
server = None
credentials = None


def states(*numbers):
    """The statements that a function shows."""
    def keep(function):
        STATEMENTS.append((numbers, function))
        return function
    return keep


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(raw)) + raw


def packet(kind, body=b"", flags=0):
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind << 4 | flags]) + length + body


def connect(client_id="d1", clean=True, keep_alive=60, name=b"MQTT", level=4, user=None, password=None, will=None, flags=None):
    user = f"{credentials.host}/{client_id}/?api-version=2021-04-12" if user is None else user
    password = credentials.token() if password is None else password
    bits = (2 if clean else 0) | 0xC0
    payload = text(client_id)
    if will:
        bits |= 4 | 8  # QoS 1
        payload += text(will[0]) + text(will[1])
    payload += text(user) + text(password)
    return packet(CONNECT, text(name) + bytes([level, bits if flags is None else flags]) + struct.pack("!H", keep_alive) + payload)


def publish(topic, body=b"{}", qos=1, packet_id=1, flags=None):
    head = text(topic) + (struct.pack("!H", packet_id) if qos else b"")
    return packet(PUBLISH, head + body, qos << 1 if flags is None else flags)


def subscribe(*filters, packet_id=7, flags=2, qos=1):
    return packet(SUBSCRIBE, struct.pack("!H", packet_id) + b"".join(text(one) + bytes([qos]) for one in filters), flags)


class Link:
    """One TLS connection, and what comes over it packet by packet."""

    def __init__(self, *send, trust=None):
        context = ssl.create_default_context(cafile=str(server.data / "ca" / "ca.pem"))
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", server.profile["hubPort"]), 10), server_hostname="localhost")
        self.socket.settimeout(10)
        self.buffer = b""
        for one in send:
            self.send(one)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # what matters is what the server says, or that it closes

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.buffer += data
        return bool(data)

    def receive(self):
        """(type, flags, body) of the next packet; None when the server closes."""
        while True:
            length, shift, at = 0, 0, 1
            while at < len(self.buffer):
                length |= (self.buffer[at] & 127) << shift
                shift += 7
                at += 1
                if not self.buffer[at - 1] & 128:
                    if len(self.buffer) < at + length:
                        break
                    first, body = self.buffer[0], self.buffer[at:at + length]
                    self.buffer = self.buffer[at + length:]
                    return first >> 4, first & 15, body
            if not self._more():
                assert not self.buffer, f"half a packet before the end: {self.buffer!r}"
                return None

    def expect(self, kind, body=None):
        got = self.receive()
        assert got is not None, f"closed; wanted a packet of type {kind}"
        assert got[0] == kind, f"a packet of type {got[0]} came, {kind} was wanted"
        assert body is None or got[2] == body, f"{got[2]!r} is not {body!r}"
        return got

    def expect_close(self):
        while True:
            got = self.receive()
            if got is None:
                return
            assert got[0] != CONNACK or got[2][1] != 0, "it was accepted"


def connected(**options):
    link = Link(connect(**options))
    assert link.expect(CONNACK)[2][1] == 0
    return link


def refused(data, connect_first=True):
    """Sent by an accepted client, it ends the connection."""
    with (connected() if connect_first else Link()) as link:
        link.send(data)
        link.expect_close()


def events(suffix=""):
    return "devices/d1/messages/events/" + suffix


def hold_command(body):
    """A message to the device, through the hub's own service API."""
    status, said = server.service("POST", "/messages/devicebound", body, {"IoTHub-To": "/devices/d1/messages/devicebound"})
    assert status in (200, 201, 204), (status, said)


# --- 1 and 2: text, headers, packet identifiers

@states("MQTT-1.5.3-1", "MQTT-3.3.2-1")
def ill_formed_utf8_closes():
    refused(publish(b"devices/d1/messages/events/\xc3\x28"))
    refused(publish(b"devices/d1/messages/events/\xed\xa0\x80"))  # a surrogate


@states("MQTT-1.5.3-2", "MQTT-4.7.3-2")
def a_null_character_closes():
    refused(publish(b"devices/d1/messages/events/a\x00b=1"))


@states("MQTT-2.2.2-1", "MQTT-2.2.2-2")
def reserved_flags_that_are_set_close():
    for kind in (PUBACK, PINGREQ, DISCONNECT):
        refused(packet(kind, struct.pack("!H", 1) if kind == PUBACK else b"", flags=1))


@states("MQTT-2.3.1-1")
def a_packet_identifier_of_zero_closes():
    refused(publish(events(), packet_id=0))
    refused(subscribe(DEVICEBOUND, packet_id=0))
    refused(packet(UNSUBSCRIBE, struct.pack("!H", 0) + text(DEVICEBOUND), 2))


@states("MQTT-2.3.1-5", "MQTT-4.3.1-1")
def qos_0_has_no_identifier_and_no_answer():
    with connected() as link:
        link.send(publish(events(), qos=0) + packet(PINGREQ))
        link.expect(PINGRESP, b"")


@states("MQTT-2.3.1-6", "MQTT-3.3.4-1", "MQTT-4.3.2-2", "MQTT-4.6.0-2")
def pubacks_have_the_identifiers_in_the_order_of_their_publishes():
    with connected() as link:
        for packet_id in (9, 65535, 3):
            link.send(publish(events(), packet_id=packet_id))
        for packet_id in (9, 65535, 3):
            link.expect(PUBACK, struct.pack("!H", packet_id))


# --- 3.1, 3.2: CONNECT and CONNACK

@states("MQTT-3.1.0-1")
def another_first_packet_closes():
    refused(packet(PINGREQ), connect_first=False)
    refused(publish(events()), connect_first=False)


@states("MQTT-3.1.0-2")
def a_second_connect_closes():
    refused(connect())


@states("MQTT-3.1.2-1")
def another_protocol_name_closes():
    with Link(connect(name=b"MQXX")) as link:
        link.expect_close()


@states("MQTT-3.1.2-2")
def an_unknown_level_is_told_by_code_1_and_closes():
    for level in (3, 5, 99):
        with Link(connect(level=level)) as link:
            assert link.expect(CONNACK)[2] == b"\x00\x01"
            assert link.receive() is None


@states("MQTT-3.1.2-3", "MQTT-3.1.4-1")
def a_reserved_connect_flag_closes_without_connack():
    with Link(connect(flags=0xC3)) as link:
        assert link.receive() is None


@states("MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.2-5", "MQTT-4.1.0-1")
def a_session_outlives_its_connection():
    with connected(clean=False) as link:
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
    with Link(connect(clean=False)) as link:
        assert link.expect(CONNACK)[2] == b"\x01\x00"
        hold_command(b"kept")  # no new SUBSCRIBE was needed
        got = link.expect(PUBLISH)
        assert got[2].endswith(b"kept") and got[1] >> 1 & 3 == 1


@states("MQTT-3.1.2-6", "MQTT-3.2.2-1", "MQTT-3.2.2-3")
def a_clean_session_begins_with_nothing():
    with connected(clean=False) as link:
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
    with Link(connect(clean=True)) as link:
        assert link.expect(CONNACK)[2] == b"\x00\x00"
    with Link(connect(clean=False)) as link:
        assert link.expect(CONNACK)[2] == b"\x00\x00", "the clean session ended the stored one"


@states("MQTT-3.1.2-8", "MQTT-3.1.2-10", "MQTT-3.14.4-3")
def a_will_is_sent_without_disconnect_and_forgotten_with_it():
    marked = "devices/d1/messages/events/%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1"
    query = "SecurityIoTRawEvent | where RawEventName == 'Custom' and EventDetails has 'will-{0}' | count"
    for name, ends in (("gone", False), ("said", True)):
        body = ('{"AgentVersion":"1","AgentId":"0a1b2c3d-0000-4000-8000-000000000001","MessageSchemaVersion":"1.0","Events":[{"Id":'
                f'"0a1b2c3d-0000-4000-8000-00000000000{int(ends)}","TimestampLocal":"2026-01-01T00:00:00Z","TimestampUTC":"2026-01-01T00:00:00Z",'
                '"Category":"Triggered","Name":"Custom","EventType":"Security","IsEmpty":false,"PayloadSchemaVersion":"2.0",'
                f'"Payload":[{{"Name":"will-{name}"}}]}}]}}')
        with connected(will=(marked, body)) as link:
            if ends:
                link.send(packet(DISCONNECT))
                assert link.receive() is None
    server.wait_for(query.format("gone"), lambda rows: rows[0][0] == 1)
    assert server.query(query.format("said"))[0][0] == 0


@states("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15")
def will_bits_without_a_will_close():
    for flags in (0xC0 | 8, 0xC0 | 32):
        with Link(connect(flags=flags)) as link:
            assert link.receive() is None


@states("MQTT-3.1.2-14")
def a_will_of_qos_3_closes():
    with Link(connect(flags=0xC0 | 4 | 24)) as link:
        assert link.receive() is None


@states("MQTT-3.1.2-22")
def a_password_without_a_user_name_closes():
    with Link(packet(CONNECT, text("MQTT") + bytes([4, 0x42]) + struct.pack("!H", 60) + text("d1") + text("secret"))) as link:
        link.expect_close()


@states("MQTT-3.1.2-24")
def silence_of_one_and_a_half_keep_alives_closes():
    with connected(keep_alive=2) as link:
        began = time.monotonic()
        assert link.receive() is None
        assert 2.0 < time.monotonic() - began < 6.0, time.monotonic() - began


@states("MQTT-3.1.3-3", "MQTT-3.1.3-8")
def no_client_identifier_is_code_2_and_closes():
    with Link(connect(client_id="", clean=False)) as link:
        assert link.expect(CONNACK)[2] == b"\x00\x02"
        assert link.receive() is None


@states("MQTT-3.1.4-2")
def the_same_client_again_ends_the_first():
    with connected() as first, connected() as second:
        first.expect_close()
        second.send(packet(PINGREQ))
        second.expect(PINGRESP)


@states("MQTT-3.1.4-4", "MQTT-3.2.0-1")
def the_first_packet_is_connack_of_zero():
    with Link(connect()) as link:
        assert link.expect(CONNACK)[1:] == (0, b"\x00\x00")


@states("MQTT-3.1.4-5")
def what_comes_before_the_connack_is_processed():
    with Link(connect() + publish(events(), packet_id=11)) as link:
        assert link.expect(CONNACK)[2][1] == 0
        link.expect(PUBACK, struct.pack("!H", 11))


@states("MQTT-3.2.2-4", "MQTT-3.2.2-5")
def a_refusal_has_no_session_and_closes():
    with Link(connect(clean=False, password="SharedAccessSignature sr=x&sig=x&se=1")) as link:
        session, code = link.expect(CONNACK)[2]
        assert session == 0 and code != 0
        assert link.receive() is None


# --- 3.3: PUBLISH

@states("MQTT-3.3.1-4")
def both_qos_bits_close():
    refused(publish(events(), flags=6))


@states("MQTT-3.3.2-2", "MQTT-4.7.1-1")
def a_wildcard_in_a_topic_name_closes():
    refused(publish("devices/+/messages/events/"))
    refused(publish("devices/d1/#"))


@states("MQTT-4.7.3-1")
def an_empty_topic_closes():
    refused(publish(""))
    refused(subscribe(""))


@states("MQTT-3.3.5-2")
def a_topic_of_another_closes():
    refused(publish("devices/d2/messages/events/"))


@states("MQTT-3.3.1-1", "MQTT-4.4.0-1", "MQTT-2.3.1-4")
def what_was_not_acknowledged_is_sent_again_with_dup_and_its_identifier():
    with connected(clean=False) as link:
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
        hold_command(b"twice")
        first = link.expect(PUBLISH)
        assert first[1] & 8 == 0, "the first attempt has no DUP (MQTT-4.3.2-1)"
    with Link(connect(clean=False)) as link:
        link.expect(CONNACK)
        again = link.expect(PUBLISH)
        assert again[1] & 8 == 8 and again[2] == first[2]
        size = struct.unpack("!H", again[2][:2])[0]
        link.send(packet(PUBACK, again[2][2 + size:4 + size]))
        link.send(packet(PINGREQ))
        link.expect(PINGRESP)
        time.sleep(0.3)  # the message leaves the queue behind the PUBACK
    with Link(connect(clean=False)) as link:
        link.expect(CONNACK)
        link.send(packet(PINGREQ))
        link.expect(PINGRESP)  # and not once more (MQTT-4.3.2-2)


@states("MQTT-4.6.0-6", "MQTT-4.3.2-1")
def messages_come_in_the_order_they_were_sent():
    with connected() as link:
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
        for number in range(5):
            hold_command(f"n{number}".encode())
        got = [link.expect(PUBLISH)[2][-2:] for _ in range(5)]
        assert got == [b"n0", b"n1", b"n2", b"n3", b"n4"], got


# --- 3.8 to 3.11: SUBSCRIBE and UNSUBSCRIBE

@states("MQTT-3.8.1-1")
def a_subscribe_with_other_flags_closes():
    refused(subscribe(DEVICEBOUND, flags=0))


@states("MQTT-3.8.3-1")
def a_filter_that_is_no_utf8_closes():
    refused(subscribe(b"\xff\xfe"))


@states("MQTT-3.8.3-3")
def a_subscribe_without_filter_closes():
    refused(subscribe())


@states("MQTT-3-8.3-4")
def reserved_bits_of_a_requested_qos_close():
    refused(subscribe(DEVICEBOUND, qos=3))
    refused(subscribe(DEVICEBOUND, qos=0x81))


@states("MQTT-2.3.1-7", "MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-4", "MQTT-3.8.4-5", "MQTT-3.8.4-6", "MQTT-3.9.3-1", "MQTT-3.9.3-2")
def a_suback_has_one_code_a_filter_in_order():
    with connected() as link:
        body = struct.pack("!H", 513) + b"".join(text(name) + bytes([qos]) for name, qos in (
            (DEVICEBOUND, 1), ("$iothub/twin/res/#", 0), ("$iothub/methods/POST/#", 2)))
        link.send(packet(SUBSCRIBE, body, 2))
        link.expect(SUBACK, struct.pack("!H", 513) + bytes([1, 0, 1]))  # QoS 2 is granted as 1


@states("MQTT-3.8.4-3")
def the_same_filter_again_takes_the_place_of_the_first():
    with connected() as link:
        for qos in (1, 0):
            link.send(subscribe(DEVICEBOUND, qos=qos))
            link.expect(SUBACK, struct.pack("!H", 7) + bytes([qos]))
        hold_command(b"once")
        got = link.expect(PUBLISH)
        assert got[1] >> 1 & 3 == 0 and got[1] & 8 == 0, "QoS 0, without DUP (MQTT-3.3.1-2)"
        link.send(packet(PINGREQ))
        link.expect(PINGRESP)


@states("MQTT-3.10.1-1")
def an_unsubscribe_with_other_flags_closes():
    refused(packet(UNSUBSCRIBE, struct.pack("!H", 3) + text(DEVICEBOUND), 0))


@states("MQTT-3.10.3-2")
def an_unsubscribe_without_filter_closes():
    refused(packet(UNSUBSCRIBE, struct.pack("!H", 3), 2))


@states("MQTT-3.10.4-1", "MQTT-3.10.4-2", "MQTT-3.10.4-4", "MQTT-3.10.4-5", "MQTT-3.10.4-6")
def an_unsubscribe_is_answered_and_ends_delivery():
    with connected() as link:
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
        link.send(packet(UNSUBSCRIBE, struct.pack("!H", 21) + text(DEVICEBOUND) + text("$iothub/twin/res/#"), 2))
        link.expect(UNSUBACK, struct.pack("!H", 21))  # the second filter matched nothing
        hold_command(b"for nobody")
        time.sleep(0.3)
        link.send(packet(PINGREQ))
        link.expect(PINGRESP)
        link.send(subscribe(DEVICEBOUND))
        link.expect(SUBACK)
        got = link.expect(PUBLISH)
        size = struct.unpack("!H", got[2][:2])[0]
        link.send(packet(PUBACK, got[2][2 + size:4 + size]) + packet(PINGREQ))
        link.expect(PINGRESP)


# --- 3.12, 3.14, 4.8

@states("MQTT-3.12.4-1")
def a_pingreq_is_answered():
    with connected() as link:
        link.send(packet(PINGREQ))
        link.expect(PINGRESP, b"")


@states("MQTT-3.14.4-1", "MQTT-3.14.4-2")
def disconnect_closes():
    with connected() as link:
        link.send(packet(DISCONNECT) + publish(events(), packet_id=77))
        assert link.receive() is None, "what comes behind a DISCONNECT is nothing"


@states("MQTT-4.8.0-1")
def violations_close():
    refused(b"\xf0\x00")  # a reserved packet type
    refused(b"\x00\x00")
    refused(bytes([PUBLISH << 4]) + b"\xff\xff\xff\xff\xff")  # a length that does not end
    refused(packet(CONNACK, b"\x00\x00"))  # a packet of servers
    refused(packet(PUBLISH, b"\x00", 2))  # too short for what it says


# --- 6: WebSocket

def web_socket(*frames, subprotocol="mqtt"):
    context = ssl.create_default_context(cafile=str(server.data / "ca" / "ca.pem"))
    link = context.wrap_socket(socket.create_connection(("127.0.0.1", server.profile["hubHttpsPort"]), 10), server_hostname="localhost")
    link.settimeout(10)
    key = base64.b64encode(os.urandom(16)).decode()
    link.sendall(f"GET /$iothub/websocket HTTP/1.1\r\nHost: {credentials.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        data = link.recv(4096)
        if not data:
            break
        head += data
    for opcode, payload in frames:
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + struct.pack("!H", len(payload))
        link.sendall(bytes([0x80 | opcode]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))
    return link, head.decode(errors="replace")


@states("MQTT-6.0.0-1", "MQTT-6.0.0-2", "MQTT-6.0.0-3", "MQTT-6.0.0-4")
def websocket_frames_are_binary_of_the_subprotocol_mqtt():
    data = connect()
    link, head = web_socket((2, data[:10]), (2, data[10:] + packet(PINGREQ)))  # packets and frames have other borders
    assert head.startswith("HTTP/1.1 101") and "sec-websocket-protocol: mqtt" in head.lower(), head
    received = b""
    while len(received.replace(b"\x82", b"")) < 6:
        received += link.recv(4096)
    assert received[0] == 0x82 and b"\x20\x02\x00\x00" in received and received.endswith(b"\xd0\x00"), received
    link.close()
    link, _ = web_socket((1, data))  # a text frame
    rest = b""
    try:
        while True:
            more = link.recv(4096)
            if not more:
                break
            rest += more
    except (ConnectionError, ssl.SSLError):
        pass
    assert b"\x20\x02\x00\x00" not in rest, "text frames were taken for packets"


def documented_departures():
    page = (TOP / "docs" / "mqtt-conformance.md").read_text()
    return {word.strip("|`,. ") for word in page.split() if word.strip("|`,. ").startswith("MQTT-")}


def main():
    global server, credentials
    departures = documented_departures()
    failed, shown = 0, set()
    with Server() as server:
        server.make_device("d1")
        server.make_device("d2")
        credentials = Credentials(server.cli("device", "connection-string", "d1", "--hub", "home").strip())
        for numbers, function in STATEMENTS:
            if len(sys.argv) > 1 and function.__name__ not in sys.argv[1:]:
                continue
            try:
                server.service("DELETE", "/devices/d1/commands")  # what the one before left unacknowledged
                function()
                shown.update(numbers)
                print(f"ok      {', '.join(numbers)}: {function.__name__.replace('_', ' ')}", flush=True)
            except Exception:
                traceback.print_exc()
                print(f"FAILED  {', '.join(numbers)}: {function.__name__.replace('_', ' ')}", flush=True)
                failed += 1
        both = shown & departures
        if both:
            print(f"FAILED  documented as departures, yet shown: {sorted(both)}")
            failed += 1
    print(f"{len(shown)} statements shown, {len(departures)} departures documented")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""What a hostile or broken client may send: each gets the protocol's own refusal, is counted, and disturbs nobody. A good
device stays connected through all of it and is heard at the end."""

import json
import re
import socket
import ssl
import struct
import time
import urllib.error
import urllib.request

from harness import MARK, PATIENCE, Device, Server, event, main, message, process

server = None
good = None


def tls(seconds=20):
    context = ssl.create_default_context(cafile=server.data / "ca" / "ca.pem")
    raw = socket.create_connection(("127.0.0.1", server.profile["hubPort"]), timeout=seconds * PATIENCE)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def packet(head, body):
    size, encoded = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        encoded += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([head]) + encoded + body


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(raw)) + raw


def connect_packet(credentials, client_id=None, keep_alive=60, **token):
    client_id = client_id or credentials.client_id
    return packet(0x10, text("MQTT") + b"\x04\xc2" + struct.pack(">H", keep_alive) + text(client_id) +
                  text(f"{credentials.host}/{client_id}/?api-version=2021-04-12") + text(credentials.token(**token)))


def publish_packet(topic, body, identifier=1):
    return packet(0x32, text(topic) + struct.pack(">H", identifier) + body)


def connected(credentials):
    stream = tls()
    stream.sendall(connect_packet(credentials))
    answer = stream.recv(4)
    assert answer[:1] == b"\x20" and answer[3] == 0, answer
    return stream


def closes(stream, seconds=15):
    """The server ends the connection, without another word but a late acknowledgement."""
    stream.settimeout(seconds * PATIENCE)
    try:
        while stream.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError, BrokenPipeError):
        pass
    return True


def counter(pattern):
    """The sum of the metrics whose line matches."""
    profile = server.profile
    request = urllib.request.Request(profile["server"] + "/metrics", headers={"Authorization": "Bearer " + profile["token"]})
    lines = urllib.request.urlopen(request, timeout=10).read().decode().split("\n")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(pattern, line))


def spare(name):
    return server.make_device(name)


def truncated_packets_end_the_connection():
    for broken in (b"\x10\xff\xff\xff\xff\x01", b"\x10\x02\x00", b"\x00\x00", b"\x10\x04\x00\x08MQ", b"GET / HTTP/1.1\r\n\r\n"):
        with tls() as stream:
            stream.sendall(broken)
            stream.settimeout(0.5)
            try:
                stream.recv(16)
            except (TimeoutError, socket.timeout, ConnectionResetError, ssl.SSLError):
                pass


def oversized_telemetry_closes_the_connection():
    credentials = spare("oversized")
    with connected(credentials) as stream:
        stream.sendall(packet(0x32, text(f"{credentials.prefix}/messages/events/") + b"\x00\x01" + b"x" * 270_000))
        assert closes(stream)


def announced_sizes_are_refused_before_they_are_allocated():
    credentials = spare("announcer")
    with connected(credentials) as stream:
        stream.sendall(b"\x32\xff\xff\xff\x7f")  # 256 MiB to come
        assert closes(stream)


def a_device_cannot_publish_as_another():
    credentials = spare("impostor")
    victim = spare("victim")
    with connected(credentials) as stream:
        stream.sendall(publish_packet(f"{victim.prefix}/messages/events/{MARK}", json.dumps(
            message(event("ProcessCreate", [process("xmrig --victim")]))).encode()))
        assert closes(stream)
    rows = server.wait_for("AzureDiagnostics | where ResultType startswith '401' | where properties_s contains 'impostor' | count",
                           lambda rows: rows[0][0] > 0)
    assert rows
    assert server.query("SecurityIoTRawEvent | where DeviceId == 'victim' | count") == [[0]]


def a_million_property_names_are_bounded():
    credentials = spare("names")
    topic = f"{credentials.prefix}/messages/events/" + "&".join(f"p{i}=1" for i in range(9000))
    with connected(credentials) as stream:
        stream.sendall(publish_packet(topic[:65000], b"{}"))
        assert closes(stream)
    body = message(event("ProcessCreate", [process("true")]))
    body["Events"][0]["Payload"][0]["ExtraDetails"] = {f"key{i}": "v" for i in range(14000)}
    device = Device(server, credentials)
    assert device.connect() == 0
    device.send("names", body)
    device.wait_acknowledged(1)
    device.close()


def bodies_that_do_not_conform_become_dead_letters():
    credentials = spare("bodies")
    before = counter(r"fieldwatch_pipeline_dead_letters")
    device = Device(server, credentials)
    assert device.connect() == 0
    bodies = [b"\xff\xfe not utf-8", b"{", b"[]", b'"text"', b"[" * 5000 + b"]" * 5000, b"{}",
              json.dumps({**message(event("ProcessCreate", [process("x")])), "MessageSchemaVersion": 2}),
              json.dumps(message({**event("ProcessCreate", [process("x")]), "Name": "NoSuchEvent"})),
              json.dumps(message(event("ProcessCreate", [{**process("x"), "ProcessId": "one"}]))), b'{"a":1,"a":2}']
    for index, body in enumerate(bodies):
        assert device.send(index, body)
    device.wait_acknowledged(len(bodies))  # accepted by the hub, refused with a reason by the pipeline
    device.close()
    deadline = time.monotonic() + 15 * PATIENCE
    while counter(r"fieldwatch_pipeline_dead_letters") < before + len(bodies):
        assert time.monotonic() < deadline, "the dead letters were not counted"
        time.sleep(0.2)
    assert server.query("SecurityIoTRawEvent | where DeviceId == 'bodies' | count") == [[0]]


def a_client_that_says_nothing_is_not_waited_for():
    idle = [tls() for _ in range(30)]
    assert good.client.is_connected()
    for stream in idle:
        stream.close()


def wrong_credentials_get_connack_5_and_an_operation():
    credentials = spare("refused")
    import base64
    for name, token in (("expired", {"expires": time.time() - 4000}), ("signature", {"key": base64.b64encode(b"k" * 32).decode()})):
        with tls() as stream:
            stream.sendall(connect_packet(credentials, **token))
            assert stream.recv(4) == b"\x20\x02\x00\x05", name
    rows = server.wait_for("SecurityAlert | where CompromisedEntity == 'refused' | distinct AlertType | order by AlertType asc",
                           lambda rows: len(rows) == 2)
    assert [row[0] for row in rows] == ["IoT_Expired_SAS_Token", "IoT_Invalid_SAS_Token"], rows


def strangers_do_not_grow_anything():
    credentials = spare("stranger-of")
    for index in range(200):
        with tls() as stream:
            stream.sendall(connect_packet(credentials, client_id=f"nobody-{index}"))
            assert stream.recv(4)[3:] in (b"\x05", b"\x02", b"\x03")


def the_api_says_what_was_wrong():
    profile = server.profile

    def ask(body, token=profile["token"]):
        request = urllib.request.Request(profile["server"] + "/api/v1/hubs/BAD_NAME!", data=body, method="PUT",
                                         headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        try:
            return urllib.request.urlopen(request, timeout=10).status, None
        except urllib.error.HTTPError as problem:
            return problem.code, json.loads(problem.read())

    code, answer = ask(b"{}")
    assert code == 400 and answer["error"]["message"], (code, answer)
    code, answer = ask(b"not json")
    assert code == 400, (code, answer)
    code, answer = ask(b"{}", token="wrong")
    assert code == 401, (code, answer)
    wrong = server.run("query", "SecurityAlert | where NoSuchColumn == 1")
    assert wrong.returncode == 2 and "NoSuchColumn" in wrong.stderr and wrong.stderr.count("\n") <= 4, wrong
    wrong = server.run("device", "show", "nobody")
    assert wrong.returncode == 1 and "nobody" in wrong.stderr, wrong


def the_good_device_was_never_disturbed():
    assert good.client.is_connected()
    sent = len(good.acknowledged)
    good.send("last", message(event("ProcessCreate", [process("/usr/bin/still-here")])))
    good.wait_acknowledged(sent + 1)
    server.wait_for("SecurityIoTRawEvent | where EventDetails contains 'still-here' | count", lambda rows: rows == [[1]])


if __name__ == "__main__":
    with Server() as server:
        good = Device(server, server.make_device("good"))
        assert good.connect() == 0
        main(truncated_packets_end_the_connection, oversized_telemetry_closes_the_connection,
             announced_sizes_are_refused_before_they_are_allocated, a_device_cannot_publish_as_another,
             a_million_property_names_are_bounded, bodies_that_do_not_conform_become_dead_letters,
             a_client_that_says_nothing_is_not_waited_for, wrong_credentials_get_connack_5_and_an_operation,
             strangers_do_not_grow_anything, the_api_says_what_was_wrong, the_good_device_was_never_disturbed)

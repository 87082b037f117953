#!/usr/bin/python3
"""A device that reports to AWS IoT Device Defender and knows nothing of us: paho's client with a certificate, the user name
of an SDK, the public topics. Its reports are answered, and are events of the device."""

import json
import pathlib
import queue
import ssl
import subprocess
import time

import paho.mqtt.client as mqtt

from harness import Server, main

THING = "pump"
TOPIC = f"$aws/things/{THING}/defender/metrics/"


def certificate(folder):
    """Self-signed; the SHA-256 thumbprint of it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={THING}", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    said = subprocess.run(["openssl", "x509", "-in", folder / "cert.pem", "-noout", "-fingerprint", "-sha256"],
                          check=True, capture_output=True, text=True).stdout
    return said.strip().split("=")[1].replace(":", "")


def report(server, report_id, metrics, kind="json", port=None, alpn=None, payload=None):
    """Publishes one report and waits for its answer on the same connection."""
    body = payload or json.dumps({"header": {"report_id": report_id, "version": "1.0"}, "metrics": metrics}).encode()
    context = ssl.create_default_context(cafile=str(server.data / "ca" / "ca.pem"))
    context.load_cert_chain(server.data / "cert.pem", server.data / "key.pem")
    if alpn:
        context.set_alpn_protocols([alpn])
    client = mqtt.Client(THING, clean_session=True, protocol=mqtt.MQTTv311)
    client.username_pw_set("?SDK=Python&Version=1.4.9")
    client.tls_set_context(context)
    answers = queue.Queue()
    client.on_connect = lambda *_: client.subscribe([(TOPIC + kind + "/accepted", 1), (TOPIC + kind + "/rejected", 1)])
    client.on_subscribe = lambda *_: client.publish(TOPIC + kind, body, qos=1)
    client.on_message = lambda _client, _data, message: answers.put((message.topic.rsplit("/", 1)[1], message.payload))
    client.connect("localhost", port or server.profile["hubPort"], keepalive=60)
    client.loop_start()
    try:
        return answers.get(timeout=10)
    finally:
        client.disconnect()
        client.loop_stop()


def a_device_of_another_cloud_reports_and_is_answered():
    with Server() as server:
        thumbprint = certificate(pathlib.Path(server.data))
        server.cli("hub", "create", "home")
        server.cli("device", "create", THING, "--auth", "x509-thumbprint", "--thumbprint", thumbprint)
        metrics = {"listening_tcp_ports": {"ports": [{"interface": "eth0", "port": 22}, {"interface": "eth0", "port": 2323}], "total": 2},
                   "listening_udp_ports": {"ports": [], "total": 0},
                   "network_stats": {"bytes_in": 910, "bytes_out": 77, "packets_in": 9, "packets_out": 3},
                   "tcp_connections": {"established_connections": {
                       "connections": [{"local_interface": "eth0", "local_port": 40112, "remote_addr": "203.0.113.9:6667"}], "total": 1}}}
        how, answer = report(server, 1, metrics)
        assert how == "accepted", answer
        answer = json.loads(answer)
        assert answer["thingName"] == THING and answer["reportId"] == 1 and answer["status"] == "ACCEPTED" and answer["timestamp"] > 1e12

        rows = server.wait_for("SecurityIoTRawEvent | extend E=parse_json(EventDetails) | where DeviceId == 'pump' | project RawEventName,"
                               " Port=tostring(E.LocalPort), Remote=tostring(E.RemoteAddress), In=tostring(E.ExtraDetails['awsdd.bytes_in'])",
                               lambda rows: len(rows) >= 4)
        assert ["ListeningPorts", "2323", "", ""] in rows, rows
        assert ["ConnectionCreate", "40112", "203.0.113.9", ""] in rows, rows
        assert any(row[0] == "Custom" and row[3] == "910" for row in rows), rows

        how, answer = report(server, 2, metrics)
        assert how == "rejected" and json.loads(answer)["statusDetails"]["ErrorCode"] == "Throttled", answer
        how, answer = report(server, None, None, payload=b"{")
        assert how == "rejected" and json.loads(answer)["statusDetails"]["ErrorCode"] == "InvalidPayload", answer
        # {"hed":{"rid":1,"v":"1.0"},"met":{}} in CBOR: the same report id again is accepted, and answered in CBOR.
        how, answer = report(server, None, None, kind="cbor", payload=bytes.fromhex("a263686564a2637269640161766331 2e30636d6574a0".replace(" ", "")))
        assert how == "accepted" and b"reportId" in answer and answer[0] >> 5 == 5, answer
        # The port that firewalls leave open, where TLS says that it is MQTT.
        how, answer = report(server, 1, metrics, port=server.profile["hubHttpsPort"], alpn="x-amzn-mqtt-ca")
        assert how == "accepted", answer

        # What the service's audit asks of certificates, by the query of the docs: this one is of two days, its key is strong.
        page = (pathlib.Path(__file__).parents[2] / "docs" / "device-defender.md").read_text()
        rows = server.query(page.split("```")[3])
        assert [[row[0], *row[2:]] for row in rows] == [["pump", "EC 256", "ecdsa-with-SHA256", ""]], rows
        assert rows[0][1][:10] <= time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86400)), rows
        rows = server.wait_for("AzureDiagnostics | where OperationName == 'ingress' and ResultType == '429001' | count", lambda rows: rows[0][0] >= 1)
        assert rows[0][0] == 1, rows


if __name__ == "__main__":
    main(a_device_of_another_cloud_reports_and_is_answered)

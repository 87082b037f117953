#!/usr/bin/python3
"""A hub attached to what people already run: diagnostic records from files and over HTTP, another hub's Event Hubs compatible endpoint, and
Mosquitto with TLS and passwords beside its log. Kills and restarts in between: nothing that was taken is lost."""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt

from harness import MARK, PATIENCE, Device, Server, event, main, message, process, timestamp


def eventually(condition, what, seconds=40):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def connector(server, name, hub="home"):
    return json.loads(server.cli("hub", "connector", "show", hub, name, "--format", "json"))


def lines(server, hub="home"):
    """What a route wrote of the hub's telemetry."""
    out = []
    for path in sorted((server.data / "routes" / hub / "archive").glob("*.jsonl")):
        out += [json.loads(line) for line in path.read_text().splitlines()]
    return out


def archive(server, hub="home"):
    server.cli("hub", "create", hub)
    server.cli("hub", "update", hub, "--endpoint", "archive=file", "--route", "all=to archive")
    time.sleep(1.5)  # a change is in force within a second


def record(operation, category, device=None, minutes_ago=1, **more):
    properties = {"deviceId": device, "protocol": "Mqtt", "maskedIpAddress": "203.0.113.XXX",
                  "authType": json.dumps({"scope": "device", "type": "sas", "issuer": "iothub"})}
    out = {"time": timestamp(time.time() - 60 * minutes_ago), "operationName": operation, "category": category, "level": "Information",
           "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/ELSEWHERE"}
    if device:
        out["properties"] = json.dumps(properties)
    return {**out, **more}


def snapshots_of_a_hub_elsewhere_are_judged_and_keep_no_key():
    key, other = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    hub = {"name": "elsewhere", "properties": {
        "publicNetworkAccess": "Enabled", "minTlsVersion": "1.0", "ipFilterRules": [{"filterName": "all", "action": "Accept", "ipMask": "0.0.0.0/0"}],
        "authorizationPolicies": [{"keyName": "iothubowner", "primaryKey": key, "rights": "RegistryWrite"}],
        "routing": {"endpoints": {"eventHubs": [{"connectionString": "Endpoint=sb://x;SharedAccessKey=" + other}]}}}}

    def identity(name, primary, **more):
        return {"deviceId": name, "status": "enabled", "authentication": {"type": "sas", "symmetricKey": {"primaryKey": primary, "secondaryKey": ""}}, **more}

    with Server() as server:
        server.cli("hub", "create", "home")
        token = server.cli("token", "create", "logs", "--role", "forwarder", "--for-hub", "home").split()[-1]

        def put(what, body, at, who=token):
            request = urllib.request.Request(server.profile["server"] + f"/api/v1/hubs/home/snapshots/{what}?snapshotTime={at}", body.encode(),
                                             {"Authorization": f"Bearer {who}"}, method="PUT")
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read())

        early, late = timestamp(time.time() - 7200), timestamp(time.time() - 3600)
        assert put("configuration", json.dumps(hub), late)[0] == 204
        assert put("configuration", json.dumps(hub), late)[0] == 204, "the same again"
        status, said = put("configuration", json.dumps(hub), early)
        assert status == 409 and "a later snapshot is here" in said["error"]["message"], said
        assert put("configuration", json.dumps({"secret": key}), late)[0] == 400
        assert put("configuration", "[]", late)[0] == 400
        assert put("configuration", json.dumps(hub), "")[0] == 400
        assert put("configuration", json.dumps(hub), timestamp(time.time() + 86400))[0] == 400

        lines = [identity("pump", key), identity("valve", key, modules=[{"moduleId": "m", "authentication": {"type": "sas"}}]), identity("gone", other)]
        text = "\n".join(map(json.dumps, lines)) + "\n"
        status, said = put("identities", text, late)
        assert status == 200 and said == {"accepted": 4, "refused": 0, "removed": 0, "refusals": []}, said
        assert put("identities", text, early)[0] == 409
        server.wait_for("SecurityRecommendation | distinct RecommendationName",
                        lambda rows: {"IoT_SharedCredentials", "IoT_VulnerableTLSCipherSuite"} <= {row[0] for row in rows})
        # What could not be read removes nobody; what is not there was removed.
        status, said = put("identities", json.dumps(lines[0]) + "\nnonsense\n" + json.dumps({"deviceId": "a/b"}) + "\n", late)
        assert status == 200 and said["accepted"] == 1 and said["refused"] == 2 and said["removed"] == 0, said
        assert [one["where"] for one in said["refusals"]] == ["line 2", "line 3"], said
        status, said = put("identities", text.splitlines()[0] + "\n" + text.splitlines()[1] + "\n", late)
        assert status == 200 and said["removed"] == 1, said
        server.kill()
        server.start()
        status, said = put("identities", text.splitlines()[0] + "\n", late)
        assert status == 200 and said["removed"] == 2, (said, "known over a restart: the valve and its module")
        operator = server.cli("token", "create", "watcher", "--role", "operator").split()[-1]
        assert put("identities", text, late, operator)[0] == 403
        # From files, of the time at which they were written.
        files = server.data / "hub.json", server.data / "identities.jsonl"
        files[0].write_text(json.dumps(hub))
        files[1].write_text(text)
        command = ("hub", "import-snapshot", "--hub", "home", "--configuration", files[0], "--identities", files[1])
        assert "configuration taken\n4 identities taken, 0 refused, 0 removed" in server.cli(*command)
        os.utime(files[1], (time.time() - 7200,) * 2)
        done = server.run(*command)
        assert done.returncode != 0 and "a later snapshot is here" in done.stderr, done
        for file in files:
            file.unlink()
        server.stop()
        for path in server.data.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert key.encode() not in content and other.encode() not in content, path


def diagnostic_records_become_operations_and_alerts():
    refused = {"level": "Error", "resultType": "401003", "resultDescription": "The sas token has expired"}
    batch = {"records": [record("deviceConnect", "Connections", "pump"),
                         record("deviceConnect", "Connections", "valve", **refused),
                         record("Microsoft.Devices/iotHubs/certificates/Delete", "Administrative", resultType="Success", caller="eve@example.org",
                                correlationId="c-1"),
                         record("query", "TwinQueries")]}
    with Server() as server:
        server.cli("hub", "create", "home", "--mask-addresses", "on")
        path = server.data / "PT1H.json"
        path.write_text(json.dumps(batch, indent=1) + "\n" + json.dumps(record("send", "DirectMethods", "pump")) + "\nnonsense\n" +
                        json.dumps({"records": [{"operationName": "x"}, record("read", "D2CTwinOperations", "a/b")]}) + "\n")
        done = server.run("hub", "import-records", "--hub", "home", path)
        assert done.returncode == 0 and "5 records taken, 3 refused" in done.stdout, done
        listed = [line for line in done.stderr.splitlines() if str(path) in line]
        assert len(listed) == 3 and any("record 1: /time" in line for line in listed), done.stderr
        rows = server.wait_for("AzureDiagnostics | where Category in ('Connections', 'TwinQueries', 'DirectMethods') "
                               "| project Category, OperationName | sort by Category, OperationName",
                               lambda rows: len(rows) >= 4)
        assert sorted(row[0] for row in rows) == ["Connections", "Connections", "DirectMethods", "TwinQueries"], rows
        server.wait_for("AzureActivity | where Caller == 'eve@example.org' | count", lambda rows: rows[0][0] == 1)
        alerts = server.wait_for("SecurityAlert | distinct AlertType", lambda rows: len(rows) >= 2)
        names = {row[0] for row in alerts}
        assert {"IoT_Expired_SAS_Token", "IoT_CertificateSuccessfullyDeletedFromHub"} <= names, names

        # The same over HTTP, with a token that may do this and little else.
        url = server.profile["server"] + "/api/v1/hubs/home/records"

        def post(token, body):
            request = urllib.request.Request(url, body.encode(), {"Authorization": f"Bearer {token}"}, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read())

        forwarder = server.cli("token", "create", "logs", "--role", "forwarder", "--for-hub", "home").split()[-1]
        operator = server.cli("token", "create", "watcher", "--role", "operator").split()[-1]
        status, said = post(forwarder, json.dumps({"records": [record("purge", "C2DCommands", "pump"), 7]}))
        assert status == 200 and said["accepted"] == 1 and said["refused"] == 1, said
        assert said["refusals"][0]["where"] == "line 1, record 2", said
        assert post(operator, json.dumps(batch))[0] == 403
        assert post("wrong", json.dumps(batch))[0] == 401
        status, said = post(forwarder, "nonsense")
        assert status == 400 and said["accepted"] == 0, said

        detected = server.run("detect", path)
        found = {json.loads(line).get("AlertType") for line in detected.stdout.splitlines()}
        assert {"IoT_Expired_SAS_Token", "IoT_CertificateSuccessfullyDeletedFromHub"} <= found, (found, detected.stderr)


def another_hubs_event_hub_is_read_from_where_we_stood():
    with Server() as upstream, Server() as server:
        credentials = upstream.make_device("pump")
        key = json.loads(upstream.cli("hub", "show", "home", "--keys", "--format", "json"))["policies"]["service"]
        secret = server.data / "connection.txt"

        def connection(its_key):
            secret.write_text(f"Endpoint=sb://localhost:{upstream.profile['amqpPort']}/;SharedAccessKeyName=service;"
                              f"SharedAccessKey={its_key};EntityPath=home\n")
            return server.run("hub", "connector", "add", "home", "azure", "--event-hubs", secret, "--start", "earliest",
                              "--ca", upstream.data / "ca" / "ca.pem")

        archive(server)
        device = Device(upstream, credentials)
        assert device.connect() == 0

        def send(numbers):
            before = len(device.acknowledged)
            for n in numbers:
                info = device.client.publish(f"{credentials.prefix}/messages/events/level=3", json.dumps({"n": n}), qos=1)
                device.pending[info.mid] = n
            device.wait_acknowledged(before + len(numbers))

        send(range(200))
        assert connection("d3Jvbmc=").returncode == 0
        eventually(lambda: connector(server, "azure")["status"]["state"] == "failing", lambda: connector(server, "azure"))
        assert "token" in connector(server, "azure")["status"]["problem"], connector(server, "azure")
        assert connection(key).returncode == 0
        assert "SharedAccessKey=" not in json.dumps(connector(server, "azure")), "a key was shown"
        got = lambda: {line["body"]["n"] for line in lines(server)}
        eventually(lambda: len(got()) == 200, lambda: (len(got()), connector(server, "azure"), server.log_tail()))
        first = lines(server)[0]
        assert first["deviceId"] == "pump" and first["moduleId"] == "azureiotsecurity" and first["properties"]["level"] == "3", first
        assert first["systemProperties"]["iothub-connection-auth-method"], first
        time.sleep(1.5)  # the place is kept once a second

        server.kill()
        send(range(200, 300))
        server.start()
        eventually(lambda: got() == set(range(300)), lambda: (len(got()), connector(server, "azure")))
        after = [line["body"]["n"] for line in lines(server)]
        assert len(after) == 300, f"{len(after)} lines of 300 messages: the place was not kept"

        port = upstream.profile["amqpPort"]
        upstream.kill()
        eventually(lambda: connector(server, "azure")["status"]["state"] == "failing", lambda: connector(server, "azure"))
        upstream.start("--amqp-port", str(port), hub_port=0)
        device.close()
        device = Device(upstream, credentials)
        assert device.connect() == 0
        send(range(300, 320))
        eventually(lambda: got() == set(range(320)), lambda: (len(got()), connector(server, "azure")), 90)
        device.close()
        assert json.loads(server.cli("device", "show", "pump", "--hub", "home", "--format", "json"))["deviceId"] == "pump"
        server.cli("hub", "connector", "remove", "home", "azure")
        assert server.run("hub", "connector", "show", "home", "azure").returncode != 0


class Mosquitto:
    """Debian's broker on an address of its own, with TLS and passwords."""

    HOST, PORT = "127.0.61.1", 18883

    def __init__(self, certificates):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-broker-"))
        ca, key = certificates / "broker.pem", certificates / "broker.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker", "-addext",
                        f"subjectAltName=IP:{self.HOST}", "-keyout", key, "-out", ca], check=True, capture_output=True)
        self.ca, self.log = ca, self.folder / "mosquitto.log"
        passwords = self.folder / "passwords"
        passwords.touch()
        for user in ("fieldwatch", "devices"):
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, f"{user}-pw"], check=True)
        (self.folder / "conf").write_text(
            f"listener {self.PORT} {self.HOST}\ncertfile {ca}\nkeyfile {key}\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {self.folder}/\nautosave_on_changes true\nautosave_interval 1\nuser root\n"
            f"max_queued_messages 10000\nlog_dest file {self.log}\nlog_dest topic\nlog_type error\nlog_type warning\nlog_type notice\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["mosquitto", "-c", self.folder / "conf"], stderr=subprocess.DEVNULL)
        time.sleep(0.7)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def publish(self, device, topic, payloads, password="devices-pw"):
        done = 0
        for payload in payloads:
            ran = subprocess.run(["mosquitto_pub", "-h", self.HOST, "-p", str(self.PORT), "--cafile", self.ca, "-u", "devices", "-P", password, "-i",
                                  device, "-t", topic, "-q", "1", "-m", payload], capture_output=True)
            done += ran.returncode == 0
        return done


def a_broker_is_read_once_and_its_log_is_operations():
    with Server() as server:
        broker = Mosquitto(server.data)
        try:
            archive(server)
            password = server.data / "pw"
            password.write_text("wrong\n")
            add = ["hub", "connector", "add", "home", "hall", "--broker", f"mqtts://{Mosquitto.HOST}:{Mosquitto.PORT}", "--user", "fieldwatch",
                   "--password-file", password, "--topic", "factory/{device}/data", "--security-topic", "fw/{device}/security", "--log-file", broker.log,
                   "--ca", broker.ca]
            server.cli(*add)
            eventually(lambda: connector(server, "hall")["status"]["state"] == "failing", lambda: connector(server, "hall"))
            password.write_text("fieldwatch-pw\n")
            server.cli(*add)
            eventually(lambda: connector(server, "hall")["status"]["state"] == "reading", lambda: connector(server, "hall"))
            assert "password" not in connector(server, "hall"), connector(server, "hall")

            got = lambda: [line["body"]["n"] for line in lines(server)]
            assert broker.publish("press-1", "factory/press-1/data", [json.dumps({"n": n}) for n in range(20)]) == 20
            eventually(lambda: sorted(got()) == list(range(20)), got)
            assert lines(server)[0]["deviceId"] == "press-1" and lines(server)[0]["properties"]["mqtt-topic"] == "factory/press-1/data", lines(server)[0]
            assert broker.publish("press-1", "fw/press-1/security", [json.dumps(message(event("ProcessCreate", [process("/bin/ls")])))]) == 1
            server.wait_for("SecurityIoTRawEvent | where DeviceId == 'press-1' and RawEventName == 'ProcessCreate' | count", lambda rows: rows[0][0] == 1)

            # The broker keeps what comes while we are away, and again what was not acknowledged.
            time.sleep(1.5)  # the route's place is kept once a second: what it wrote since would be there twice
            server.kill()
            assert broker.publish("press-2", "factory/press-2/data", [json.dumps({"n": n}) for n in range(100, 120)]) == 20
            server.start()
            eventually(lambda: set(got()) == set(range(20)) | set(range(100, 120)), got)
            assert len(got()) == 40, got()
            time.sleep(1.5)
            broker.stop()
            eventually(lambda: connector(server, "hall")["status"]["state"] == "failing", lambda: connector(server, "hall"))
            broker.start()
            assert broker.publish("press-2", "factory/press-2/data", [json.dumps({"n": 200})]) == 1
            eventually(lambda: 200 in got(), lambda: (got(), connector(server, "hall")), 90)

            assert broker.publish("press-3", "factory/press-3/data", ["{}"], password="guessed") == 0
            rows = server.wait_for("AzureDiagnostics | where Category == 'Connections' | project OperationName, _DeviceId, ResultType",
                                   lambda rows: any(row[2] == "401002" for row in rows))
            assert ["deviceConnect", "press-1"] in [row[:2] for row in rows] and ["deviceDisconnect", "press-2"] in [row[:2] for row in rows], rows
            assert "fieldwatch-hall" not in {row[1] for row in rows}, rows
            devices = json.loads(server.cli("device", "list", "--hub", "home", "--format", "json"))
            assert {one["deviceId"] for one in devices["value"]} == {"press-1", "press-2"}, devices
        finally:
            broker.stop()


if __name__ == "__main__":
    main(snapshots_of_a_hub_elsewhere_are_judged_and_keep_no_key, diagnostic_records_become_operations_and_alerts, another_hubs_event_hub_is_read_from_where_we_stood,
         a_broker_is_read_once_and_its_log_is_operations)

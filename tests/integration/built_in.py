#!/usr/bin/python3
"""Built-in mode, no agent anywhere: what is there when Security is switched on is judged within a minute, and every operation of devices
and services is a record of its category in the operation log, with who did it."""

import base64
import json
import ssl
import threading
import time
import urllib.parse
from http.client import HTTPSConnection

from harness import PATIENCE, Credentials, Device, Server, main

RECORDS = ("AzureDiagnostics | extend P = parse_json(properties_s)"
           " | summarize Callers = make_set(tostring(P.sharedAccessPolicy)), Devices = make_set(tostring(P.deviceId)) by Category, OperationName, ResultType")


def security_switched_on_judges_what_is_there_within_a_minute():
    with Server() as server:
        server.cli("hub", "create", "home", "--security", "off")
        keys = {"symmetricKey": {name: base64.b64encode(bytes([9]) * 32).decode() for name in ("primaryKey", "secondaryKey")}, "type": "sas"}
        for device in ("pump", "valve"):
            status, said = server.service("PUT", f"/devices/{device}", {"deviceId": device, "authentication": keys})
            assert status == 200, said
        server.cli("hub", "update", "home", "--diagnostics", "off", "--ip-filter", "wide=Accept:10.0.0.0/8")
        time.sleep(3)
        assert server.query("SecurityRecommendation | count") == [[0]], "nothing is judged while it is off"
        began = time.monotonic()
        server.cli("hub", "update", "home", "--security", "on")
        expected = {"IoT_SharedCredentials", "IoT_IPFilter_DenyAll", "IoT_IPFilter_PermissiveRule", "IoT_DiagnosticsLogsDisabled", "IoT_InstallAgent"}
        rows = server.wait_for("SecurityRecommendation | where RecommendationState == 'Active' | distinct RecommendationName, DeviceId",
                               lambda rows: expected <= {row[0] for row in rows}, 60)
        assert time.monotonic() - began < 60 * PATIENCE
        assert {row[1] for row in rows if row[0] == "IoT_SharedCredentials"} == {"pump", "valve"}, rows
        changes = server.wait_for("AzureActivity | where OperationNameValue =~ 'Microsoft.Devices/iotHubs/Write' | project Caller, CallerIpAddress", lambda rows: rows)
        assert all(caller and address for caller, address in changes), ("who switched it on", changes)


class Requests:
    """A device's own requests over HTTPS, by its token."""

    def __init__(self, server, credentials):
        self.server, self.credentials = server, credentials

    def ask(self, method, path, body=None, headers=()):
        web = HTTPSConnection("localhost", self.server.profile["hubHttpsPort"], timeout=30 * PATIENCE,
                              context=ssl.create_default_context(cafile=str(self.server.data / "ca" / "ca.pem")))
        web.request(method, path + ("&" if "?" in path else "?") + "api-version=2021-04-12", body if isinstance(body, (bytes, type(None))) else json.dumps(body),
                    {"Authorization": self.credentials.token(), "Host": self.credentials.host, **dict(headers)})
        answer = web.getresponse()
        said = answer.read()
        web.close()
        assert answer.status < 300, (method, path, answer.status, said)
        return said, answer.headers


def at_a_device(server, credentials):
    """Telemetry, twin and a method over MQTT."""
    device = Device(server, credentials)
    answered, called = threading.Semaphore(0), threading.Event()

    def hear(client, _data, message):
        if message.topic.startswith("$iothub/methods/POST/"):
            client.publish("$iothub/methods/res/200/?$rid=" + message.topic.split("$rid=")[1], b"{}")
            called.set()
        else:
            answered.release()

    device.client.on_message = hear
    assert device.connect() == 0
    subscribed = threading.Event()
    device.client.on_subscribe = lambda *_: subscribed.set()
    device.client.subscribe([("$iothub/twin/res/#", 0), ("$iothub/methods/POST/#", 0), ("$iothub/twin/PATCH/properties/desired/#", 0)])
    assert subscribed.wait(10 * PATIENCE)
    device.client.publish("$iothub/twin/GET/?$rid=1", b" ")
    assert answered.acquire(timeout=10 * PATIENCE)
    device.client.publish("$iothub/twin/PATCH/properties/reported/?$rid=2", b'{"fw":1}')
    assert answered.acquire(timeout=10 * PATIENCE)
    status, said = server.service("POST", f"/twins/{credentials.device}/methods", {"methodName": "m", "payload": {}, "responseTimeoutInSeconds": 20})
    assert status == 200 and called.is_set(), said
    device.send("t", {"a": 1}, marked=False)
    device.wait_acknowledged(1)
    device.close()


def over_https(server, credentials):
    """Telemetry, messages to the device settled in each way, a file."""
    own, place = Requests(server, credentials), f"/devices/{credentials.device}"
    own.ask("POST", f"{place}/messages/events", b"{}")
    for number, settle in enumerate(("complete", "reject", "abandon")):
        status, said = server.service("POST", "/messages/devicebound", "go", {"iothub-to": f"{place}/messages/devicebound", "iothub-messageid": str(number)})
        assert status == 204, said
        _, headers = own.ask("GET", f"{place}/messages/devicebound")
        lock = headers["ETag"].strip('"')
        if settle == "abandon":
            own.ask("POST", f"{place}/messages/devicebound/{lock}/abandon")
        else:
            own.ask("DELETE", f"{place}/messages/devicebound/{lock}" + ("?reject" if settle == "reject" else ""))
    status, said = server.service("DELETE", f"{place}/commands")
    assert status == 200 and json.loads(said)["totalMessagesPurged"] == 1, said
    upload = json.loads(own.ask("POST", f"{place}/files", {"blobName": "log.txt"})[0])
    path = "/" + upload["containerName"] + "/" + urllib.parse.quote(upload["blobName"]) + upload["sasToken"]
    own.ask("PUT", path, b"lines", {"x-ms-blob-type": "BlockBlob"})
    own.ask("POST", f"{place}/files/notifications", {"correlationId": upload["correlationId"], "isSuccess": True, "statusCode": 200, "statusDescription": ""})


def at_the_service(server):
    """The registry, twins, queries, configurations and jobs."""
    def ask(method, path, body=None, headers=(), status=200):
        got, said = server.service(method, path, body, headers)
        assert got == status, (method, path, got, said)

    ask("PUT", "/devices/made", {"deviceId": "made"})
    ask("PUT", "/devices/made", {"deviceId": "made", "status": "disabled"}, {"If-Match": '"*"'})
    ask("GET", "/devices/made")
    ask("GET", "/devices/nobody", status=404)
    ask("GET", "/devices")
    ask("POST", "/devices", [{"id": "many", "importMode": "create"}])
    ask("PUT", "/devices/made/modules/m", {"deviceId": "made", "moduleId": "m"})
    ask("GET", "/devices/made/modules")
    ask("GET", "/twins/made")
    ask("PATCH", "/twins/made", {"tags": {"a": 1}})
    ask("PUT", "/twins/made", {"tags": {"b": 1}, "properties": {"desired": {}}})
    ask("POST", "/devices/query", {"query": "SELECT * FROM devices"})
    ask("POST", "/twins/made/methods", {"methodName": "m", "payload": {}}, status=404)
    ask("PUT", "/configurations/c", {"id": "c", "targetCondition": "tags.none = 1", "content": {"deviceContent": {}}})
    ask("GET", "/configurations/c")
    ask("GET", "/configurations")
    ask("DELETE", "/configurations/c", status=204)
    ask("PUT", "/jobs/v2/j", {"jobId": "j", "type": "scheduleUpdateTwin", "queryCondition": "tags.b = 1", "updateTwin": {"tags": {"c": 1}}})
    ask("GET", "/jobs/v2/j")
    ask("GET", "/jobs/v2/query")
    ask("POST", "/jobs/v2/nothing/cancel", {}, status=404)
    ask("DELETE", "/devices/made", headers={"If-Match": "*"}, status=204)


# Category and operation, "" or the code of its failure, and whether a policy is named as who did it.
EXPECTED = {("Connections", "deviceConnect", "", False), ("Connections", "deviceDisconnect", "", False), ("DeviceTelemetry", "ingress", "", False),
            ("D2CTwinOperations", "read", "", False), ("D2CTwinOperations", "update", "", False), ("D2CTwinOperations", "subscribe", "", False),
            ("C2DTwinOperations", "read", "", True), ("C2DTwinOperations", "update", "", True), ("C2DTwinOperations", "replace", "", True),
            ("TwinQueries", "query", "", True), ("DirectMethods", "send", "", True), ("DirectMethods", "send", "404103", True),
            ("C2DCommands", "send", "", True), ("C2DCommands", "deliver", "", False), ("C2DCommands", "complete", "", False),
            ("C2DCommands", "reject", "", False), ("C2DCommands", "abandon", "", False), ("C2DCommands", "purge", "", True),
            ("FileUploadOperations", "initiate", "", False), ("FileUploadOperations", "complete", "", False),
            ("DeviceIdentityOperations", "create", "", True), ("DeviceIdentityOperations", "update", "", True), ("DeviceIdentityOperations", "get", "", True),
            ("DeviceIdentityOperations", "get", "404001", True), ("DeviceIdentityOperations", "getDevices", "", True), ("DeviceIdentityOperations", "bulk", "", True),
            ("DeviceIdentityOperations", "getModules", "", True), ("DeviceIdentityOperations", "delete", "", True),
            ("Configurations", "ReadManyConfigurations", "", True), ("Configurations", "ReadConfiguration", "", True), ("Configurations", "DeleteConfiguration", "", True),
            ("Configurations", "CreateConfiguration", "", True),
            ("JobsOperations", "CreateJob", "", True), ("JobsOperations", "ReadJob", "", True), ("JobsOperations", "ReadManyJobs", "", True),
            ("JobsOperations", "CancelJob", "404305", True), ("JobsOperations", "jobCompleted", "", False)}


def every_operation_is_a_record_of_its_category_with_who_did_it():
    with Server() as server:
        server.cli("hub", "create", "home")
        server.cli("device", "create", "pump", "--hub", "home")
        credentials = Credentials(server.cli("device", "connection-string", "pump", "--hub", "home").strip())
        at_a_device(server, credentials)
        over_https(server, credentials)
        at_the_service(server)

        def told(rows):
            return {(row[0], row[1], row[2] or "", "iothubowner" in (row[3] if isinstance(row[3], list) else json.loads(row[3]))) for row in rows}

        try:  # telemetry of a minute is one record, at its end or the device's
            server.wait_for(RECORDS, lambda rows: EXPECTED <= told(rows), 90)
        except AssertionError as late:
            raise AssertionError(f"no record of {sorted(EXPECTED - told(server.query(RECORDS)))}; there are {sorted(told(server.query(RECORDS)))}") from late


if __name__ == "__main__":
    main(security_switched_on_judges_what_is_there_within_a_minute, every_operation_is_a_record_of_its_category_with_who_did_it)

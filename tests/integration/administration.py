#!/usr/bin/python3
"""What an administrator does to a running server: takes personal data out of it, lists what there is of enrollments, keeps the
hub's own log, gives tokens and takes them back."""

import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import time
import urllib.parse
import uuid

from harness import BINARY, Device, Server, event, main, message, process

COMMANDS = "SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | project DeviceId, Command = tostring(parse_json(EventDetails).CommandLine)"


def run_commands(server, credentials, *commands):
    """The device says that it ran these; returns when the hub has taken them."""
    device = Device(server, credentials)
    assert device.connect() == 0
    for command in commands:
        event_id = str(uuid.uuid4())
        device.send(event_id, message(event("ProcessCreate", [process(command)], event_id)))
    device.wait_acknowledged(len(device.acknowledged) + len(device.pending))
    device.close()


def files_with(folder, text):
    return [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def purge_takes_a_device_and_a_name_out_of_everything():
    with Server() as server:
        pump, valve = server.make_device("pump"), server.make_device("valve")
        run_commands(server, pump, "/usr/bin/tar cf lovelace-notes.tar", "sh -c 'echo cpuminer-multi'")
        run_commands(server, valve, "/usr/bin/mail -s report Lovelace", "/usr/bin/true")
        server.wait_for(COMMANDS, lambda rows: len(rows) == 4)
        server.wait_for("SecurityAlert | where CompromisedEntity == 'pump'", lambda rows: rows)

        dry = json.loads(server.cli("purge", "--user-name", "Lovelace", "--dry-run", "--hub", "home", "--format", "json"))
        assert dry["dryRun"] and dry["rows"]["SecurityIoTRawEvent"] >= 1, dry
        assert len(server.query(COMMANDS)) == 4 and any("Lovelace" in row[1] for row in server.query(COMMANDS))

        by_name = json.loads(server.cli("purge", "--user-name", "Lovelace", "--format", "json"))
        assert by_name["logRecords"] >= 1, by_name
        rows = server.query(COMMANDS)
        assert len(rows) == 4 and not any("report Lovelace" in row[1] for row in rows), rows
        assert any("report" in row[1] for row in rows), "the row stays, without the name"

        by_device = json.loads(server.cli("purge", "--device", "pump", "--hub", "home", "--format", "json"))
        assert by_device["rows"]["SecurityIoTRawEvent"] == 2 and by_device["rows"]["SecurityAlert"] >= 1, by_device
        assert {row[0] for row in server.query(COMMANDS)} == {"valve"}
        assert not server.query("SecurityAlert | where CompromisedEntity == 'pump'")
        assert not files_with(server.data / "journal", "lovelace-notes"), "the log holds it still"
        listed = json.loads(server.cli("device", "list", "--hub", "home", "--format", "json"))["value"]
        assert {one["deviceId"] for one in listed} == {"pump", "valve"}, "it stays registered"

        # A restart replays the log: what was taken out does not come back, and the device can go on.
        server.stop()
        server.start()
        assert {row[0] for row in server.query(COMMANDS)} == {"valve"}
        run_commands(server, pump, "/usr/bin/uptime")
        server.wait_for(COMMANDS, lambda rows: ["pump", "/usr/bin/uptime"] in rows)
        audited = server.wait_for("AzureActivity | where OperationNameValue == 'Fieldwatch/purge/action' | project ActivityStatusValue, Caller",
                                  lambda rows: len(rows) >= 3)
        assert all(row[1] == "local" for row in audited), audited
        wrong = server.run("purge", "--device", "pump", "--user-name", "x")
        assert wrong.returncode != 0
        assert server.run("purge").returncode == 2


def every_enrollment_is_listed():
    with Server() as server:
        names = [f"device-{number:04}" for number in range(230)]
        for name in names:
            status, said = api(server, "PUT", f"/api/v1/provisioning/enrollments/{name}",
                               {"registrationId": name, "attestation": {"type": "symmetricKey"}})
            assert status == 200, said
        listed = json.loads(server.cli("enrollment", "list", "--format", "json"))
        assert sorted(one["registrationId"] for one in listed) == names, len(listed)
        assert json.loads(server.cli("enrollment", "list", "--group", "--format", "json")) == []


def keeping_the_hubs_log_resolves_its_recommendation():
    state = ("SecurityRecommendation | where RecommendationName == 'IoT_DiagnosticsLogsDisabled' "
             "| summarize arg_max(TimeGenerated, RecommendationState) by RecommendationId | project RecommendationState")
    with Server() as server:
        server.cli("hub", "create", "home")
        server.wait_for(state, lambda rows: rows == [["Active"]], 60)
        server.cli("hub", "update", "home", "--diagnostics", "Connections,DeviceTelemetry")
        server.wait_for(state, lambda rows: rows == [["Resolved"]], 60)
        server.cli("hub", "update", "home", "--diagnostics", "off")
        server.wait_for(state, lambda rows: rows == [["Active"]], 60)


def the_days_that_rows_are_kept_hold_over_a_restart():
    def days(server):
        tables = json.loads(server.cli("hub", "retention", "home", "--format", "json"))["tables"]
        return {one["table"]: one["days"] for one in tables}
    with Server() as server:
        server.cli("hub", "create", "home")
        wrong = server.run("hub", "retention", "home", "--days", "Moon=3")
        assert wrong.returncode != 0 and "SecurityIoTRawEvent" in wrong.stderr, wrong
        before = days(server)
        server.cli("hub", "retention", "home", "--days", "SecurityIoTRawEvent=14", "--days", "SecurityAlert=365")
        server.stop()
        server.start()
        assert days(server) == before | {"SecurityIoTRawEvent": 14, "SecurityAlert": 365}
        foretold = json.loads(server.cli("hub", "retention", "home", "--days", "SecurityAlert=1", "--dry-run", "--format", "json"))
        assert [(one["table"], one["days"], one["rows"]) for one in foretold["tables"]] == [("SecurityAlert", 1, 0)], foretold
        assert days(server)["SecurityAlert"] == 365, "a dry run changes nothing"
        server.cli("hub", "retention", "home", "--days", "SecurityIoTRawEvent=usual", "--days", "SecurityAlert=usual")
        assert days(server) == before


def connection(server):
    where = urllib.parse.urlparse(server.profile["server"])
    return http.client.HTTPConnection(where.hostname, where.port, timeout=30)


def api(server, method, target, body=None, token=None):
    """One request; (status, body)."""
    web = connection(server)
    web.request(method, target, json.dumps(body) if body is not None else None,
                {"Authorization": f"Bearer {token or server.profile['token']}"})
    answer = web.getresponse()
    said = answer.read()
    web.close()
    return answer.status, said


def what_a_token_let_in_ends_with_it():
    with Server() as server:
        server.cli("hub", "create", "home")
        _, made = api(server, "PUT", "/api/v1/tokens/siem", {"role": "reader"})
        token = json.loads(made)["token"]
        for setting in ("provisioning.keys", "provisioning.id_scope", "backups.kept"):
            assert api(server, "GET", f"/api/v1/settings/{setting}", token=token)[0] == 404
        web = connection(server)
        web.request("GET", "/api/v1/stream", headers={"Authorization": f"Bearer {token}"})
        stream = web.getresponse()
        assert stream.status == 200 and stream.readline() == b"event: hello\n"
        assert api(server, "DELETE", "/api/v1/tokens/siem")[0] == 204
        stream.read()  # to its end, which comes at once
        web.close()
        assert api(server, "GET", "/api/v1/who", token=token)[0] == 401

        # Whoever takes the file of the local token away gets another, and the one of before is worth nothing.
        before = server.profile["token"]
        server.stop()
        (server.data / "token").unlink()
        server.start()
        assert server.profile["token"] != before
        assert api(server, "GET", "/api/v1/who", token=before)[0] == 401
        assert api(server, "GET", "/api/v1/who")[0] == 200


def the_published_security_api_answers_from_what_is_stored():
    solutions = "/subscriptions/any/resourceGroups/any/providers/Microsoft.Security/iotSecuritySolutions"
    with Server() as server:
        def get(target, status=200):
            got, said = api(server, "GET", solutions + target)
            assert got == status, f"{target}: {got} {said}"
            return json.loads(said)
        run_commands(server, server.make_device("pump"), "sh -c 'echo cpuminer-multi'")
        server.wait_for("SecurityAlert | where CompromisedEntity == 'pump'", lambda rows: rows)
        server.wait_for("SecurityRecommendation | where RecommendationName == 'IoT_DiagnosticsLogsDisabled'", lambda rows: rows, 60)

        assert [one["name"] for one in get("")["value"]] == ["home"]
        assert get("/HOME")["properties"]["displayName"] == "home"
        alerts = get("/home/iotAlerts?compromisedEntity=pump&startTimeUtc%3E=2020-01-01T00:00:00Z&%24limit=1")
        assert alerts["totalCount"] >= 1 and len(alerts["value"]) == 1, alerts
        alert = alerts["value"][0]
        assert alert["properties"]["extendedProperties"]["DeviceId"] == "pump", alert
        assert get(f"/home/iotAlerts/{alert['name']}") == alert
        assert alert["properties"]["alertType"] in [one["name"] for one in get("/home/iotAlertTypes")["value"]]
        get(f"/home/iotAlertTypes/{alert['properties']['alertType']}")
        assert not get("/home/iotAlerts?startTimeUtc%3E=2100-01-01T00:00:00Z")["value"]

        model = "/home/analyticsModels/default"
        day = get(f"{model}/aggregatedAlerts?%24top=10")["value"][0]
        assert day["properties"]["count"] >= 1 and day["properties"]["topDevicesList"][0]["deviceId"] == "pump", day
        assert get(f"{model}/aggregatedAlerts/{day['name']}") == day
        # The ready-made query runs as it stands.
        assert ["pump"] in server.query(day["properties"]["logAnalyticsQuery"] + " | project DeviceId")

        found = get("/home/iotRecommendations?recommendationType=IoT_DiagnosticsLogsDisabled")["value"]
        assert [one["name"] for one in found] == ["IoT_DiagnosticsLogsDisabled|home"], found
        assert get("/home/iotRecommendations/IoT_DiagnosticsLogsDisabled%7Chome") == found[0]
        by_type = get(f"{model}/aggregatedRecommendations")["value"]
        one = next(each for each in by_type if each["name"] == "IoT_DiagnosticsLogsDisabled")
        assert get(f"{model}/aggregatedRecommendations/IoT_DiagnosticsLogsDisabled") == one
        assert server.query(one["properties"]["logAnalyticsQuery"])
        metrics = get(model)["properties"]
        assert sum(metrics["metrics"].values()) >= 1 and metrics["topAlertedDevices"][0]["deviceId"] == "pump", metrics
        assert metrics["mostPrevalentDeviceAlerts"], metrics

        # A type and day is dismissed for good: what comes of it later is born so.
        status, said = api(server, "POST", f"{solutions}{model}/aggregatedAlerts/{day['name']}/dismiss")
        assert status == 200 and json.loads(said) == {"name": day["name"], "status": "Dismissed"}, said
        kind = day["properties"]["alertType"]
        states = f"SecurityAlert | where AlertType == '{kind}' | summarize arg_max(TimeGenerated, Status) by SystemAlertId, CompromisedEntity" \
                 " | project CompromisedEntity, Status"
        server.wait_for(states, lambda rows: rows and all(row[1] == "Dismissed" for row in rows))
        get(f"{model}/aggregatedAlerts/{day['name']}", 404)
        run_commands(server, server.make_device("valve"), "sh -c 'echo cpuminer-multi'")
        rows = server.wait_for(states, lambda rows: any(row[0] == "valve" for row in rows))
        assert all(row[1] == "Dismissed" for row in rows), rows


def code_of(secret, moment):
    """RFC 6238, written down here once more."""
    digest = hmac.new(base64.b32decode(secret), int(moment // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1000000:06}"


def a_second_factor_is_asked_for_and_can_be_lost():
    password = "correct horse battery"
    with Server() as server:
        environment = {"FIELDWATCH_PROFILE": str(server.data / "profile.json")}

        def person(*arguments):
            return subprocess.Popen([BINARY, "user", *arguments], env=environment, text=True, bufsize=1,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def sign_in(**more):
            status, said = api(server, "POST", "/api/v1/session", {"user": "ann", "password": password, **more})
            return status, json.loads(said)
        added = person("add", "ann", "--role", "reader")
        assert added.communicate(password + "\n", timeout=30)[0], added
        enrolled = person("second-factor", "ann")
        enrolled.stdin.write(password + "\n")
        enrolled.stdin.flush()
        secret = enrolled.stderr.readline().split()[-1]
        assert secret in enrolled.stderr.readline(), "the address that authenticators read"
        codes, rest = enrolled.communicate(code_of(secret, time.time()) + "\n", timeout=30)
        codes = codes.split()
        assert enrolled.returncode == 0 and len(codes) == 10, rest
        status, said = sign_in()
        assert status == 401 and said["error"]["code"] == "SecondFactorRequiredError", said
        code = code_of(secret, time.time() + 30)
        assert sign_in(code=code)[0] == 200
        assert sign_in(code=code)[0] == 401, "taken twice"
        assert sign_in(code=codes[0])[0] == 200 and sign_in(code=codes[0])[0] == 401
        server.cli("user", "reset-second-factor", "ann")
        assert sign_in()[0] == 200


if __name__ == "__main__":
    main(purge_takes_a_device_and_a_name_out_of_everything, every_enrollment_is_listed, the_days_that_rows_are_kept_hold_over_a_restart,
         keeping_the_hubs_log_resolves_its_recommendation, what_a_token_let_in_ends_with_it,
         the_published_security_api_answers_from_what_is_stored, a_second_factor_is_asked_for_and_can_be_lost)

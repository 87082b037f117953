#!/usr/bin/python3
"""Recorded messages sent to a running hub again: by each device as itself, once however often, or as of now."""

import datetime
import json
import time

from harness import Server, event, main, message, process

BEGAN = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)


def at(second):
    return (BEGAN + datetime.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record(second, device, kind, body, module="azureiotsecurity"):
    return {"time": at(second), "hub": "elsewhere", "device": device, "module": module, "kind": kind, "body": body}


def recorded(path):
    def ran(second, line, number):
        body = message(event("ProcessCreate", [process(line)], event_id=f"00000000-0000-4000-8000-{number:012}"))
        for one in body["Events"]:
            one["TimestampUTC"] = one["TimestampLocal"] = at(second)
        return body
    rows = [record(0, "pump", "security-message", ran(0, "ls", 1)), record(1, "pump", "operation", {"operationName": "deviceConnect"}),
            record(2, "pump", "security-message", ran(2, "history -c", 2)), record(3, "valve", "telemetry", {"t": 21.5}, None)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "not a record\n")
    return path


def messages_come_again_as_their_devices():
    with Server() as server:
        server.cli("hub", "create", "home")
        path = recorded(server.data / "recorded.jsonl")
        plan = server.run("replay", "--dry-run", "--format", "json", path)
        said = json.loads(plan.stdout)
        assert said["toSend"] == {"security-message": 2, "telemetry": 1} and said["notSent"] == {"operation": 1} and said["bad"] == 1, said
        assert "recorded.jsonl:5: not a JSON object" in plan.stderr, plan.stderr
        refused = server.run("replay", path)
        assert refused.returncode == 1 and "--create makes what is missing" in refused.stderr and "recorded.jsonl:1" in refused.stderr, refused

        server.cli("replay", "--create", path)
        server.wait_for("SecurityIoTRawEvent | where DeviceId == 'pump' and RawEventName == 'ProcessCreate' | count", lambda rows: rows[0][0] == 2, 30)
        server.cli("replay", path)  # again: they are duplicates
        # As of now, twice as fast: other ids, and times around the present.
        began = time.time()
        server.cli("replay", "--as-of-now", "--speed", "2", path)
        assert time.time() - began >= 1.4, "paced"
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | count", lambda rows: rows[0][0] == 4, 30)
        rows = server.query("SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' and TimeStamp > ago(10m) | count")
        assert rows == [[2]], rows
        rows = server.wait_for("SecurityAlert | where AlertType == 'IoT_ClearHistoryFile' and StartTime > ago(10m) | distinct CompromisedEntity",
                               lambda rows: rows, 30)
        assert rows == [["pump"]], rows


def alerts_that_belong_together_are_an_incident():
    with Server() as server:
        server.cli("hub", "create", "home")
        path = server.data / "intrusion.jsonl"
        shell = lambda line: message(event("ProcessCreate", [process(line, pid=700)]))
        path.write_text("".join(json.dumps(record(second, device, "security-message", shell(line))) + "\n" for second, device, line in (
            (0, "pump", "history -c"), (1, "pump", "auditctl -e 0"), (2, "valve", "history -c"))))
        server.cli("replay", "--create", "--as-of-now", path)
        alerts = server.wait_for("SecurityAlert | summarize arg_max(TimeGenerated, *) by SystemAlertId | extend I = tostring(parse_json(ExtendedProperties).IncidentId)"
                                 " | where AlertType in ('IoT_ClearHistoryFile', 'IoT_DisableAuditdLogging') | project CompromisedEntity, AlertType, I",
                                 lambda rows: len(rows) == 3 and sum(row[2] != "" for row in rows) == 2, 30)
        incident, = {row[2] for row in alerts if row[2]}
        assert all(row[0] == "pump" for row in alerts if row[2]), alerts
        listed = json.loads(server.cli("alerts", "list", "--incident", incident, "--format", "json"))["value"]
        assert {one["type"] for one in listed} >= {"IoT_ClearHistoryFile", "IoT_DisableAuditdLogging"}, listed
        assert all(one["incident"] == incident and one["device"] == "pump" for one in listed), listed
        refused = server.run("alerts", "list", "--incident", "x")
        assert refused.returncode != 0 and "UUID" in refused.stderr, refused


if __name__ == "__main__":
    main(messages_come_again_as_their_devices, alerts_that_belong_together_are_an_incident)

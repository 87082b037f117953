#!/usr/bin/python3
"""Queries that run by themselves, in a running server: a rule's rows become alerts with entities, once a window; they are dismissed like others, survive a
restart without being raised again, and a rule whose query fails says so."""

import json
import time

from harness import Device, Server, event, main, message

RULE = {
    "name": "Many failed logins from one address", "severity": "High", "period": "PT1M", "window": "PT10M", "threshold": 2, "suppression": "P1D",
    "entities": {"device": "DeviceId", "ip": "Src"},
    "query": "SecurityIoTRawEvent | where RawEventName == 'Login' | extend E=parse_json(EventDetails)"
             " | where tostring(E.Result) =~ 'fail' | project DeviceId, Src=tostring(E.RemoteAddress)",
}
ALERTS = ("SecurityAlert | where AlertType == 'IoT_SQ_logins' | extend P=parse_json(ExtendedProperties)"
          " | summarize Rows=max(tolong(P.Rows)), Status=take_any(Status), Lines=count() by SystemAlertId, CompromisedEntity, AlertSeverity, Entities")


def login(address):
    return message(event("Login", [{"Executable": "/usr/sbin/sshd", "ProcessId": 7, "UserId": "0", "UserName": "root", "Operation": "ssh", "Result": "Fail",
                                    "RemoteAddress": address}]))


def a_rule_raises_one_alert_for_each_entity_and_none_again():
    with Server() as server:
        device = Device(server, server.make_device("pump-1"))
        assert device.connect() == 0
        for number, address in enumerate(["10.0.0.9"] * 4 + ["10.0.0.8"]):  # once is not more than twice
            device.send(number, login(address))
        device.wait_acknowledged(5)
        device.close()
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'Login' | count", lambda rows: rows[0][0] == 5, 30)
        rule = server.data / "rule.json"
        rule.write_text(json.dumps(RULE))
        server.cli("rules", "scheduled", "add", "logins", rule, "--hub", "home")
        rows = server.wait_for(ALERTS, lambda rows: rows, 100)
        assert len(rows) == 1, rows
        alert, entity, severity, entities, count, status, _ = rows[0]
        assert (entity, severity, count, status) == ("pump-1", "High", 4, "New"), rows
        assert {"Type": "ip", "Address": "10.0.0.9"}.items() <= json.loads(entities)[1].items(), entities
        listed = json.loads(server.cli("alerts", "list", "--format", "json"))
        assert alert in json.dumps(listed), listed
        server.cli("alerts", "dismiss", alert)
        server.wait_for(f"SecurityAlert | where SystemAlertId == '{alert}' and Status == 'Dismissed' | count", lambda rows: rows[0][0] > 0)

        # Killed and started again: the log says it once, and the next window is suppressed.
        server.kill()
        server.start()
        before = health(server)["runs"]
        deadline = time.monotonic() + 100
        while health(server)["runs"] <= before and time.monotonic() < deadline:
            time.sleep(1)
        assert health(server)["runs"] > before and health(server)["healthy"], health(server)
        rows = server.query("SecurityAlert | where AlertType == 'IoT_SQ_logins' | distinct SystemAlertId")
        assert rows == [[alert]], rows


def health(server, rule="logins"):
    return json.loads(server.cli("rules", "scheduled", "show", rule, "--hub", "home"))["health"]


def a_query_that_does_not_run_is_refused_and_one_that_stops_running_is_seen():
    with Server() as server:
        server.cli("hub", "create", "home")
        rule = server.data / "rule.json"
        rule.write_text(json.dumps({**RULE, "query": "SecurityIoTRawEvent | where Nothing == 1", "entities": {}}))
        refused = server.run("rules", "scheduled", "add", "broken", rule, "--hub", "home")
        assert refused.returncode != 0 and "Nothing" in refused.stderr and "column 29" in refused.stderr, refused.stderr
        rule.write_text(json.dumps({**RULE, "entities": {"device": "Device"}}))
        refused = server.run("rules", "scheduled", "add", "broken", rule, "--hub", "home")
        assert refused.returncode != 0 and "no column \"Device\"" in refused.stderr, refused.stderr

        # Over no rows it runs; what its rows do is another matter.
        rule.write_text(json.dumps({"query": "print x = 1", "period": "PT1M"}))
        shown = server.cli("rules", "scheduled", "add", "always", rule, "--hub", "home")
        assert "always" in shown, shown
        trial = json.loads(server.cli("rules", "scheduled", "run", "always", "--hub", "home", "--format", "json"))
        assert trial["rows"] == 1 and len(trial["findings"]) == 1, trial
        rows = server.wait_for("SecurityAlert | where AlertType == 'IoT_SQ_always' | project CompromisedEntity", lambda rows: rows, 100)
        assert rows[0] == ["home"], rows
        assert health(server, "always")["healthy"]
        listed = server.cli("rules", "scheduled", "list", "--hub", "home")
        assert "healthy" in listed, listed
        server.cli("rules", "scheduled", "remove", "always", "--hub", "home")
        assert "always" not in server.cli("rules", "scheduled", "list", "--hub", "home")
        audit = server.query("AzureActivity | where Properties contains 'scheduled-rules' | project Properties")
        assert audit, "the changes are in the activity log"


def damaged_state_or_a_clock_that_was_ahead_costs_no_more_than_itself():
    with Server() as server:
        server.cli("hub", "create", "home")
        rule = server.data / "rule.json"
        rule.write_text(json.dumps({"query": "print x = 1", "period": "PT1M", "suppression": "PT0S"}))
        server.cli("rules", "scheduled", "add", "always", rule, "--hub", "home")

        def runs(more_than):
            deadline = time.monotonic() + 100
            while health(server, "always")["runs"] <= more_than and time.monotonic() < deadline:
                time.sleep(1)
            return health(server, "always")

        assert runs(0)["runs"] > 0
        server.stop()
        state = server.data / "scheduled-queries.json"
        kept = json.loads(state.read_text())
        kept["rules"][0]["cursor"] += 20 * 365 * 86400 * 10_000_000
        state.write_text(json.dumps(kept))
        server.start()
        before = health(server, "always")
        assert runs(before["runs"])["runs"] > before["runs"], "silent until a date far ahead"
        server.stop()

        damaged = {"scheduled-queries.json": '{"version":1,"rules":[5]}', "retro-hunt.json": "{", "intel-feeds.json": ""}
        for name, text in damaged.items():
            (server.data / name).write_text(text)
        server.start()
        for name, text in damaged.items():
            assert (server.data / (name + ".damaged")).read_text() == text, name
        assert runs(0)["healthy"]


if __name__ == "__main__":
    main(a_rule_raises_one_alert_for_each_entity_and_none_again, a_query_that_does_not_run_is_refused_and_one_that_stops_running_is_seen,
         damaged_state_or_a_clock_that_was_ahead_costs_no_more_than_itself)

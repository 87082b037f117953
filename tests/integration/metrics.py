#!/usr/bin/python3
"""Numbers that applications send, in a running server: through the SDK and out of telemetry, learned until one of them is nothing like the others, which is
an alert with the rows behind it."""

import http.client
import json
import pathlib
import random
import sys
import time
import urllib.parse
from datetime import datetime, timezone

from harness import Device, Server, main

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "sdk" / "python"))
from fieldwatch_security import Message  # noqa: E402

ALERTS = ("SecurityAlert | where AlertType == 'IoT_X_UnusualMetric' | summarize P = take_any(tostring(ExtendedProperties)), D = take_any(Description)"
          " by SystemAlertId, CompromisedEntity, AlertSeverity")


def watch_behaviour(server):
    """In force when this returns: what a server finds at its start is."""
    address = urllib.parse.urlsplit(server.profile["server"])
    web = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    web.request("PUT", "/api/v1/settings/detection.settings", json.dumps({"value": json.dumps({"behaviour": True})}),
                {"Authorization": f"Bearer {server.profile['token']}"})
    answer = web.getresponse()
    said = answer.read()
    assert answer.status == 200, said
    web.close()
    server.stop()
    server.start()


def the_evidence_of(server, properties, observed):
    rows = server.query(json.loads(properties)["EvidenceQuery"])
    assert len(rows) > 1 and rows[-1][1] == observed, rows[-3:]


def the_sdks_numbers_are_learned_and_a_strange_one_is_told():
    chance = random.Random(5)
    with Server() as server:
        credentials = server.make_device("fan")
        watch_behaviour(server)
        fan = Device(server, credentials)
        assert fan.connect() == 0
        step, steps = 12 * 60, 300  # two days and a half until now
        began = time.time() - step * (steps + 2)

        def said(values, first):
            message = Message("fans 1.0")
            for number, value in enumerate(values):
                when = datetime.fromtimestamp(began + step * (first + number), timezone.utc)
                message.add("Custom", Name="Metrics", ExtraDetails={"fan_rpm": str(value), "state": "on"}, time=when)
            return message.body()

        # What a device kept while it was not connected.
        fan.send("usual", said([1180 + chance.randrange(40) for _ in range(steps)], 0))
        fan.wait_acknowledged(1, 120)
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'Custom' | count", lambda rows: rows[0][0] == steps, 120)
        assert server.query(ALERTS) == [], "nothing was strange yet"
        fan.send("odd", said([4800], steps))
        alerts = server.wait_for(ALERTS, lambda rows: rows, 60)
        assert len(alerts) == 1, alerts
        _, device, severity, properties, description = alerts[0]
        assert (device, severity) == ("fan", "Medium") and description.startswith("fan_rpm is 4800, where "), alerts
        told = json.loads(properties)
        assert told["Metric"] == "fan_rpm" and told["Expected Low"] < 1200 < told["Expected High"] < 4800, told
        the_evidence_of(server, properties, 4800)
        fan.close()


def numbers_of_telemetry_are_chosen_by_paths():
    chance = random.Random(6)
    with Server() as server:
        credentials = server.make_device("oven")
        watch_behaviour(server)
        oven = Device(server, credentials)
        for wrong, said in (("celsius", "NAME=PATH"), ("celsius=$.a[*]", "the metric celsius"), ("a b=$.a", "letters, digits"),
                            ("celsius=$.a where x = ", 'the \"where\" of the metric celsius')):
            refused = server.run("hub", "update", "home", "--metric", wrong)
            assert refused.returncode != 0 and said in refused.stderr, refused
        shown = json.loads(server.cli("hub", "update", "home", "--metric", "celsius=$.room['celsius']", "--metric", "rpm=$.fans[0]",
                                      "--metric", "frost=$.room.celsius where $twin.tags.kind = 'fridge'", "--format", "json"))
        chosen = shown["configuration"]["telemetryMetrics"]
        assert [one["name"] for one in chosen] == ["celsius", "rpm", "frost"] and chosen[2]["where"] == "$twin.tags.kind = 'fridge'", shown
        assert oven.connect() == 0
        # Paths are looked up once a second: what comes before is not read.
        rows, sent = "SecurityIoTRawEvent | where RawEventName == 'Custom' | count", 0

        def say(celsius):
            nonlocal sent
            sent += 1
            assert oven.send(sent, {"room": {"celsius": celsius}, "fans": ["broken"], "serial": 7}, marked=False)

        while server.query(rows)[0][0] == 0:
            say(20.5)
            oven.wait_acknowledged(sent, 60)
        for _ in range(2_100):  # which are enough before a day is over
            say(20 + chance.randrange(1000) / 1000)
        oven.wait_acknowledged(sent, 180)
        server.wait_for(rows, lambda count: count[0][0] >= 2_100, 120)
        assert server.query(ALERTS) == [], "nothing was strange yet"
        say(93.25)
        alerts = server.wait_for(ALERTS, lambda found: found, 60)
        assert len(alerts) == 1 and alerts[0][1] == "oven" and alerts[0][4].startswith("celsius is 93.25, where "), alerts
        the_evidence_of(server, alerts[0][3], 93.25)
        assert server.query("SecurityAlert | where AlertType == 'IoT_DeviceOnboarded'") == [], "telemetry is no agent"
        assert server.query("SecurityIoTRawEvent | where EventDetails has 'frost' | count") == [[0]], "another group's metric"
        refused = server.query("AzureDiagnostics | where OperationName == 'metrics' | top 1 by TimeGenerated asc | project Category, ResultType, ResultDescription")
        assert refused == [["DeviceTelemetry", "400004", "the metric rpm found a string where a number belongs"]], refused

        server.cli("hub", "update", "home", "--metric", "none")
        before = server.query(rows)[0][0]
        quiet = False
        while not quiet:
            for _ in range(20):
                say(20.5)
            oven.wait_acknowledged(sent, 60)
            now = server.query(rows)[0][0]
            quiet, before = now == before, now
        oven.close()


if __name__ == "__main__":
    main(the_sdks_numbers_are_learned_and_a_strange_one_is_told, numbers_of_telemetry_are_chosen_by_paths)

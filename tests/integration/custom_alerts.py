#!/usr/bin/python3
"""What is done to a device over the product's own REST counts for custom alerts like what is done over the hub's: live, in a running
server, and within seconds."""

import json
import urllib.request

from harness import Server, main


def rest(server, method, path, body=None):
    profile = server.profile
    request = urllib.request.Request(profile["server"] + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {profile['token']}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def twin_writes_over_our_own_rest_raise_their_custom_alert():
    with Server() as server:
        server.cli("hub", "create", "home")
        for device in ("d1", "d2"):
            server.cli("device", "create", device)
        rules = {"properties": {"timeWindowRules": [{"ruleType": "TwinUpdatesNotInAllowedRange", "isEnabled": True, "minThreshold": 0,
                                                     "maxThreshold": 2, "timeWindowSize": "PT10M"}]}}
        rest(server, "PUT", "/api/v1/hubs/home/groups/default", rules)
        # A group acts from the next content version on: what is written before it counts for nobody.
        query = ("SecurityAlert | where AlertType == 'IoT_CA_TwinUpdatesNotInAllowedRange' | distinct CompromisedEntity")

        def write_until_alert(rows):
            for number in range(4):
                rest(server, "PATCH", "/api/v1/hubs/home/devices/d1/twin", {"properties": {"desired": {"n": number}}})
            return len(rows) > 0

        rest(server, "PATCH", "/api/v1/hubs/home/devices/d2/twin", {"tags": {"once": 1}})
        rows = server.wait_for(query, write_until_alert, 30)
        assert rows == [["d1"]], rows
        log = server.wait_for("AzureDiagnostics | where Category == 'C2DTwinOperations' and OperationName == 'update'"
                              " | extend P=parse_json(properties_s) | summarize count() by D=tostring(P.deviceId), C=tostring(P.caller)",
                              lambda rows: len(rows) == 2)
        assert all(row[1] for row in log), log


if __name__ == "__main__":
    main(twin_writes_over_our_own_rest_raise_their_custom_alert)

#!/usr/bin/python3
"""Correlations over the fleet through `fieldwatch detect`, from messages as agents send them: what one source or one program does
on several devices is an alert of the hub that names them, what it does on fewer is none, and the order of receipt changes nothing.
usage: fleet_rules.py FIELDWATCH"""
import json, pathlib, random, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "golden"))
from detect_input import Log, login, process


def connection(executable, remote):
    return {"Protocol": "tcp", "LocalAddress": "10.0.0.5", "LocalPort": "40000", "RemoteAddress": remote, "RemotePort": "443",
            "Direction": "Out", "Executable": executable, "ProcessId": 9}


def findings(binary, folder, log):
    path = pathlib.Path(folder) / "log.jsonl"
    path.write_text(log if isinstance(log, str) else log.text())
    settings = pathlib.Path(folder) / "settings.json"
    settings.write_text('{"testMode": true}')
    out = subprocess.run([binary, "detect", path, "--settings", settings], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    assert not [row for row in rows if row["kind"] == "dead-letter"], rows
    return [row for row in rows if row.get("AlertType", "").startswith("IoT_X_Fleet") and row["AlertType"] != "IoT_X_FleetChange"]


def attack(devices):
    log = Log("attack")
    for number in range(devices):
        log.send(f"camera-{number}", "Login", login("Fail", "203.0.113.7"), number * 60)
        log.send(f"camera-{number}", "ProcessCreate", process("./.x", executable="/tmp/.x") | {"ExtraDetails": {"Hash": "SHA256=" + "ab" * 32}}, number * 60 + 5)
        log.send(f"camera-{number}", "ConnectionCreate", connection("/tmp/.x", "198.51.100.9"), number * 60 + 9)
    log.send("camera-0", "Login", login("Success", "203.0.113.7"), devices * 60 + 30)
    return log


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        alerts = {row["AlertType"]: row for row in findings(binary, folder, attack(6))}
        print({name: row["ExtendedProperties"].get("Devices") for name, row in alerts.items()})
        assert set(alerts) == {"IoT_X_FleetBruteForce", "IoT_X_FleetBreakIn", "IoT_X_FleetSpread", "IoT_X_FleetSameServer"}, set(alerts)
        guessed = alerts["IoT_X_FleetBruteForce"]
        assert guessed["CompromisedEntity"] == "plant" and guessed["ExtendedProperties"]["DeviceCount"] == "6", guessed
        assert json.loads(guessed["ExtendedProperties"]["Devices"]) == [f"camera-{i}" for i in range(6)]
        named = [entity["DeviceId"] for entity in guessed["Entities"] if entity["Type"] == "iotdevice"]
        assert named == [f"camera-{i}" for i in range(6)], named
        assert {"Type": "ip", "Address": "203.0.113.7"}.items() <= guessed["Entities"][-1].items()

        few = findings(binary, folder, attack(2))
        assert few == [], few

        # The order of receipt: all messages came late, in any order; who is named and counted is the same.
        rows = attack(6).text().splitlines()
        received = max(json.loads(row)["time"] for row in rows)
        whole = {name: (row["ExtendedProperties"]["Devices"], row["StartTime"], row["EndTime"]) for name, row in alerts.items()}
        for seed in range(5):
            shuffled = rows[:]
            random.Random(seed).shuffle(shuffled)
            text = "\n".join(json.dumps(json.loads(row) | {"time": received}) for row in shuffled) + "\n"
            again = {row["AlertType"]: (row["ExtendedProperties"]["Devices"], row["StartTime"], row["EndTime"])
                     for row in findings(binary, folder, text)}
            assert again.keys() == whole.keys(), again.keys()
            assert all(again[name][0] == whole[name][0] for name in whole), again
    print("fleet_rules: 3 passed, 0 failed")


if __name__ == "__main__":
    main()

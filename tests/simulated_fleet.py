#!/usr/bin/python3
"""A simulated fleet through `fieldwatch detect`: every step of every attack raises the alert that the truth beside the records
names, a firmware update is one event of the fleet, devices that nobody attacks stay quiet, and equal seeds give equal findings.
usage: simulated_fleet.py FIELDWATCH"""
import collections, datetime, json, pathlib, subprocess, sys, tempfile

DEVICES, DAYS = 40, 4
# True of these devices, attacked or not: they came, their broker and control protocol are open, an operator logs in at the PLC.
TRUE = {"IoT_DeviceOnboarded", "IoT_X_PortMqttPlain", "IoT_X_PortModbus", "IoT_SucessfulLocalLogin"}
ALERTS_PER_DEVICE_MONTH_MAX = 4  # of devices that nobody attacks, at Low and above; docs/detection-quality.md has the large run


def at(text):
    """A UTC stamp, to the microsecond."""
    return datetime.datetime.fromisoformat(text.rstrip("Z")[:26])


def simulate(binary, folder, name, *options):
    path = pathlib.Path(folder) / name
    subprocess.run([binary, "simulate", "--to", path, "--devices", str(DEVICES), "--days", str(DAYS), "--update-day", "3", *options],
                   check=True)
    found = subprocess.run([binary, "detect", path, "--intel", f"{path}.intel.csv", "--settings", f"{path}.settings.json"],
                           check=True, capture_output=True, text=True).stdout
    truth = [json.loads(line) for line in pathlib.Path(f"{path}.truth.jsonl").read_text().splitlines()]
    return found, truth


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        found, truth = simulate(binary, folder, "attacked.jsonl", "--attack", "all", "--seed", "7")
        again, _ = simulate(binary, folder, "again.jsonl", "--attack", "all", "--seed", "7")
    assert found == again, "equal seeds must give equal findings"
    findings = [json.loads(line) for line in found.splitlines()]
    letters = [f for f in findings if f["kind"] == "dead-letter"]
    assert not letters, f"what is simulated must conform: {letters[0]}"
    alerts = [f for f in findings if f["kind"] == "alert"]
    by_device = collections.defaultdict(list)
    for alert in alerts:
        by_device[alert["CompromisedEntity"], alert["AlertType"]].append(alert)
    hour = datetime.timedelta(hours=1)
    missed = []
    for entry in truth:
        start, end = at(entry["start"]) - hour / 12, at(entry["end"]) + hour
        hits = [a for a in by_device[entry["device"], entry["alert"]] if start <= at(a["EndTime"]) and at(a["StartTime"]) <= end]
        if not hits:
            missed.append(f"{entry.get('script', entry.get('event'))}: {entry['alert']} on {entry['device']}")
    attacked = {entry["device"] for entry in truth}
    quiet = [a for a in alerts if a["CompromisedEntity"] not in attacked and a["AlertType"] not in TRUE]
    months = (DEVICES - len(attacked) + 1) * DAYS / 30
    print(f"{len(truth)} steps, {len(missed)} missed; {len(quiet)} alerts in {months:.1f} device-months of quiet devices")
    for alert in quiet:
        print(f"  {alert['CompromisedEntity']}: {alert['AlertType']} {alert['AlertSeverity']} {alert['Description'][:150]}")
    assert not missed, "\n".join(missed)
    worst = [a for a in quiet if a["AlertSeverity"] in ("Medium", "High")]
    assert not worst, "a device that nobody attacks must raise nothing at medium or above"
    assert len(quiet) <= ALERTS_PER_DEVICE_MONTH_MAX * months, "devices that nobody attacks must stay quiet"
    print("simulated_fleet: 4 passed, 0 failed")


if __name__ == "__main__":
    main()

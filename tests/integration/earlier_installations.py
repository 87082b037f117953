#!/usr/bin/python3
"""What earlier states of the product kept, opened by this one: backups that they made (tests/golden/installation/README.md) are restored, started, and
know what they knew; devices connect with the keys of then, and detection goes on where it stood. `--make FOLDER` adds this state's own."""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

from harness import BINARY, TOP, Credentials, Device, Server, event, main, message, process

INSTALLATIONS = TOP / "tests" / "golden" / "installation"
# Long enough that nothing of then is too old now.
CONFIG = "raw_event_days: 3650\nalert_days: 3650\ntelemetry_days: 3650\npartitions: 1\n"
INDICATOR = "203.0.113.77"
RULE = """title: The pump's own valve is opened by hand
id: 5d9e6c2e-6a0b-4b52-8b1e-3f9f0a8a7c11
status: stable
logsource: {product: linux, category: process_creation}
detection:
  opened:
    CommandLine|contains: 'valve --open'
  condition: opened
level: high
"""
SCHEDULED = {"name": "Many failed logins", "severity": "High", "period": "PT1H", "window": "P1D", "threshold": 900,
             "query": "SecurityIoTRawEvent | where RawEventName == 'Login' | project DeviceId"}
GROUP = {"properties": {"allowlistRules": [{"ruleType": "ConnectionToIpNotAllowed", "isEnabled": True, "allowlistValues": ["10.0.0.0/8"]}]}}
ACTIVE = ("SecurityRecommendation | summarize arg_max(TimeGenerated, RecommendationState) by RecommendationId, DeviceId"
          " | where RecommendationState == 'Active' | project DeviceId, RecommendationId")


def ports(*numbers):
    rows = [{"Protocol": "tcp", "LocalAddress": "0.0.0.0", "LocalPort": str(one), "RemoteAddress": "0.0.0.0", "RemotePort": "*"} for one in numbers]
    return event("ListeningPorts", rows, category="Periodic")


def login(result, address):
    return event("Login", [{"Executable": "/usr/sbin/sshd", "ProcessId": 7, "UserId": "0", "UserName": "root", "Operation": "ssh", "Result": result,
                            "RemoteAddress": address}])


def connection(address):
    return event("ConnectionCreate", [{"RemoteAddress": address, "RemotePort": "443", "Direction": "Out", "Protocol": "tcp", "ProcessId": 8, "UserId": "0",
                                       "Executable": "/usr/bin/wget", "CommandLine": "wget -q"}])


def listed(server, *command):
    found = json.loads(server.cli(*command, "--format", "json"))
    return found["value"] if isinstance(found, dict) else found


def known(server):
    """What whoever used it would miss; nothing that moves by itself."""
    rows = server.query("SecurityIoTRawEvent | summarize count() by RawEventName | order by RawEventName asc")
    return {
        "devices": [[one["deviceId"], one["status"]] for one in listed(server, "device", "list", "--hub", "home")],
        "tags": json.loads(server.service("GET", "/twins/pump")[1])["tags"],
        "events": [row for row in rows if row[0] != "Heartbeat"],
        "alerts": sorted(server.query("SecurityAlert | summarize arg_max(TimeGenerated, Status) by SystemAlertId, AlertType"
                                      " | where AlertType in ('IoT_CryptoMiner', 'IoT_DeviceOnboarded') | project SystemAlertId, AlertType, Status")),
        "ports": [row for row in server.query(ACTIVE) if row[0] == "pump"],
        "indicators": sorted(one["name"] for one in listed(server, "intel", "list")),
        "people": sorted([one["name"], one["role"]] for one in listed(server, "user", "list")),
        "enrollments": [one["enrollmentGroupId"] for one in listed(server, "enrollment", "list", "--group")],
        "exports": [one["name"] for one in listed(server, "export", "list")],
        "rule sets": [one["note"] for one in listed(server, "rules", "versions")],
        "scheduled": [one["id"] for one in listed(server, "rules", "scheduled", "list", "--hub", "home")],
        "group": [[one["ruleType"], one["allowlistValues"]] for one in json.loads(server.cli("groups", "get", "yard", "--hub", "home", "--format", "json"))
                  ["properties"]["allowlistRules"] if one["isEnabled"]],
    }


def make(folder):
    """A small installation with something of everything; its backup and what it knew into `folder`."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-installation-"))
    (work / "rules").mkdir()
    (work / "rules" / "valve.yml").write_text(RULE)
    for name, text in (("config.yaml", CONFIG), ("bad.txt", INDICATOR + "\n"), ("scheduled.json", json.dumps(SCHEDULED)), ("group.json", json.dumps(GROUP))):
        (work / name).write_text(text)
    server = Server()
    server.start("--config", work / "config.yaml")
    with_module = {one: server.make_device(one) for one in ("pump", "valve")}
    assert server.service("PATCH", "/twins/pump", {"tags": {"SecurityGroup": "yard", "place": "north"}})[0] == 200
    server.cli("groups", "set", "yard", work / "group.json", "--hub", "home")
    server.cli("rules", "apply", "--rules", work / "rules", "--note", "the valve's own rule")
    server.cli("rules", "scheduled", "add", "logins", work / "scheduled.json", "--hub", "home")
    server.cli("intel", "import", work / "bad.txt")
    server.cli("enrollment", "create", "yard", "--group")
    server.cli("export", "add", "kept", "--to", "file")
    subprocess.run([BINARY, "user", "add", "ada", "--role", "analyst"], input="a passphrase of its own\n", text=True, check=True,
                   env={"FIELDWATCH_PROFILE": str(server.data / "profile.json")}, stdout=subprocess.DEVNULL)
    device = Device(server, with_module["pump"])
    assert device.connect() == 0
    said = [message(event("ProcessCreate", [process(f"/usr/bin/true {number}")])) for number in range(20)]
    said += [message(event("ProcessCreate", [process("sh -c 'echo cpuminer-multi'")])), message(ports(8888)), message(login("Fail", "10.0.0.9"))]
    for number, body in enumerate(said):
        device.send(number, body)
    device.wait_acknowledged(len(said))
    device.close()
    miner = server.wait_for("SecurityAlert | where AlertType == 'IoT_CryptoMiner' | distinct SystemAlertId", lambda rows: len(rows) == 1)
    server.cli("alerts", "dismiss", miner[0][0])
    server.wait_for("SecurityAlert | where AlertType == 'IoT_CryptoMiner' and Status == 'Dismissed' | count", lambda rows: rows[0][0] > 0)
    server.wait_for("SecurityIoTRawEvent | where RawEventName == 'Login' | count", lambda rows: rows[0][0] == 1)
    server.wait_for(ACTIVE, lambda rows: any(row[0] == "pump" for row in rows))
    time.sleep(35)  # a checkpoint is written each half minute
    knew = {"made": time.strftime("%Y-%m-%d", time.gmtime()), "pump": with_module["pump"].text, "knew": known(server)}
    server.cli("backup", pathlib.Path(folder) / f"{knew['made']}.tar.zst")
    (pathlib.Path(folder) / f"{knew['made']}.json").write_text(json.dumps(knew, indent=1) + "\n")
    server.stop()
    shutil.rmtree(server.data)
    shutil.rmtree(work)


class Earlier(Server):
    """A server over what one of them left."""

    def __init__(self, backup):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-earlier-"))
        done = subprocess.run([BINARY, "restore", backup, "--data", self.folder / "data"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        (self.folder / "config.yaml").write_text(CONFIG)
        super().__init__(self.folder / "data")

    def start(self):
        super().start("--config", self.folder / "config.yaml")

    def __exit__(self, *failure):
        super().__exit__(*failure)
        shutil.rmtree(self.folder, ignore_errors=True)


def all_of_them():
    found = sorted(INSTALLATIONS.glob("*.tar.zst"))
    assert found
    for backup in found:
        yield backup, json.loads(backup.with_suffix("").with_suffix(".json").read_text())


def they_know_what_they_knew_and_detection_goes_on():
    for backup, then in all_of_them():
        with Earlier(backup) as server:
            now = known(server)
            for what, value in then["knew"].items():
                assert now[what] == value, f"{backup.name}: {what}: {now[what]} was {value}"
            device = Device(server, Credentials(then["pump"]))
            assert device.connect() == 0, f"{backup.name}: the device's key of then"
            # The port that was open is closed now: only who remembers it can say so.
            for name, body in (("closed", message(ports())), ("opened", message(event("ProcessCreate", [process("/usr/bin/valve --open")]))),
                               ("outside", message(connection("198.51.100.7"))), ("listed", message(connection(INDICATOR)))):
                device.send(name, body)
            device.wait_acknowledged(4)
            server.wait_for(ACTIVE + " | where DeviceId == 'pump'", lambda rows: not [row for row in rows if row in then["knew"]["ports"]])
            # The rule, the group and the indicators of then are in force.
            expected = {"Sigma_5d9e6c2e-6a0b-4b52-8b1e-3f9f0a8a7c11", "IoT_CA_ConnectionToIpNotAllowed", "IoT_TiConnection"}
            server.wait_for("SecurityAlert | distinct AlertType", lambda rows: expected <= {row[0] for row in rows})
            assert {kind for _, kind, _ in then["knew"]["alerts"]}.isdisjoint(expected)
            device.close()


def killed_while_it_opens_them_it_opens_them_the_next_time():
    chance = random.Random(11)
    for backup, then in all_of_them():
        server = Earlier(backup)
        log = open(server.folder / "killed.log", "ab")
        for _ in range(8):
            running = subprocess.Popen([BINARY, "serve", "--data", server.data, "--config", server.folder / "config.yaml", "--hub-port", "0", "--amqp-port", "0",
                                        "--page-port", "0"], stdout=log, stderr=log)
            time.sleep(chance.random() * 0.6)
            running.kill()
            running.wait()
        with server:
            now = known(server)
            assert now == then["knew"], f"{backup.name}: {now} was {then['knew']}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2])
    else:
        main(they_know_what_they_knew_and_detection_goes_on, killed_while_it_opens_them_it_opens_them_the_next_time)

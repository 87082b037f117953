#!/usr/bin/python3
"""A rule author's path against a real server: write, check, test, backtest, apply, see it fire; a broken rule changes nothing, a
restart keeps the applied set, versions come back, and `alerts why` names the clause."""

import json
import pathlib
import tempfile
import time

from harness import PATIENCE, Device, Server, event, main, message, process, timestamp

RULE = """title: Door controller opened by script
id: 7b1f2a6e-1111-4c6e-9a51-5f1e6a13b001
status: test
author: A. Author
license: Apache-2.0
description: The door's control tool is run by hand and not by its service.
logsource: {{product: linux, category: process_creation}}
detection:
  tool:
    cmd.name: doorctl
    cmd.args|contains: open
  service:
    User: {user}
  condition: tool and not service
level: high
falsepositives: [maintenance]
fieldwatch:
  suppression: PT10M
  samples:
    fires: [doorctl open --all, {{CommandLine: doorctl open, User: pi}}]
    silent: [doorctl close, ls doorctl, {{CommandLine: doorctl open, User: {user}}}]
"""
ID = "7b1f2a6e-1111-4c6e-9a51-5f1e6a13b001"


class Folder:
    """A folder of rules of one's own."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="fieldwatch-rules-")
        self.path = pathlib.Path(self.directory.name)
        self.write(RULE.format(user="door"))
        return self

    def __exit__(self, *_):
        self.directory.cleanup()

    def write(self, text, name="door.yml"):
        (self.path / name).write_text(text)


def run(server, device, command_line, name):
    acknowledged = len(device.acknowledged)
    device.send(name, message(event("ProcessCreate", [process(command_line)])))
    device.wait_acknowledged(acknowledged + 1)
    server.wait_for(f"SecurityIoTRawEvent | where EventDetails contains '{command_line.split()[-1]}' | count", lambda rows: rows[0][0] > 0)


def alerts(server):
    return server.query(f"SecurityAlert | where AlertType == 'Sigma_{ID}' | project StartTime")


def rules(server):
    lines = server.cli("rules", "list", "--format", "json").splitlines()
    return {rule["id"]: rule for rule in map(json.loads, lines)}


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not so")
        time.sleep(0.1)


def author_path():
    with Server() as server, Folder() as folder:
        device = Device(server, server.make_device("gate"))
        assert device.connect() == 0
        began = time.time()
        run(server, device, "doorctl open --before-apply", "before")
        pack = rules(server)
        assert ID not in pack and all(rule["from"] == "pack" for rule in pack.values())

        # Check and test, without the server.
        report = json.loads(server.cli("rules", "check", "--rules", folder.path, "--format", "json"))
        assert (report["total"], report["compiles"], report["feedable"], report["tested"]) == (1, 1, 1, 1), report
        server.cli("rules", "test", "--rules", folder.path)

        # Backtest over what the device did before.
        job = json.loads(server.cli("rules", "backtest", "--rules", folder.path, "--from", timestamp(began - 3600), "--to",
                                    timestamp(), "--format", "json"))
        found = {rule["id"]: rule for rule in job["report"]["value"]}[ID]
        assert found["change"] == "added" and found["alerts"] == 1 and found["devices"] == 1 and found["hits"] == 1, found
        assert found["gained"][0]["what"] == "doorctl open --before-apply" and found["topDevices"][0]["device"] == "gate", found
        assert job["report"]["covered"]["days"] > 0 and not alerts(server)
        table = server.cli("rules", "backtest", "--rules", folder.path)
        assert "Door controller" in table and "Alerts that are new" in table, table

        # Apply, and see it fire.
        said = server.cli("rules", "apply", "--rules", folder.path, "--note", "doors")
        assert said.startswith("version 1 is in force") and "1 added" in said, said
        run(server, device, "doorctl open --after-apply", "after")
        server.wait_for(f"SecurityAlert | where AlertType == 'Sigma_{ID}'", lambda rows: len(rows) == 1)
        run(server, device, "doorctl open --after-apply", "again")
        wait_until(lambda: rules(server)[ID]["counts"]["repeats"] == 1)
        mine = rules(server)[ID]
        assert mine["from"] == "applied" and mine["counts"]["hits"] == 2 and mine["counts"]["alerts"] == 1, mine
        assert len(rules(server)) == len(pack) + 1

        # Why: fired, suppressed, and a clause that failed.
        run(server, device, "doorctl close --quietly", "close")
        answer = json.loads(server.cli("alerts", "why", "gate", "--rule", ID, "--at", timestamp(), "--within", "PT10M",
                                       "--format", "json"))
        # The window also holds what the hub said of the device's connections.
        told = {event["stage"]: event for event in answer["events"]
                if event["clauses"] and "doorctl" in event["clauses"][0]["values"].get("cmd.name", [])}
        assert told.keys() == {"not-in-force", "raised", "repeat", "condition"}, answer
        failed = told["condition"]
        assert "cmd.args|contains: open does not hold" in failed["sentence"], failed
        assert "would fire" in told["not-in-force"]["sentence"], told["not-in-force"]
        assert "no-record" in server.cli("alerts", "why", "gate", "--rule", ID, "--at", timestamp(time.time() + 7200))
        assert server.run("alerts", "why", "gate", "--rule", "nothing", "--at", timestamp()).returncode == 1
        device.close()


def a_broken_rule_changes_nothing():
    with Server() as server, Folder() as folder:
        server.make_device("gate")
        server.cli("rules", "apply", "--rules", folder.path)
        running = server.cli("rules", "list", "--format", "json")
        content = sorted((server.data / "content").iterdir())
        folder.write(RULE.format(user="other"))  # a good change, beside
        folder.write("title: Broken\nid: broken\nlogsource: {category: process_creation}\ndetection:\n  a:\n"
                     "    CommandLine|contians: x\n  condition: a\n", "broken.yml")
        done = server.run("rules", "apply", "--rules", folder.path)
        assert done.returncode == 1 and "broken.yml, line 6" in done.stderr and "contains" in done.stderr, done
        assert "the rules in force stay" in done.stderr
        assert server.cli("rules", "list", "--format", "json") == running
        assert sorted((server.data / "content").iterdir()) == content
        # Samples that fail are refused too, unless told; and an id that is taken.
        (folder.path / "broken.yml").unlink()
        folder.write(RULE.format(user="door").replace("fires: [doorctl open --all", "fires: [doorctl shut"))
        done = server.run("rules", "apply", "--rules", folder.path)
        assert done.returncode == 1 and "stays silent on" in done.stderr, done
        assert server.cli("rules", "apply", "--rules", folder.path, "--force").startswith("version 2 is in force")
        folder.write(RULE.format(user="door").replace("7b1f2a6e-1111-4c6e-9a51-5f1e6a13b001", "3d7f2c1a-0a44-4b6e-9a51-5f1e6a13a044"))
        done = server.run("rules", "apply", "--rules", folder.path)
        assert done.returncode == 1 and "another rule has this id" in done.stderr, done
        assert server.run("rules", "apply", "--rules", folder.path / "none").returncode != 0


def versions_survive_and_roll_back():
    with Server() as server, Folder() as folder:
        device = Device(server, server.make_device("gate"))
        server.cli("rules", "apply", "--rules", folder.path, "--note", "first")
        folder.write(RULE.format(user="keeper"))
        said = server.cli("rules", "apply", "--rules", folder.path)
        assert "1 changed" in said and said.startswith("version 2"), said
        assert "in force already" in server.cli("rules", "apply", "--rules", folder.path)
        before = server.cli("rules", "list", "--format", "json")
        server.stop()
        server.start()
        after = rules(server)
        assert {rule["id"]: rule["from"] for rule in map(json.loads, before.splitlines())} == \
            {rule["id"]: rule["from"] for rule in after.values()}
        assert device.connect() == 0
        run(server, device, "doorctl open --after-restart", "restart")
        server.wait_for(f"SecurityAlert | where AlertType == 'Sigma_{ID}'", lambda rows: len(rows) == 1)
        # Back to the first, then to the pack alone.
        assert server.cli("rules", "rollback", "1").startswith("version 3 is in force")
        listed = json.loads(server.cli("rules", "versions", "--format", "json"))["value"]
        assert [version["version"] for version in listed] == [3, 2, 1, 0] and listed[0]["rolledBackTo"] == 1, listed
        assert listed[0]["running"] and listed[2]["note"] == "first" and listed[2]["hash"] == listed[0]["hash"]
        assert "1 removed" in server.cli("rules", "rollback", "0")
        assert ID not in rules(server)
        assert server.run("rules", "rollback", "99").returncode == 1
        # The rule is gone; what it raised is not, and nothing else was raised anew.
        assert len(alerts(server)) == 1
        device.close()


def state_survives_an_apply():
    """A correlation counts on through a change of other rules: two failures before, one after."""
    with Server() as server, Folder() as folder:
        device = Device(server, server.make_device("gate"))
        assert device.connect() == 0
        folder.write("title: Door knocked at\nid: knock\nlogsource: {product: linux, category: process_creation}\ndetection:\n"
                     "  a: {cmd.name: doorknock}\n  condition: a\n---\ntitle: Door knocked at thrice\nid: thrice\nlevel: high\n"
                     "correlation:\n  type: event_count\n  rules: [knock]\n  group-by: [User]\n  timespan: 10m\n  condition: {gte: 3}\n",
                     "knock.yml")
        server.cli("rules", "apply", "--rules", folder.path)
        run(server, device, "doorknock --one", "1")
        run(server, device, "doorknock --two", "2")
        folder.write(RULE.format(user="somebody"))
        server.cli("rules", "apply", "--rules", folder.path)
        run(server, device, "doorknock --three", "3")
        rows = server.wait_for("SecurityAlert | where AlertType == 'Sigma_thrice' | project ExtendedProperties",
                               lambda rows: len(rows) == 1)
        assert rows
        device.close()


if __name__ == "__main__":
    main(author_path, a_broken_rule_changes_nothing, versions_survive_and_roll_back, state_survives_an_apply)

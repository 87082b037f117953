#!/usr/bin/python3
"""Advisories in a running server: devices are judged when they come, when packages come and when they go; who has a CVE is one question; a
restart and a content change for something else keep it so."""

import json

from harness import Device, Server, event, main, message

TRACKER = {"openssl": {"CVE-2023-5363": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.11-1~deb12u2", "urgency": "high"}}},
                       "CVE-2023-0001": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}},
                       "CVE-2023-0002": {"releases": {"bookworm": {"status": "odd", "urgency": "low"}}}}}
KEV = {"catalogVersion": "2026.01.01", "vulnerabilities": [{"cveID": "CVE-2023-5363"}]}
EPSS = "#model_version:v1,score_date:2026-01-01\ncve,epss,percentile\nCVE-2023-5363,0.42000,0.9\nCVE-2023-0001,bad,1\n"
ACTIVE = ("SecurityRecommendation | where RecommendationName == 'IoT_X_VulnerablePackage' | summarize arg_max(TimeGenerated, *) by RecommendationId"
          " | where RecommendationState == 'Active' | project DeviceId, RecommendationSeverity, tostring(parse_json(RecommendationAdditionalData).FixedVersion)"
          " | order by DeviceId asc")


def packages(version):
    bill = event("SBoM", [{"Name": "libssl3", "Version": version, "Vendor": "Debian", "ExtraDetails": {"Type": "deb", "Source": "openssl"}}], category="Periodic")
    system = event("SystemInformation", [{"OSName": "Linux", "OSVersion": "6.1", "OsArchitecture": "x86_64", "ExtraDetails": {"OsDist": "debian", "OsDistVersion": "12"}}],
                   category="Periodic")
    return message(bill | {"PayloadSchemaVersion": "2.0"}, system)


def tell(server, name, version, number=1):
    device = Device(server, name)
    assert device.connect() == 0
    device.send(number, packages(version))
    device.wait_acknowledged(1)
    device.close()


def advisories_act_when_they_come_and_go():
    with Server() as server:
        pump, valve = server.make_device("pump"), server.make_device("valve")
        tell(server, pump, "3.0.9-1")
        tell(server, valve, "3.0.11-1~deb12u2")
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'SBoM' | count", lambda rows: rows[0][0] == 2, 30)
        files = {name: server.data / name for name in ("tracker.json", "kev.json", "epss.csv")}
        files["tracker.json"].write_text(json.dumps(TRACKER))
        files["kev.json"].write_text(json.dumps(KEV))
        files["epss.csv"].write_text(EPSS)
        dry = server.run("vulnerabilities", "import", "--dry-run", files["tracker.json"])
        assert dry.returncode == 0 and "2 advisories" in dry.stdout and "CVE-2023-0002" in dry.stderr, dry
        said = server.run("vulnerabilities", "import", "--name", "debian", files["tracker.json"])
        assert said.returncode == 0 and "1 left out" in said.stdout, said
        # Both have the open one; what is graver names the severity.
        server.wait_for(ACTIVE, lambda rows: [row[0] for row in rows] == ["pump", "valve"], 30)
        server.cli("vulnerabilities", "import", files["kev.json"], files["epss.csv"])
        server.wait_for(ACTIVE, lambda rows: [row[1] for row in rows] == ["High", "Low"], 30)

        listed = json.loads(server.cli("vulnerabilities", "list", "--format", "json"))["value"]
        assert [(one["id"], one["devices"], one["exploited"]) for one in listed] == [("CVE-2023-5363", 1, True), ("CVE-2023-0001", 2, False)], listed
        shown = json.loads(server.cli("vulnerabilities", "show", "CVE-2023-5363", "--format", "json"))
        assert [one["device"] for one in shown["devices"]] == ["pump"] and shown["exploitProbability"] == 0.42, shown
        assert shown["devices"][0]["fixedVersion"] == "3.0.11-1~deb12u2" and shown["devices"][0]["component"] == "openssl", shown
        missing = server.run("vulnerabilities", "show", "CVE-1999-0001")
        assert missing.returncode == 1 and "CVE-1999-0001" in missing.stderr, missing
        risk = json.loads(server.cli("risk", "pump", "--format", "json"))
        assert any(point["kind"] == "vulnerability" and point["points"] == 15 for point in risk["points"]), risk

        # Killed and started again: the same, and no row is written anew.
        rows = server.query("SecurityRecommendation | where RecommendationName == 'IoT_X_VulnerablePackage' | count")[0][0]
        server.kill()
        server.start()
        held = json.loads(server.cli("vulnerabilities", "files", "--format", "json"))
        assert [(one["name"], one["format"], one["skipped"]) for one in held["value"]] == [
            ("debian", "debian", 1), ("epss.csv", "epss", 1), ("kev.json", "kev", 0)], held
        assert server.query("SecurityRecommendation | where RecommendationName == 'IoT_X_VulnerablePackage' | count")[0][0] == rows

        # Mended by a new version; gone with the advisories.
        tell(server, pump, "3.0.12-1", 2)
        server.wait_for(ACTIVE, lambda rows: [row[1] for row in rows] == ["Low", "Low"], 30)
        server.cli("vulnerabilities", "remove", "debian")
        server.wait_for(ACTIVE, lambda rows: rows == [], 30)


def what_shrinks_or_says_nothing_is_refused():
    with Server() as server:
        server.cli("hub", "create", "home")
        many = {"openssl": {f"CVE-2023-{number:04}": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}} for number in range(40)}}
        big, small, none = (server.data / name for name in ("big.json", "small.json", "none.json"))
        big.write_text(json.dumps(many))
        small.write_text(json.dumps(TRACKER))
        none.write_text("{\"a\": 1}")
        server.cli("vulnerabilities", "import", "--name", "d", big)
        refused = server.run("vulnerabilities", "import", "--name", "d", small)
        assert refused.returncode == 1 and "shrank from 40 entries to 2" in refused.stderr, refused
        server.cli("vulnerabilities", "import", "--name", "d", small, "--force")
        refused = server.run("vulnerabilities", "import", none)
        assert refused.returncode != 0 and "no OSV record" in refused.stderr, refused
        refused = server.run("vulnerabilities", "import", "--name", ".x", big)
        assert refused.returncode != 0 and "letters, digits" in refused.stderr, refused


if __name__ == "__main__":
    main(advisories_act_when_they_come_and_go, what_shrinks_or_says_nothing_is_refused)

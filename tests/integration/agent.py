#!/usr/bin/python3
"""The real agent on this machine, against the real server: what runs, connects, listens and logs in here arrives there."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.parse
import urllib.request

from agent_harness import AGENT, OBJECT, Agent, events, extra, request, run, self_signed, spool_records
from harness import Credentials, Server, main


# A name server, whoever asks it, and the connection to the address that it answers.
ASK_AND_CONNECT = r'''
import socket
server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
server.bind(("127.0.0.53", 53))
client.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\4mark\7example\0\0\1\0\1", ("127.0.0.53", 53))
asked, who = server.recvfrom(512)
answer = asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([198, 51, 100, 8])
server.sendto(answer, who)
client.recv(512)
listener = socket.create_server(("198.51.100.8", 7001))
socket.create_connection(("198.51.100.8", 7001))
'''


def what_happens_here_arrives():
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()

        subprocess.run(["/bin/sh", "-c", "/bin/echo mark-exec 'two  words' ; :"], stdout=subprocess.DEVNULL, check=True)
        seen = [one for one in events(server, "ProcessCreate", "mark-exec", 2) if one["CommandLine"].startswith("/bin/echo")]
        assert len(seen) == 1, seen
        assert seen[0]["CommandLine"] == "/bin/echo mark-exec two  words", seen
        assert seen[0]["Executable"].endswith("/bin/echo") and seen[0]["UserId"] == "0" and seen[0]["UserName"] == "root", seen
        assert extra(seen[0], "ParentCommandLine") == "/bin/sh -c /bin/echo mark-exec 'two  words' ; :", seen
        assert extra(seen[0], "ParentExecutable").rsplit("/", 1)[1] in ("sh", "dash"), seen

        talk = ("import socket; server = socket.create_server(('198.51.100.7', 7001)); "
                "client = socket.create_connection(('198.51.100.7', 7001)); server.accept(); mark = 'mark-talk'")
        subprocess.run(["unshare", "-n", "sh", "-c", 'ip link set lo up && ip addr add 198.51.100.7/32 dev lo && exec /usr/bin/python3 -c "$1"',
                        "_", talk], check=True)
        both = events(server, "ConnectionCreate", "198.51.100.7", 2)
        assert sorted(one["Direction"] for one in both) == ["In", "Out"], both
        out = next(one for one in both if one["Direction"] == "Out")
        assert out["RemoteAddress"] == "198.51.100.7" and str(out["RemotePort"]) == "7001" and out["Protocol"] == "tcp", out
        assert "python3" in out["Executable"] and "mark-talk" in out["CommandLine"], out

        subprocess.run(["unshare", "-n", "sh", "-c", 'ip link set lo up && ip addr add 198.51.100.8/32 dev lo && exec /usr/bin/python3 -c "$1"',
                        "_", ASK_AND_CONNECT], check=True)
        named = next(one for one in events(server, "ConnectionCreate", "198.51.100.8", 2) if one["Direction"] == "Out")
        assert extra(named, "DnsName") == "mark.example", named

        listener = socket.create_server(("0.0.0.0", 0))
        port = str(listener.getsockname()[1])
        listens = "SecurityIoTRawEvent | where RawEventName == 'ListeningPorts' | extend Port = tostring(parse_json(EventDetails).LocalPort) " \
                  f"| where Port == '{port}' | summarize max(TimeGenerated)"
        began = time.monotonic()
        server.wait_for(listens, lambda rows: rows and rows[0][0])
        took = time.monotonic() - began
        last = "let ports = SecurityIoTRawEvent | where RawEventName == 'ListeningPorts'; let latest = toscalar(ports | summarize max(TimeStamp)); " \
               "ports | where TimeStamp == latest | project tostring(parse_json(EventDetails).LocalPort)"
        assert [port] in server.query(last), server.query(last)
        listener.close()
        server.wait_for(last, lambda rows: [port] not in rows)
        print(f"        a new port: after {took:.1f} s", flush=True)

        with open(agent.var_log / "auth.log", "a") as log:
            log.write("Nov 22 22:00:00 here sshd[4242]: Failed password for invalid user mark-guest from 203.0.113.77 port 40022 ssh2\n")
        failed = events(server, "Login", "mark-guest")
        assert failed[0]["Result"] == "Fail" and failed[0]["RemoteAddress"] == "203.0.113.77", failed
        with open(agent.var_log / "wtmp", "ab") as log:  # utmp(5): type, pid, line, id, user, host, exit, session, time, address
            log.write(struct.pack("=hxxi32s4s32s256shhiii4i20x", 7, 4243, b"pts/7", b"ts/7", b"mark-root", b"", 0, 0, 0,
                                  int(time.time()), 0, *struct.unpack("=4i", socket.inet_aton("203.0.113.78") + bytes(12))))
        entered = events(server, "Login", "mark-root")
        assert entered[0]["Result"] == "Success" and entered[0]["RemoteAddress"] == "203.0.113.78", entered


def open_descriptors(pid: int) -> list[str]:
    """What the descriptors of a process point at. It works on meanwhile, so one that is closed between the list and the look is left out."""
    links = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except FileNotFoundError:
            pass
    return links


def each_half_holds_only_what_it_needs():
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        collector, sender = (dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
                             for pid in agent.pids())
        for half in (collector, sender):
            assert half["NoNewPrivs"] == "1" and half["Uid"].split()[0] != "0" and half["CapInh"] == half["CapAmb"] == "0" * 16, half
        assert int(sender["CapPrm"], 16) == 0, sender
        allowed = 1 << 2 | 1 << 12 | 1 << 19 | 1 << 37 | 1 << 38 | 1 << 39  # DAC_READ_SEARCH, NET_ADMIN, SYS_PTRACE, AUDIT_READ, PERFMON, BPF
        held = int(collector["CapPrm"], 16)
        assert held and held & ~allowed == 0 and int(collector["CapBnd"], 16) & ~allowed == 0, collector
        links = open_descriptors(agent.pids()[0])
        assert sum(link.startswith("socket:") for link in links) == 1, f"the collector has a network: {links}"


def an_outage_loses_and_doubles_nothing():
    with Server() as server:
        agent = Agent(server)
        port = server.profile["hubPort"]
        with agent:
            agent.until_collecting()
            run("mark-outage", "before")
            events(server, "ProcessCreate", "mark-outage")
            server.kill()
            for number in range(20):
                run("mark-outage", f"away-{number}")
            time.sleep(1)
            agent.stop()  # spools what waits
            agent.start()
            agent.until("collecting again", lambda: agent.log().count("collecting: processes by bpf") >= 2)
            for number in range(20):
                run("mark-outage", f"again-{number}")
            time.sleep(8)  # past the spooling, 7 s at most
            agent.kill()
            agent.start()
            server.start(hub_port=port)
            run("mark-outage", "after")
            lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-outage", 41, 60)]
            time.sleep(2)
            lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-outage", 41)]
            expected = {"/bin/echo mark-outage " + rest for rest in
                        ["before"] + [f"{when}-{number}" for when in ("away", "again") for number in range(20)]}
            assert expected <= set(lines), f"lost: {sorted(expected - set(lines))}"
            assert len(lines) == len(set(lines)), f"twice: {sorted(line for line in lines if lines.count(line) > 1)}"


def a_stop_of_both_halves_loses_nothing_that_was_seen():
    """As systemd stops a service: both are told at once, and what the collector has just seen is on its way."""
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        for number in range(30):
            run("mark-stop", f"last-{number}")
        for pid in reversed(agent.pids()):
            os.kill(pid, signal.SIGTERM)
        agent.process.wait(20)
        agent.start()  # what was not sent waits in the spool
        lines = {one["CommandLine"] for one in events(server, "ProcessCreate", "mark-stop", 30, 60)}
        assert lines == {f"/bin/echo mark-stop last-{number}" for number in range(30)}, lines


def a_twin_change_takes_effect():
    twin = "/api/v1/hubs/home/devices/here/modules/azureiotsecurity/twin"

    def reported(server):
        return request(server, "GET", twin)["properties"]["reported"].get(OBJECT, {})

    def change(server, **properties):
        request(server, "PATCH", twin, {"properties": {"desired": {OBJECT: properties}}})

    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        agent.until("a first report", lambda: reported(server))
        before = reported(server)
        change(server, eventPriorityProcessCreate={"value": "Off"})
        agent.until("the change", lambda: reported(server)["eventPriorityProcessCreate"] == {"value": "Off"})
        now = reported(server)
        for name in set(before) - {"eventPriorityProcessCreate", "desiredVersion"}:
            assert now.get(name) == before[name], f"{name} was {before[name]}, is {now.get(name)}"
        agent.until("switched off", lambda: "processes by off" in agent.log())
        run("mark-unseen")
        change(server, eventPriorityProcessCreate={"value": "High"}, maxMessageSizeInBytes={"value": "many"})
        agent.until("the refusal", lambda: reported(server)["configurationStatus"] == {"value": "failed"})
        assert reported(server)["eventPriorityProcessCreate"] == {"value": "Off"}, "an update with an error is refused whole"
        change(server, maxMessageSizeInBytes=None)
        agent.until("the repair", lambda: reported(server)["configurationStatus"] == {"value": "success"})
        assert reported(server)["eventPriorityProcessCreate"] == {"value": "High"}
        agent.until("collecting again", lambda: "processes by bpf" in agent.log().rsplit("processes by off", 1)[-1])
        run("mark-seen")
        events(server, "ProcessCreate", "mark-seen")
        # What ran before it would have come before it.
        assert server.query("SecurityIoTRawEvent | where EventDetails has 'mark-unseen' and EventDetails !has 'SecurityIoTRawEvent' | count") == [[0]]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def tampering_is_shown():
    def shown():
        return json.loads(server.cli("device", "show", "here", "--hub", "home", "--format", "json"))["integrity"]

    def stand_still(mark):
        """The agent, stopped while what it saw waits in its spool."""
        before = agent.log().count("collecting: processes by bpf")
        agent.start()
        agent.until("collecting", lambda: agent.log().count("collecting: processes by bpf") > before)
        for number in range(5):
            run(mark, str(number))
        time.sleep(1)
        agent.stop()
        return sorted((agent.folder / "state" / "spool").glob("*.chain"))

    with Server() as server:
        agent = Agent(server)
        port = server.profile["hubPort"]
        with agent:
            agent.until_collecting()
            run("mark-before")
            events(server, "ProcessCreate", "mark-before")
            agent.stop()
        server.kill()

        segment = next(one for one in stand_still("mark-edited") if b"mark-edited 3" in one.read_bytes())
        content = bytearray(segment.read_bytes())
        at = content.index(b"mark-edited 3")
        content[at:at + 4] = b"MARK"
        # The record gets a right checksum again, as somebody with care would do.
        begin, end = next(one for one in spool_records(content) if one[0] < at < one[1])
        struct.pack_into("<I", content, begin + 4, crc32c(content[begin + 8:end]))
        segment.write_bytes(content)
        agent.start()
        server.start(hub_port=port)
        events(server, "ProcessCreate", "mark-edited", 4, 60)
        agent.until("the break", lambda: (shown() or {}).get("spoolBreaks") == 1, 60)
        agent.until("all that was sent", lambda: shown()["missingEvents"] == 0, 60)
        text = server.cli("device", "show", "here", "--hub", "home")
        assert "complete" in text and "altered: 1 breaks" in text, text
        agent.stop()
        server.kill()

        for segment in stand_still("mark-removed"):
            segment.unlink()
        agent.start()
        server.start(hub_port=port)
        agent.until("the gap", lambda: shown()["missingEvents"] >= 5, 60)
        agent.stop()


def a_certificate_is_an_identity():
    with Server() as server:
        own, both = self_signed(server.data, "printed")
        shown = subprocess.run(["openssl", "x509", "-in", own, "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True)
        server.cli("hub", "create", "home")
        server.cli("device", "create", "printed", "--hub", "home", "--module", "azureiotsecurity", "--auth", "x509-thumbprint",
                   "--thumbprint", shown.stdout.split("=")[1].strip().replace(":", ""))
        text = server.cli("device", "connection-string", "printed", "--hub", "home", "--module", "azureiotsecurity").strip()
        assert "x509=true" in text and "SharedAccessKey" not in text, text
        with Agent(server, "printed", text, certificate=both) as agent:
            agent.until_collecting()
            run("mark-certificate")
            events(server, "ProcessCreate", "mark-certificate")


def the_hub_may_do_what_the_owner_allows():
    def call(method, payload):
        profile = server.profile
        policies = json.loads(server.cli("hub", "show", "home", "--keys", "--format", "json"))["policies"]
        expires = int(time.time()) + 600
        host = urllib.parse.quote(agent_host, safe="")
        signed = hmac.new(base64.b64decode(policies["service"]), f"{host}\n{expires}".encode(), hashlib.sha256).digest()
        token = f"SharedAccessSignature sr={host}&sig={urllib.parse.quote(base64.b64encode(signed).decode(), safe='')}&se={expires}&skn=service"
        body = json.dumps({"methodName": method, "payload": payload, "responseTimeoutInSeconds": 15}).encode()
        made = urllib.request.Request(f"https://127.0.0.1:{profile['hubHttpsPort']}/twins/here/modules/azureiotsecurity/methods?api-version=2021-04-12",
                                      method="POST", data=body,
                                      headers={"Authorization": token, "Content-Type": "application/json", "Host": agent_host})
        trust = ssl.create_default_context(cafile=server.data / "ca" / "ca.pem")
        trust.check_hostname = False
        with urllib.request.urlopen(made, timeout=30, context=trust) as reply:
            answer = json.loads(reply.read())
        return answer["status"], answer["payload"]

    def enable(value):
        request(server, "PATCH", "/api/v1/hubs/home/devices/here/modules/azureiotsecurity/twin",
                {"properties": {"desired": {OBJECT: {"responseEnabled": {"value": value}}}}})

    with Server() as server:
        credentials = server.make_device("here")
        agent_host = credentials.host
        with Agent(server, connection_string=credentials.text, allow=("processes", "kill")) as agent:
            agent.until_collecting()
            victim = subprocess.Popen(["/bin/sleep", "600"])
            try:
                status, answer = call("killProcess", {"pid": victim.pid})
                assert status == 403 and "twin" in answer["reason"], answer
                enable(True)
                agent.until("the twin", lambda: call("processTree", {"pid": victim.pid})[0] == 200)
                tree = call("processTree", {"pid": victim.pid})[1]
                mine = next(one for one in tree["processes"] if one["pid"] == victim.pid)
                assert mine["commandLine"] == "/bin/sleep 600" and mine["parentPid"] == os.getpid(), mine
                assert call("isolate", {})[0] == 403
                assert call("killProcess", {"pid": victim.pid, "start": mine["start"] + 1})[0] == 404
                assert call("killProcess", {"pid": victim.pid, "start": mine["start"], "dryRun": True})[0] == 200
                assert victim.poll() is None
                assert call("killProcess", {"pid": agent.pids()[1]})[0] == 403
                assert call("killProcess", {"pid": victim.pid, "start": mine["start"]})[0] == 200
                assert victim.wait(10) == -signal.SIGKILL
            finally:
                victim.kill()
                victim.wait()
            trail = events(server, "Diagnostic", "killProcess", 5)
            assert any("200" in one["Message"] for one in trail) and any("403" in one["Message"] for one in trail), trail


def a_storm_is_seen_whole():
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        total = 2000
        for number in range(total):
            os.waitpid(os.posix_spawn("/bin/true", ["/bin/true", "mark-storm", str(number), "end-of-line"], {}), 0)
        lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-storm", total, 60)]
        assert sorted(lines) == sorted(f"/bin/true mark-storm {number} end-of-line" for number in range(total)), len(lines)


def a_stranger_is_not_talked_to():
    with Server() as server:
        text = server.make_device("here").text
        forged = server.data / "forged.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null",
                        "-out", forged, "-days", "1", "-subj", "/CN=stranger"], check=True, capture_output=True)
        with Agent(server, "untrusted", text, forged) as agent:
            agent.until("the refusal", lambda: "certificate" in agent.log())
            assert "connected to the hub" not in agent.log()
        host = text.split(";")[0].split("=", 1)[1]
        other = text.replace(host, "other.example")
        with Agent(server, "misnamed", other, connect_host="127.0.0.1") as agent:
            agent.until("the refusal", lambda: "hostname mismatch" in agent.log())
            assert "connected to the hub" not in agent.log()


if __name__ == "__main__":
    main(what_happens_here_arrives, each_half_holds_only_what_it_needs, an_outage_loses_and_doubles_nothing,
         a_stop_of_both_halves_loses_nothing_that_was_seen,
         a_twin_change_takes_effect, tampering_is_shown, a_certificate_is_an_identity, the_hub_may_do_what_the_owner_allows,
         a_storm_is_seen_whole, a_stranger_is_not_talked_to)

#!/usr/bin/python3
"""The real agent where things go wrong: modes and capabilities taken from it, floods, stalls, full and read-only disks, clocks that
jump, a hub that is away, peers that are not who they should be. What was produced is delivered or counted as lost, exactly."""

import datetime
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from agent_harness import AGENT, OBJECT, Agent, events, extra, request, run
from harness import Server, Skip, main

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def live(mark, seconds=2):
    """A process that lives long enough for every way of looking."""
    subprocess.run(["/bin/sh", "-c", f"sleep {seconds}; : {mark}"], check=True)


def modes(agent):
    return {name: one["mode"].split(" ")[0] for name, one in agent.status()["collectors"].items()}


def until_modes(agent, text="collecting: processes by"):
    agent.until("its modes", lambda: text in agent.log())
    agent.until("connected", lambda: "connected to the hub" in agent.log())


def integrity(server, device="here"):
    return json.loads(server.cli("device", "show", device, "--hub", "home", "--format", "json"))["integrity"]


def twin(server, device="here", **properties):
    request(server, "PATCH", f"/api/v1/hubs/home/devices/{device}/modules/azureiotsecurity/twin",
            {"properties": {"desired": {OBJECT: {name: {"value": value} for name, value in properties.items()}}}})


def accounts_agree(agent):
    """Of a stopped agent: what each class saw came to the sender or is counted as lost."""
    status = agent.status()
    for name, one in status["collectors"].items():
        if one["mode"] == "bpf":
            assert one["seen"] == one["told"] + one["lost"], (name, one)
    assert status["refusedRecords"] == 0, status
    return status


def each_mode_can_be_forced():
    with Server() as server:
        for process, connection in (("bpf", "bpf"), ("proc-connector", "polling"), ("polling", "off"), ("off", "polling")):
            device = f"mode-{process}-{connection}"
            with Agent(server, device, settings={"Collectors": {"Process": process, "Connection": connection, "Loopback": True}}) as agent:
                until_modes(agent)
                log = agent.log()
                assert f"processes by {process}" in log and f"connections by {connection}" in log, log
                time.sleep(2)  # polling's first look is what was there before
                listener = socket.create_server(("127.0.0.1", 0))
                client = socket.create_connection(listener.getsockname())
                port = str(listener.getsockname()[1])
                live(f"mark-{device}")
                ran = f"SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' and EventDetails has 'mark-{device}' " \
                      "and EventDetails !has 'SecurityIoTRawEvent' | count"
                met = f"SecurityIoTRawEvent | where DeviceId == '{device}' and RawEventName == 'ConnectionCreate' and EventDetails has '{port}' | count"
                # What is on comes; what is off has not come by then.
                for query in [query for query, mode in ((ran, process), (met, connection)) if mode != "off"]:
                    server.wait_for(query, lambda rows: rows[0][0] > 0)
                for query in [query for query, mode in ((ran, process), (met, connection)) if mode == "off"]:
                    assert server.query(query) == [[0]], (device, query)
                client.close()
                listener.close()


def a_kernel_that_helps_less_is_told_of():
    """No BTF: no kernel program at all. No cgroup2: none for UDP."""
    with Server() as server:
        for device, hidden, wanted in (("nobtf", "/sys/kernel/btf", {"process": "proc-connector", "connection": "polling", "connectionUdp": "polling"}),
                                       ("nocgroup", "/sys/fs/cgroup", {"process": "bpf", "connection": "bpf", "connectionUdp": "polling"})):
            with Agent(server, device, before=f"mount -t tmpfs none {hidden}") as agent:
                until_modes(agent)
                agent.until("its status", lambda: all(modes(agent).get(name) == mode for name, mode in wanted.items()))
                live(f"mark-{device}")
                assert events(server, "ProcessCreate", f"mark-{device}")


# What is still collected by the kernel's help without each of them.
CAPABILITIES = {
    "bpf": {"process": "proc-connector", "connection": "polling", "connectionUdp": "polling"},
    "perfmon": {"process": "proc-connector", "connection": "polling", "connectionUdp": "polling"},
    "net_admin": {"process": "bpf", "connection": "bpf", "connectionUdp": "polling"},
    "sys_ptrace": {"process": "bpf", "connection": "bpf", "connectionUdp": "bpf"},
    "dac_read_search": {"process": "bpf", "connection": "bpf", "connectionUdp": "bpf"},
    "audit_read": {"process": "bpf", "connection": "bpf", "connectionUdp": "bpf"},
}


def each_capability_may_be_missing():
    with Server() as server:
        for name, wanted in [*CAPABILITIES.items(), (",-".join(CAPABILITIES), {"connection": "polling", "connectionUdp": "polling"})]:
            device = "without-" + name.replace(",-", "-").replace("_", "")[:40]
            with Agent(server, device, prefix=("setpriv", f"--bounding-set=-{name}")) as agent:
                until_modes(agent)
                agent.until(f"the modes without {name}", lambda: all(modes(agent).get(one) == mode for one, mode in wanted.items()))
                live(f"mark-{device}")
                assert events(server, "ProcessCreate", f"mark-{device}"), name
            assert "stopped" in agent.log(), agent.log()
        # Who cannot give up root does not run.
        agent = Agent(server, "stuck", prefix=("setpriv", "--bounding-set=-setuid"))
        agent.start()
        assert agent.process.wait(20) != 0 and "give up root" in agent.log(), agent.log()


def odd_processes_arrive_as_they_were():
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        script = agent.folder / "mark-script"
        script.write_text("#!/bin/sh\n:\n")
        script.chmod(0o755)
        subprocess.run([script], check=True)
        seen = events(server, "ProcessCreate", "mark-script")
        assert seen[0]["CommandLine"] == f"/bin/sh {script}" and seen[0]["Executable"] in ("/bin/dash", "/usr/bin/dash", "/bin/sh"), seen

        child = os.fork()
        if child == 0:
            image = os.memfd_create("innocent", 0)
            os.write(image, pathlib.Path("/bin/true").read_bytes())
            os.execv(f"/proc/self/fd/{image}", ["[kworker/0:1]", "mark-memory"])
        os.waitpid(child, 0)
        seen = events(server, "ProcessCreate", "mark-memory")
        assert seen[0]["Executable"] == "/memfd:innocent" and seen[0]["CommandLine"] == "[kworker/0:1] mark-memory", seen
        assert extra(seen[0], "Hash") is None, "a file of that name is not what ran"

        subprocess.run([b"/bin/true", b"mark-bytes", b"\xff\xfe caf\xc3\xa9 \x1b[2J"], check=True)
        seen = events(server, "ProcessCreate", "mark-bytes")
        assert seen[0]["CommandLine"] == "/bin/true mark-bytes \ufffd\ufffd café \x1b[2J", seen

        subprocess.run(["/bin/true", "mark-long", "x" * 3000, "end"], check=True)
        seen = events(server, "ProcessCreate", "mark-long")
        assert seen[0]["CommandLine"] == "/bin/true mark-long " + "x" * 3000 + " end", seen
        subprocess.run(["/bin/true", "mark-longer", "x" * 9000, "end"], check=True)
        seen = events(server, "ProcessCreate", "mark-longer")
        assert seen[0]["CommandLine"].endswith("xxx…[truncated]") and len(seen[0]["CommandLine"]) > 4096, seen
        agent.stop()
        accounts_agree(agent)


def spawn(*words):
    return os.waitpid(os.posix_spawn(words[0], words, {}), 0)


def a_stalled_agent_counts_what_it_loses():
    """The collector stands still: a flood of connections and of small execs. Then the sender: execs past the ring and the socket."""
    with Server() as server, Agent(server, settings={"Collectors": {"Loopback": True}}) as agent:
        agent.until_collecting()
        collector, sender = agent.pids()[:2]
        os.kill(collector, signal.SIGSTOP)
        for _ in range(6000):  # of 80 bytes each, past the ring's 256 KiB
            client = socket.socket()
            client.connect_ex(("127.0.0.1", 1))
            client.close()
        for number in range(300):
            spawn("/bin/true", "mark-under-flood", str(number))
        os.kill(collector, signal.SIGCONT)
        lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-under-flood", 300, 60)]
        assert sorted(lines) == sorted(f"/bin/true mark-under-flood {number}" for number in range(300)), "a flood of connections hid an exec"
        agent.until("the count", lambda: agent.status()["collectors"]["connection"]["lost"] >= 2500)
        assert agent.status()["collectors"]["connectionUdp"]["lost"] == 0, agent.status()

        lost_before = agent.status()["collectors"]["process"]["lost"]
        os.kill(sender, signal.SIGSTOP)
        total = 1200  # of 4 KiB and more each, past the socket's 1 MiB and the ring's 512 KiB
        for number in range(total):
            spawn("/bin/true", "mark-stalled", str(number), "y" * 3900)
        time.sleep(1)
        os.kill(sender, signal.SIGCONT)
        agent.until("the end of it", lambda: agent.status()["collectors"]["process"]["lost"] > lost_before)
        spawn("/bin/true", "mark-after")
        events(server, "ProcessCreate", "mark-after", seconds=60)
        agent.stop()
        status = accounts_agree(agent)
        assert status["droppedEvents"] == 0, status
        came = server.query("SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' and EventDetails has 'mark-stalled' "
                            "| extend Line = tostring(parse_json(EventDetails).CommandLine) | summarize count(), dcount(substring(Line, 0, 30), 4)")
        missing = total - came[0][0]
        lost = status["collectors"]["process"]["lost"] - lost_before
        print(f"        stalled: {came[0][0]} of {total} came, {lost} counted as lost, others' execs among them", flush=True)
        assert 0 < missing <= lost, (missing, lost)


def a_full_disk_costs_the_spool_only():
    with Server() as server:
        port = server.profile["hubPort"]
        for device, options in (("full", "size=48k"), ("inodes", "nr_inodes=2"), ("readonly", "ro")):
            state = server.data / f"agent-{device}" / "state"
            with Agent(server, device, before=f"mkdir -p '{state}'; mount -t tmpfs -o {options} none '{state}'") as agent:
                until_modes(agent)
                run(f"mark-{device}", "before")
                events(server, "ProcessCreate", f"mark-{device}")
                server.kill()
                for number in range(100):
                    run(f"mark-{device}", str(number), "z" * 800)
                time.sleep(8)  # past the spooling, 7 s at most
                assert agent.log().count("in memory only") == 1, agent.log()
                server.start(hub_port=port)
                lines = [one["CommandLine"] for one in events(server, "ProcessCreate", f"mark-{device}", 101, 60)]
                assert len(lines) == len(set(lines)) == 101, len(lines)
            told = server.query(f"SecurityIoTRawEvent | where DeviceId == '{device}' and RawEventName == 'Diagnostic' "
                                "and EventDetails has 'in memory only' | count")
            assert told == [[1]], (device, told)


def a_spool_that_can_be_made_later_is_used():
    """No folder for the spool at the start; later there is one, what waits goes there, and a kill costs nothing."""
    with Server() as server:
        port = server.profile["hubPort"]
        agent = Agent(server)
        state = agent.folder / "state"
        state.mkdir(exist_ok=True)
        (state / "spool").write_text("in the way")
        with agent:
            until_modes(agent)
            assert "in memory only" in agent.log(), agent.log()
            server.kill()
            for number in range(20):
                run("mark-late", str(number))
            (state / "spool").unlink()
            agent.until("the spool", lambda: "can be written again" in agent.log())
            agent.until("what waits", lambda: sum(b"mark-late" in one.read_bytes() for one in (state / "spool").iterdir()))
            time.sleep(8)  # a spooling of all of it
            agent.kill()
            agent.start()
            server.start(hub_port=port)
            lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-late", 20, 60)]
            assert len(lines) == len(set(lines)) == 20, lines


def names_that_were_counted_stay_counted():
    """Nobody asks for names any more: what was seen of them is still told."""
    try:
        answers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        answers.bind(("127.0.0.1", 53))
    except OSError as reason:
        raise Skip(f"port 53 is taken: {reason}") from reason
    with Server() as server, Agent(server) as agent:
        agent.until_collecting()
        agent.until("its status", lambda: agent.status()["connected"])
        if agent.status()["dnsAnswers"]["mode"] != "bpf":
            raise Skip("this kernel takes no program for names from us")
        taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taker.bind(("127.0.0.1", 0))
        twin(server, snapshotFrequency="PT5S")
        for _ in range(40):
            answers.sendto(b"an answer to nobody's question", taker.getsockname())
        agent.until("their count", lambda: agent.status()["dnsAnswers"]["seen"] >= 40)
        twin(server, eventPriorityConnectionCreate="Off")
        agent.until("no names", lambda: agent.status()["dnsAnswers"]["mode"] == "nothing")
        assert agent.status()["dnsAnswers"]["seen"] >= 40, agent.status()


def a_clock_that_jumps_loses_nothing():
    if not FAKETIME.exists():
        print(f"        NOT TESTED: no {FAKETIME} (tools/setup full)", flush=True)
        return
    if b"__asan_init" in AGENT.read_bytes():
        print("        NOT TESTED: a sanitizer's clock is not ours to turn", flush=True)
        return
    with Server() as server:
        clock = server.data / "clock"
        server.data.chmod(0o755)  # the sender, who is nobody, reads it too
        port = server.profile["hubPort"]

        def at(offset):
            clock.with_suffix(".new").write_text(offset + "\n")
            clock.with_suffix(".new").rename(clock)

        at("-21000d")  # before 1970: as a device starts that has no battery for its clock
        environment = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with Agent(server, environment=environment) as agent:
            agent.until("the refusal", lambda: "not yet valid" in agent.log())
            time.sleep(8)  # longer waits by now
            run("mark-clock", "1969")
            assert "connected to the hub" not in agent.log(), agent.log()
            at("+0")
            agent.until("the connection, once the clock is set", lambda: "connected to the hub" in agent.log(), 8)
            run("mark-clock", "now")
            for name, offset in (("next-year", "+365d"), ("last-year", "-365d"), ("now-again", "+0")):
                at(offset)
                time.sleep(2)
                run("mark-clock", name)
            events(server, "ProcessCreate", "mark-clock", 5, 60)
            server.kill()  # a session of its own under each clock that a token can be made under
            server.start(hub_port=port)
            at("+300d")
            time.sleep(2)
            run("mark-clock", "renewed")
            lines = [one["CommandLine"].split()[-1] for one in events(server, "ProcessCreate", "mark-clock", 6, 60)]
            assert sorted(lines) == sorted(["1969", "now", "next-year", "last-year", "now-again", "renewed"]), lines
            assert "ended" not in agent.log()
            agent.stop()
            accounts_agree(agent)


def a_certificate_past_its_time_is_refused():
    with Server() as server:
        folder = server.data
        for name, subject in (("authority", "/CN=authority"), ("leaf", "/CN=localhost")):
            subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                            folder / f"{name}.key", "-out", folder / f"{name}.csr", "-subj", subject], check=True, capture_output=True)
        (folder / "authority.ext").write_text("basicConstraints=critical,CA:TRUE\n")
        (folder / "leaf.ext").write_text("subjectAltName=DNS:localhost\n")
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index.txt\nserial={folder}/serial\nnew_certs_dir={folder}\n"
                                       "default_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n")
        now = datetime.datetime.now(datetime.timezone.utc)

        def stamp(days):
            return (now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")

        def issue(name, signer, begins, ends):
            subprocess.run(["openssl", "ca", "-batch", "-config", folder / "ca.cnf", "-extfile", folder / f"{name}.ext", "-in", folder / f"{name}.csr",
                            "-out", folder / f"{name}.pem", "-notext", "-startdate", stamp(begins), "-enddate", stamp(ends), *signer],
                           check=True, capture_output=True)
        issue("authority", ["-selfsign", "-keyfile", folder / "authority.key"], -10, 10)
        text = server.make_device("late").text
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        for index, (begins, ends, said) in enumerate(((-5, -1, "expired"), (1, 5, "not yet valid"))):
            issue("leaf", ["-cert", folder / "authority.pem", "-keyfile", folder / "authority.key"], begins, ends)
            peer = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", folder / "leaf.pem",
                                     "-key", folder / "leaf.key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                host = text.split(";")[0].split("=", 1)[1]
                with Agent(server, f"late-{index}", text.replace(host, "localhost"), folder / "authority.pem", connect_host="127.0.0.1",
                           settings={"Port": port}) as agent:
                    agent.until("the refusal", lambda: said in agent.log())
                    assert "connected to the hub" not in agent.log()
            finally:
                peer.kill()
                heard = peer.communicate()[0]
            assert b"MQTT" not in heard and b"SharedAccess" not in heard, heard


def a_hub_that_is_away_for_long_is_told_what_was_dropped():
    """More than a cache of 1 MiB holds: the oldest of the lowest go first, and agent and server name the same number."""
    with Server() as server:
        port = server.profile["hubPort"]
        with Agent(server) as agent:
            agent.until_collecting()
            twin(server, maxLocalCacheSizeInBytes=1 << 20, aggregationEnabledProcessCreate=False, eventPriorityProcessCreate="Low",
                 eventPriorityProcessTerminate="Off", eventPriorityLocalUsers="High", eventPriorityListeningPorts="High",
                 snapshotFrequency="PT1H")
            agent.until("the twin", lambda: "processes by bpf, exits by off" in agent.log())
            run("mark-before")
            events(server, "ProcessCreate", "mark-before", seconds=60)
            agent.stop()
            server.kill()
            agent.start()  # a run whose first events are among those that go
            agent.until("collecting again", lambda: agent.log().count("exits by off") >= 2)
            with open(agent.var_log / "auth.log", "a") as log:
                log.write("Nov 22 22:00:00 here sshd[4242]: Failed password for invalid user mark-early from 203.0.113.77 port 40022 ssh2\n")
            total = 3000
            for number in range(total):
                spawn("/bin/true", "mark-away", str(number), "w" * 300)
            agent.until("the bound", lambda: agent.status()["droppedEvents"] > 1000)
            time.sleep(12)  # a spooling, and a status after it
            held, unseen = agent.status()["waitingBytes"], agent.status()["collectors"]["process"]["lost"]
            spool = sum(one.stat().st_size for one in (agent.folder / "state" / "spool").iterdir())
            assert held <= 1 << 20 and spool <= 2 << 20, (held, spool)
            agent.stop()
            agent.start()  # the spool carries it over, and what was dropped
            agent.until("collecting once more", lambda: agent.log().count("exits by off") >= 3)
            server.start(hub_port=port)
            run("mark-after")
            events(server, "ProcessCreate", "mark-after", seconds=120)
            assert events(server, "Login", "mark-early"), "what has priority was dropped before what has none"
            rows = server.query("SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' and EventDetails has 'mark-away' "
                                "and EventDetails !has 'SecurityIoTRawEvent' "
                                "| project Line = tostring(parse_json(EventDetails).CommandLine)")
            kept = sorted(int(re.match(r"/bin/true mark-away (\d+) ", row[0])[1]) for row in rows)
            assert kept, "what else ran on this machine pushed all of them out of the cache: no failure of the agent's, and nothing tried"
            assert len(kept) == len(set(kept)), "an event came twice"
            holes = total - kept[0] - len(kept)  # what never reached the spool, as on a machine that is busy elsewhere, is counted
            assert kept[-1] == total - 1 and holes <= unseen, f"not the newest: {kept[:5]} … {kept[-5:]}, {len(kept)}, {unseen} unseen"
            # Both ledgers: what the agent says it dropped, also before it was killed, and what the server misses by its numbers.
            dropped = ("SecurityIoTRawEvent | where RawEventName == 'DroppedEventsStatistics' | extend Details = parse_json(EventDetails) "
                       "| summarize sum(tolong(Details.DroppedEvents)), sum(tolong(parse_json(tostring(Details.ExtraDetails)).OperationalDropped))")
            twin(server, snapshotFrequency="PT5S")
            rows = server.wait_for(dropped, lambda rows: rows and (rows[0][0] or 0) > 1000, 60)
            agent.kill()  # as soon as it has told: it must not tell again
            told = sum(rows[0])
            missing = integrity(server)
            print(f"        {len(kept)} of {total} kept; dropped by the agent {told}, missed by the server {missing['missingEvents']}", flush=True)
            assert missing["spoolBreaks"] == 0, missing
            assert missing["missingEvents"] >= total - len(kept) - unseen, (missing, total - len(kept), unseen)
            # Heartbeats and empty snapshots have no number.
            assert 0 <= told - missing["missingEvents"] <= 5, (told, missing)
            agent.start()
            agent.until("collecting after the kill", lambda: agent.log().count("exits by off") >= 4)
            since = "SecurityIoTRawEvent | where RawEventName == 'DroppedEventsStatistics' | count"
            before = server.query(since)[0][0]
            server.wait_for(since, lambda rows: rows[0][0] >= before + 4, 90)
            again = sum(server.query(dropped)[0]) - integrity(server)["missingEvents"]
            assert again <= 5, (again, told, missing)


if __name__ == "__main__":
    main(each_mode_can_be_forced, a_kernel_that_helps_less_is_told_of, each_capability_may_be_missing, odd_processes_arrive_as_they_were,
         a_stalled_agent_counts_what_it_loses, a_full_disk_costs_the_spool_only,
         a_spool_that_can_be_made_later_is_used, names_that_were_counted_stay_counted, a_clock_that_jumps_loses_nothing,
         a_certificate_past_its_time_is_refused, a_hub_that_is_away_for_long_is_told_what_was_dropped)

#!/usr/bin/python3
"""Applications that send security events, each with its library: fieldwatch-send, Python, Node; and what a real agent writes,
against the published JSON Schema."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import jsonschema
from agent_harness import Agent, SPOOL_HEAD, spool_records
from harness import BUILD, Server, main, need_root, secret_file

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "sdk" / "python"))
import fieldwatch_security as fieldwatch  # noqa: E402

SEND = BUILD / "src" / "agent" / "fieldwatch-send"
NODE = TOP / ".deps" / "node" / "bin" / "node"
VALIDATOR = jsonschema.Draft202012Validator(json.loads((TOP / "schemas" / "security-message.schema.json").read_text()),
                                            format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))
SAMPLES = {
    "ProcessCreate": {"Executable": "/bin/sh", "ProcessId": 1, "ParentProcessId": 0, "UserId": "0", "CommandLine": "sh ä"},
    "ProcessTerminate": {"Executable": "/bin/sh", "ProcessId": 1, "ExitStatus": -9},
    "ConnectionCreate": {"RemoteAddress": "2001:db8::1", "RemotePort": "443", "Direction": "Out", "Protocol": "tcp", "ProcessId": 1,
                         "Executable": "/bin/sh"},
    "Login": {"ProcessId": 1, "UserName": "a", "Operation": "login", "Executable": "/bin/login", "Result": "Fail"},
    "ListeningPorts": {"Protocol": "tcp", "LocalPort": "22"},
    "LocalUsers": {"UserName": "a", "UserId": "1", "GroupNames": "a", "GroupIds": "1"},
    "FirewallConfiguration": {"Enabled": True, "Action": "Deny", "Priority": 0},
    "ConnectedHardware": {"HardwareCategory": "USB", "HardwareSubCategory": "Hub", "HardwareName": "x"},
    "SystemInformation": {"OSName": "Linux"},
    "OSBaseline": {"Description": "d", "CceId": "c", "Result": "Fail", "Error": "e", "Severity": "Warning"},
    "Diagnostic": {"Severity": "Error", "Message": "m", "ProcessId": 1, "ThreadId": 1},
    "ConfigurationError": {"ConfigurationName": "n", "ErrorType": "Conflict", "UsedConfiguration": "u", "Message": "m"},
    "DroppedEventsStatistics": {"Queue": "High", "CollectedEvents": 1, "DroppedEvents": 0},
    "MessageStatistics": {"MessagesSent": 1, "MessagesUnder4KB": 1, "TotalFailed": 0},
    "SBoM": {"Name": "a", "Version": "1"},
    "FileSystem": {"Mask": "Created", "Path": "/etc/x", "HitCount": 2},
    "Peripheral": {"ActionType": "connect", "BusNumber": 1},
    "Custom": {"Name": "door", "ExtraDetails": {"a": "b"}},
}


def schema_and_libraries_agree():
    message = fieldwatch.Message("test 1")
    for name, payload in SAMPLES.items():
        message.add(name, [payload])
    message.add("Heartbeat", [])
    message.add("LocalUsers", [])
    whole = json.loads(message.body())
    VALIDATOR.validate(whole)
    assert fieldwatch.validate(message.body()) == []
    done = subprocess.run([SEND, "--check"], input=message.body(), capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"20 events"), done

    def broken(change):
        copy = json.loads(message.body())
        change(copy)
        return copy

    def payload(copy, name):
        return next(event for event in copy["Events"] if event["Name"] == name)["Payload"][0]

    changes = [  # the table of the specification's section 7, and what 2.0 adds
        lambda c: payload(c, "ProcessCreate").setdefault("ExtraDetails", {"n": 1}),
        lambda c: payload(c, "ConnectionCreate").update(RemotePort=443),
        lambda c: payload(c, "ConnectionCreate").update(RemoteAddress="host"),
        lambda c: payload(c, "ConnectionCreate").update(RemoteAddress="*"),
        lambda c: payload(c, "ConnectionCreate").update(Direction="in"),
        lambda c: payload(c, "ProcessCreate").pop("UserId"),
        lambda c: payload(c, "Login").pop("UserName"),
        lambda c: c.update(AgentId="x" * 35),
        lambda c: c.update(More=1),
        lambda c: c["Events"][0].update(More=1),
        lambda c: payload(c, "LocalUsers").update(More="1"),
        lambda c: c.update(MessageSchemaVersion="2.0"),
        lambda c: c["Events"][0].update(PayloadSchemaVersion="2.0"),
        lambda c: payload(c, "DroppedEventsStatistics").update(Queue="Operational"),
        lambda c: c["Events"][0].update(Category="Aggregated"),
        lambda c: c["Events"][4].update(Payload=[]),
        lambda c: c["Events"][0].update(IsEmpty=True),
        lambda c: c.update(Events=[]),
        lambda c: payload(c, "FileSystem").update(HitCount="2"),
    ]
    for number, change in enumerate(changes):
        copy = broken(change)
        assert not VALIDATOR.is_valid(copy), f"the schema takes change {number}"
        refused_by_all(json.dumps(copy).encode(), f"change {number}", numbers_become_texts=number == 0)
    for number, change in enumerate([  # what the hub refuses and a schema does not say
        lambda c: c["Events"][0].update(Name=[]),
        lambda c: c["Events"][0].update(Id=7),
        lambda c: c["Events"][0].update(TimestampUTC="2026-13-01T00:00:00Z"),
        lambda c: c["Events"][0].update(TimestampUTC="2026-02-30T00:00:00Z"),
        lambda c: c["Events"][0].update(TimestampUTC="2026-02-03T00:00:00Z\n"),
        lambda c: c["Events"][0].update(TimestampLocal="2026-02-03T00:00:00+99:00"),
        lambda c: c["Events"][0].update(TimestampLocal=5),
        lambda c: c["Events"][0].update(IsEmpty="false"),
        lambda c: c["Events"][0].update(EventType="Operational"),
        lambda c: c.update(AgentVersion=1),
        lambda c: payload(c, "ProcessCreate").update(ProcessId=2 ** 63),
        lambda c: payload(c, "ProcessCreate").update(ProcessId=float("nan")),
        lambda c: payload(c, "ProcessCreate").update(ProcessId=True),
        lambda c: c.update(Events=[c["Events"][-1]] * 4097),
    ]):
        refused_by_all(json.dumps(broken(change)).encode(), f"change {number} beyond the schema")
    refused_by_all(json.dumps(whole).encode("utf-16"), "another encoding")
    refused_by_all(message.body().replace("ä".encode(), b"\xff"), "what is no UTF-8")


def refused_by_all(body, what, *, numbers_become_texts=False):
    assert fieldwatch.validate(body), f"the Python library takes {what}"
    checked = subprocess.run([NODE, "-e", "const f=require(process.argv[1]);const s=[];process.stdin.on('data',d=>s.push(d)).on('end',"
                              "()=>process.exit(f.validate(Buffer.concat(s)).length?3:0))", TOP / "sdk" / "node"], input=body)
    assert checked.returncode == 3, f"the Node library takes {what}"
    checked = subprocess.run([SEND, "--check"], input=body, capture_output=True)
    assert checked.returncode == (0 if numbers_become_texts else 2), f"fieldwatch-send says of {what}: {checked}"


def topics_are_marked_once():
    base = "devices/d/modules/m/messages/events/"
    mark = "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1"
    assert fieldwatch.mark_topic(base) == base + mark
    assert fieldwatch.mark_topic(base + "a=b") == base + "a=b&" + mark
    for marked in (base + mark, base + "x=1&$.ifid=urn%3aazureiot%3aSecurity%3aSecurityAgent%3a1"):
        assert fieldwatch.is_security_topic(marked) and fieldwatch.mark_topic(marked) == marked
    assert not fieldwatch.is_security_topic(base + "%24.ifid=urn%3Aazureiot%3Asecurity%3ASecurityAgent%3A1")


def a_silent_hub_is_not_waited_for_for_ever():
    """Node's sender: one that accepts and says nothing, twice over one Sender."""
    script = ("const f=require(process.argv[1]);const s=require('net').createServer(()=>{}).listen(0,'127.0.0.1',async()=>{"
              "const one=new f.Sender(`HostName=localhost:${s.address().port};DeviceId=d;SharedAccessKey=AAAA`,{timeout:300});"
              "for(let i=0;i<2;++i)await one.send(Buffer.from('{}')).then(()=>process.exit(1),e=>console.log(e.message));"
              "try{new f.Sender('DeviceId=d')}catch(e){console.log(e.message)}process.exit(0)})")
    done = subprocess.run([NODE, "-e", script, TOP / "sdk" / "node"], capture_output=True, text=True, timeout=30)
    said = done.stdout.splitlines()
    assert done.returncode == 0 and said[:2] == ["the hub does not answer"] * 2 and "no HostName" in said[2], done


def applications_send():
    with Server() as server:
        credentials = server.make_device("app")
        secret = secret_file(server.data / "app.txt", credentials.text)
        ca = server.data / "ca" / "ca.pem"

        with fieldwatch.Sender(credentials.text, ca) as sender:
            message = fieldwatch.Message("test 1")
            message.add("Custom", [{"Name": "from-python"}])
            sender.send(message)
        script = ("const f=require(process.argv[1]);const m=new f.Message('test 1');m.add('Custom',{Name:'from-node'});"
                  "const s=new f.Sender(process.argv[2],{caFile:process.argv[3]});s.send(m).then(()=>s.close(),e=>{console.error(e);process.exit(1)})")
        done = subprocess.run([NODE, "-e", script, TOP / "sdk" / "node", credentials.text, ca], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        lines = '{"Name":"Custom","Payload":{"Name":"from-command","ExtraDetails":{"n":7}}}\n\nnonsense\n{"Name":"Custom","Payload":{"Name":"from-command-2"}}'
        send = [SEND, "--connection-string-file", secret, "--ca-file", ca, "--spool", server.data / "spool"]
        done = subprocess.run(send, input=lines, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "line 3: no JSON object" in done.stderr, done

        large = json.dumps({"Name": "Custom", "Payload": {"Name": "large", "ExtraDetails": {"x": "x" * 230_000}}})
        done = subprocess.run(send, input=large + "\n", capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "1 events are larger than a message may be" in done.stderr, done

        port = server.profile["hubPort"]
        server.stop()
        kept = subprocess.run([*send, "--timeout", "1"], input='{"Name":"Custom","Payload":{"Name":"from-spool"}}\n',
                              capture_output=True, text=True, timeout=60)
        assert kept.returncode == 1 and "wait in the spool" in kept.stderr, kept
        server.start(hub_port=port)
        done = subprocess.run(send, input="", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        wanted = {"from-python", "from-node", "from-command", "from-command-2", "from-spool"}
        rows = server.wait_for("SecurityIoTRawEvent | where RawEventName == 'Custom' | project EventDetails", lambda rows: len(rows) >= 5)
        names = sorted(json.loads(row[0])["Name"] for row in rows)
        assert names == sorted(wanted), names


def examples_run_as_they_are_written():
    """Each language's example, with what is installed for it: by pkg-config, by find_package, from a path."""
    if b"__asan_init" in SEND.read_bytes():
        print("        NOT TESTED: a library with sanitizers asks more of an application than it will ever be asked", flush=True)
        return
    with Server() as server:
        credentials = server.make_device("app")
        secret = secret_file(server.data / "app.txt", credentials.text)
        ca = server.data / "ca" / "ca.pem"
        examples, work, prefix = TOP / "sdk" / "examples", server.data / "work", server.data / "prefix"
        work.mkdir()

        def done(command, **options):
            ran = subprocess.run([str(word) for word in command], capture_output=True, timeout=120, **options)
            assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
            return ran.stdout

        done(["cmake", "--install", BUILD, "--component", "sdk", "--prefix", prefix])
        pages = {page.name for page in (prefix / "share" / "man").rglob("*.*")}
        assert pages == {"fieldwatch_security.3"}, pages
        found = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
        flags = done(["pkg-config", "--cflags", "--libs", "fieldwatch-security"], env=found).decode().split()
        done(["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", examples / "c" / "door.c", *flags, "-o", work / "door-c"])
        done(["cmake", "-S", examples / "cpp", "-B", work / "cpp", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"])
        done(["cmake", "--build", work / "cpp"])

        send = [SEND, "--connection-string-file", secret, "--ca-file", ca]
        for program in (work / "door-c", work / "cpp" / "door"):
            done(send, input=done([program, "7"]))
        done([sys.executable, examples / "python" / "door.py", secret, ca, "7"], env={**os.environ, "PYTHONPATH": str(TOP / "sdk" / "python")})
        (work / "node_modules").mkdir()
        (work / "node_modules" / "fieldwatch-security").symlink_to(TOP / "sdk" / "node")
        done([NODE, examples / "node" / "door.js", secret, ca, "7"], env={**os.environ, "NODE_PATH": str(work / "node_modules")})
        done([examples / "shell" / "door.sh", secret, ca, "7"], env={**os.environ, "PATH": f"{SEND.parent}:{os.environ['PATH']}"})
        languages = ["c", "c++", "node", "python", "shell"]
        if all(shutil.which(program) for program in ("arm-none-eabi-gcc", "qemu-system-arm")):
            image = work / "door.elf"
            done(["arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m3", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra",
                  "-Werror", "-Wl,--gc-sections", "-nostartfiles", "--specs=nano.specs", "-I", prefix / "include", "-I", TOP / "src", "-T",
                  examples / "cortex-m" / "door.ld", examples / "cortex-m" / "door.c",
                  *(TOP / "src" / "sdk" / f"{part}.c" for part in ("encoder", "format", "kinds")), "-o", image])
            text, data, bss = map(int, done(["arm-none-eabi-size", image]).split()[6:9])
            assert text < 20 * 1024 and data + bss < 1024, (text, data, bss)
            done(send, input=done(["qemu-system-arm", "-M", "lm3s6965evb", "-nographic", "-semihosting-config", "enable=on,target=native",
                                   "-kernel", image], stdin=subprocess.DEVNULL))
            languages.insert(1, "c on cortex-m")
        else:
            print("        NOT TESTED: no arm-none-eabi-gcc and qemu-system-arm (tools/setup full)", flush=True)
        rows = server.wait_for("SecurityIoTRawEvent | where RawEventName == 'Custom' | project EventDetails",
                               lambda rows: len(rows) >= len(languages))
        doors = [json.loads(row[0]) for row in rows]
        details = [json.loads(door["ExtraDetails"]) if isinstance(door["ExtraDetails"], str) else door["ExtraDetails"] for door in doors]
        assert {door["Name"] for door in doors} == {"door-opened"} and {one["door"] for one in details} == {"7"}, doors
        assert sorted(one["language"] for one in details) == sorted(languages), details


def spooled(folder):
    """Events of a spool's segments (docs/formats/spool.md)."""
    out = []
    for path in sorted(folder.glob("*.chain")):
        data = path.read_bytes()
        out += [json.loads(data[begin + SPOOL_HEAD:end]) for begin, end in spool_records(data) if data[begin + 8] == 1]
    return out


def what_the_agent_writes_follows_the_schema():
    need_root("the agent collects")
    with Server() as server:
        agent = Agent(server)
        with agent:
            agent.until_collecting()
            server.stop()  # from here all of it stays in the spool
            subprocess.run(["/bin/sh", "-c", "/bin/echo a; /bin/echo a; exec /bin/true"], stdout=subprocess.DEVNULL, check=True)
            marker = pathlib.Path("/etc/fieldwatch-test-marker")
            marker.write_text("x")
            marker.unlink()
            with open("/sys/devices/virtual/mem/null/uevent", "w") as uevent:
                uevent.write("add")
            time.sleep(45)  # a snapshot pass and the spooling
            agent.stop()
            found = spooled(agent.folder / "state" / "spool")
    VALIDATOR.validate({"AgentVersion": "0.1.0", "AgentId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "MessageSchemaVersion": "1.0", "Events": found})
    names = {event["Name"] for event in found}
    assert {"ProcessCreate", "ListeningPorts", "SystemInformation", "Heartbeat", "FileSystem"} <= names, names


if __name__ == "__main__":
    main(schema_and_libraries_agree, topics_are_marked_once, a_silent_hub_is_not_waited_for_for_ever, applications_send,
         examples_run_as_they_are_written, what_the_agent_writes_follows_the_schema)

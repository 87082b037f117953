#!/usr/bin/python3
"""The agent as devices get it: a package for each architecture. agent_packages.py ARCH…  builds it from build/agent[-ARCH], unpacks it
and runs what is in it against the real server; the foreign ones under qemu-user, where the kernel gives them neither BPF nor the
proc connector, so that they prove the last steps of the ladders. This machine's own is also installed, by install.sh, in a copy of /."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import agent_harness as agent
from harness import SKIPPED, TOP, Server

QEMU = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "armv7l"}
FILE_BYTES_MAX = 1 << 20  # both programs


def own_arch():
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def make_package(arch, folder):
    build = TOP / "build" / ("agent" if arch == own_arch() else f"agent-{arch}")
    done = subprocess.run([TOP / "packaging/deb/build", arch, build, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


def under_qemu(program, arch, traces):
    """Puts a script in the program's place, so that both the shell and the agent itself start it through qemu, traced."""
    moved = program.with_name(program.name + ".real")
    program.rename(moved)
    # The trace's own file would be the descriptor that the agent makes its collector's socket.
    spare = "exec 3</dev/null\n" if program.name == "fieldwatch-agent" else ""
    program.write_text(f'#!/bin/sh\n{spare}export QEMU_STRACE=1 QEMU_LOG_FILENAME={traces}/{program.name}.$$\n'
                       f'exec {QEMU[arch]} -L {TOP}/.deps/sysroot-{arch} {moved} "$@"\n')
    program.chmod(0o755)


def allowed_system_calls(*lists):
    text = (TOP / "src/agent/system_calls.cpp").read_text()
    return {"socket"}.union(*(re.findall(r"\bSYS_([a-z_0-9]+)", re.search(rf"constexpr int {one}\[\] = \{{(.*?)\}};", text, re.S)[1]) for one in lists))


def refused_system_calls(traces):
    """What each half called after it had put its filter on and what is on no list of its own. qemu-user has no seccomp and the process
    goes on without: what a device's kernel would have refused shows in the trace."""
    limited, seen, refused = set(), set(), {}
    for trace in traces.iterdir():
        half = "kCollector" if trace.name.startswith("fieldwatch-collector") else "kSender"
        allowed = allowed_system_calls("kBoth", half)
        for line in trace.read_text(errors="replace").splitlines():
            found = re.match(r"(\d+) ([a-z_][a-z_0-9]*)\((.*)", line)
            if not found:
                continue
            process, name = (trace.name, found[1]), found[2]
            if process in limited:
                seen.add(name)
                if name not in allowed:
                    refused.setdefault(f"{half} {name}", line)
            elif name == "prctl" and re.match(r"(22|PR_SET_SECCOMP),", found[3]):
                limited.add(process)
    assert len(limited) == 2 and seen & {"send", "sendto", "write"}, (limited, seen)
    return refused


def what_is_in_it_collects(arch, package, folder):
    root = folder / arch
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    programs = [root / "usr/lib/fieldwatch-agent" / name for name in ("fieldwatch-agent", "fieldwatch-collector")]
    sizes = [program.stat().st_size for program in programs]
    print(f"        {arch}: fieldwatch-agent {sizes[0]} bytes, fieldwatch-collector {sizes[1]}, package {package.stat().st_size}", flush=True)
    assert sum(sizes) <= FILE_BYTES_MAX, sizes
    traces = folder / f"{arch}-traces"
    traces.mkdir()
    traces.chmod(0o777)
    if arch != own_arch():
        for program in programs:
            under_qemu(program, arch, traces)
    agent.AGENT = root / "usr/bin/fieldwatch-agent"
    with Server() as server, agent.Agent(server) as device:
        device.until("collecting", lambda: "collecting: processes by" in device.log(), 60)
        if arch != own_arch():
            assert "processes by polling" in device.log(), device.log()
        device.until("connected", lambda: "connected to the hub" in device.log(), 60)
        # Long enough for a look at /proc every 200 ms.
        lasting = subprocess.Popen(["/bin/sh", "-c", ": mark-package; sleep 3"])
        seen = agent.events(server, "ProcessCreate", "mark-package", seconds=60)
        assert seen[0]["CommandLine"] == "/bin/sh -c : mark-package; sleep 3" and seen[0]["UserId"] == "0", seen
        lasting.wait()
        ports = agent.events(server, "ListeningPorts", str(server.profile["hubPort"]), seconds=60)
        assert ports[0]["Protocol"] == "tcp", ports
        system = agent.events(server, "SystemInformation", "HostName", seconds=60)
        assert system[0]["HostName"] and system[0]["OsArchitecture"] == MACHINES[arch], system
        status = device.status()
        assert status["connected"] and status["refusedRecords"] == 0, status
    if arch != own_arch():
        refused = refused_system_calls(traces)
        assert not refused, refused


# A stranger's systemctl, because a chroot has no systemd: it notes what it is asked, and says "enabled" until /disabled exists.
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/asked
[ "$1" != is-enabled ] || [ ! -e /disabled ]
"""

INSTALL = r"""
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
mount -t tmpfs none "$1/root/run"
mkdir -p "$1/root/package" "$1/root/etc/fieldwatch-agent" "$1/root/run/systemd/system"
cp "$2" "$3" "$4" "$1/root/package"
printf %s "$6" >"$1/root/usr/bin/systemctl.new"
chmod 755 "$1/root/usr/bin/systemctl.new"
mv -f "$1/root/usr/bin/systemctl.new" "$1/root/usr/bin/systemctl"
inside() { chroot "$1/root" sh -ec "$2"; }
install="sh /package/install.sh --package /package"

# What was readable by all before is not when the secret is in it.
echo old >"$1/root/etc/fieldwatch-agent/connection_string.txt"
chmod 644 "$1/root/etc/fieldwatch-agent/connection_string.txt"
if inside "$1" "echo nonsense | $install --ca-file /package/ca.pem"; then exit 9; fi
grep -qx old "$1/root/etc/fieldwatch-agent/connection_string.txt"
printf %s "$5" | inside "$1" "$install --ca-file /package/ca.pem"
inside "$1" 'getent passwd fieldwatch-agent; stat -c "%a %n" /etc/fieldwatch-agent /etc/fieldwatch-agent/connection_string.txt; dpkg -V fieldwatch-agent'
chroot "$1/root" timeout 60 sh -c 'fieldwatch-agent run & n=0
  until grep -qs "\"connected\":true" /var/lib/fieldwatch-agent/status.json; do n=$((n + 1)); [ $n -lt 400 ]; sleep 0.1; done
  stat -c "owner %U" /var/lib/fieldwatch-agent/status.json; kill $!; wait $!'
inside "$1" 'grep -qx "enable --quiet fieldwatch-agent.service" /asked; grep -q "^restart" /asked; rm /asked'

# Again, and an upgrade over it: what is the owner's stays, the decision that it is not to run too.
inside "$1" 'cd /etc/fieldwatch-agent; echo >>config.json; mkdir baseline.d; echo own >baseline.d/own.json; chmod 750 .; find . -type f -exec sha256sum {} + >/before
  touch /disabled'
inside "$1" "$install </dev/null; dpkg --force-confold -i /package/*.deb"
inside "$1" 'cd /etc/fieldwatch-agent; sha256sum --quiet -c /before; stat -c "kept %a" .; [ -z "$(find . -name ".new.*")" ]
  if grep -E "^(enable|start|restart)" /asked; then exit 8; fi'
inside "$1" 'rm /disabled; dpkg --remove fieldwatch-agent; [ -f /etc/fieldwatch-agent/connection_string.txt ]; grep -qx "stop fieldwatch-agent.service" /asked
  dpkg --purge fieldwatch-agent'
[ ! -e "$1/root/etc/fieldwatch-agent" ] && [ ! -e "$1/root/var/lib/fieldwatch-agent" ]
"""


def one_line_installs_it(package, folder):
    with Server() as server:
        text = server.make_device("installed").text
        place = folder / "root"
        place.mkdir()
        done = subprocess.run(["unshare", "-m", "sh", "-c", INSTALL, "_", place, package, TOP / "packaging/install.sh",
                               server.data / "ca" / "ca.pem", text, SYSTEMCTL], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        for expected in ("fieldwatch-agent:x:", "700 /etc/fieldwatch-agent", "600 /etc/fieldwatch-agent/connection_string.txt",
                         "owner fieldwatch-agent", "config.json: good; installed/azureiotsecurity", "kept 750",
                         "no connection string of a device"):
            assert expected in done.stdout + done.stderr, (expected, done.stdout + done.stderr)


def main(architectures):
    if os.geteuid() != 0:
        print("SKIPPED agent_packages.py: installing and collecting need root")
        return SKIPPED
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-packages-"))
    folder.chmod(0o755)
    try:
        for arch in architectures:
            package = make_package(arch, folder)
            what_is_in_it_collects(arch, package, folder)
            print(f"ok      {arch}: what is in the package collects", flush=True)
            if arch == own_arch():
                one_line_installs_it(package, folder)
                print(f"ok      {arch}: one line installs it", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [own_arch(), "arm64", "armhf"]))

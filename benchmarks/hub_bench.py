"""hub: our durable QoS 1 publishes over TLS against Mosquitto, which keeps nothing, under the same load in the same run; the same
messages over AMQP and HTTPS against our MQTT; connects with TLS handshakes in full and resumed."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from common import BUILD, build, cpu_seconds, median, percentile, register, result, rss_kib, say

WINDOW = 8


def generate(pid, port, ca, clients, connections, *more):
    """The load's figures, and the CPU time that the server `pid` had from READY on."""
    process = subprocess.Popen([BUILD / "benchmarks" / "hub_load", "--port", str(port), "--ca", ca, "--clients", clients, "--connections",
                                str(connections), *map(str, more)], stdout=subprocess.PIPE, text=True)
    ready = process.stdout.readline().strip() == "READY"
    before = cpu_seconds(pid)
    text = process.communicate()[0]
    if not ready or process.returncode != 0:
        raise SystemExit("the load generator failed")
    return json.loads(text) | {"server_s": cpu_seconds(pid) - before}


def run_load(pid, port, ca, clients, connections, seconds, protocol="mqtt", window=WINDOW):
    out = generate(pid, port, ca, clients, connections, "--window", window, "--seconds", seconds, "--protocol", protocol)
    out["server_us_per_publish"] = 1e6 * out["server_s"] / out["publishes"]
    return out


def run_connects(pid, port, ca, clients, connects, *how):
    """As many devices connect and go at once as there are handshakes under way in run_load."""
    out = generate(pid, port, ca, clients, 64, "--connects", connects, *how)
    out["server_us_per_connect"] = 1e6 * out["server_s"] / connects
    out["connects_load_cpu_percent"] = out["load_cpu_percent"]
    return out


class Mosquitto:
    """The peer: QoS 1 over TLS with the same certificate, no persistence."""

    def __init__(self, certificates, work):
        self.port = 21883
        configuration = work / "mosquitto.conf"
        configuration.write_text(
            f"per_listener_settings false\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_inflight_messages 0\n"
            f"max_queued_messages 0\nuser root\nlistener {self.port} 127.0.0.1\n"
            f"certfile {certificates / 'server.pem'}\nkeyfile {certificates / 'server-key.pem'}\n")
        self.process = subprocess.Popen(["mosquitto", "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        if self.process.poll() is not None:
            raise SystemExit("mosquitto did not start")

    def close(self):
        self.process.terminate()
        self.process.wait()


def sync_ms_p99(folder, times=400):
    """What one write of 16 KiB and fdatasync costs on the disk that the journal lies on."""
    took = []
    with open(folder / "sync-probe", "wb", buffering=0) as probe:
        for _ in range(times):
            probe.write(b"x" * 16384)
            began = time.perf_counter()
            os.fdatasync(probe.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return percentile(took, 0.99)


class Held:
    """Connections that are there and say nothing."""

    def __init__(self, server, clients, connections):
        self.process = subprocess.Popen([BUILD / "benchmarks" / "hub_load", "--port", str(server.profile["hubPort"]), "--ca",
                                         server.data / "ca" / "ca.pem", "--clients", clients, "--connections", str(connections),
                                         "--seconds", "8", "--idle"], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "READY":
            raise AssertionError("the idle connections were not all let in")

    def wait(self):
        self.process.communicate()
        if self.process.returncode != 0:
            raise AssertionError("an idle connection was closed")


def settled(server):
    """Resident memory once freed pages are given back, which the server does a second after the last connect or end."""
    time.sleep(4)
    return rss_kib(server.process.pid)


def idle(server, clients, connections):
    """Resident memory a connection that only sits there. The server also keeps rows about connects and ends, and what it remembers of
    a device: so all come and go once before, and of what a round leaves behind half is the rows about its connects."""
    Held(server, clients, connections).wait()
    before = settled(server)
    held = Held(server, clients, connections)
    during = settled(server)
    held.wait()
    after = settled(server)
    result("hub", "idle_connections", connections, "1")
    result("hub", "idle_connection_bytes", (during - (before + after) / 2) * 1024 / connections, "B")
    result("hub", "connect_rows_bytes", max(after - before, 0) * 1024 / connections, "B")


def line_of(name, credentials):
    user = f"{credentials.host}/{name}/?api-version=2021-04-12"
    return f"{name}\t{user}\t{credentials.token()}\tdevices/{name}/messages/events/\n"


def of(runs, metric):
    return median([run[metric] for run in runs])


def report(runs, peer, peer_runs, metrics, prefix=""):
    for metric, unit in metrics:
        result("hub", prefix + metric, of(runs, metric), unit, peer, of(peer_runs, metric))


def loads(server, peer, files, connections, seconds, turns):
    """Durable messages over each protocol. HTTP/1.1 has one request on a connection at a time, the others have a window."""
    pid, ports, (ca, clients, plain) = server.process.pid, server.profile, files
    mqtt, theirs, amqp, https = [], [], [], []
    for turn in range(turns):  # interleaved: all see the same machine
        say(f"hub: {connections} TLS connections, turn {turn + 1} of {turns}")
        mqtt.append(run_load(pid, ports["hubPort"], ca, clients, connections, seconds))
        theirs.append(run_load(peer.process.pid, peer.port, ca, plain, connections, seconds))
        amqp.append(run_load(pid, ports["amqpPort"], ca, clients, connections, seconds, "amqp"))
        https.append(run_load(pid, ports["hubHttpsPort"], ca, clients, connections, seconds, "https", window=1))
    metrics = [("publish_per_s", "1/s"), ("ack_ms_p50", "ms"), ("ack_ms_p99", "ms"), ("load_cpu_percent", "%"), ("server_us_per_publish", "us")]
    report(mqtt, "mosquitto", theirs, [*metrics, ("handshakes_per_s", "1/s")])
    report(amqp, "mqtt", mqtt, metrics, "amqp_")
    report(https, "mqtt", mqtt, metrics, "https_")


def reconnects(server, peer, files, connects, turns):
    """Devices that come and go, with TLS handshakes in full and with resumed ones."""
    pid, port, (ca, clients, plain) = server.process.pid, server.profile["hubPort"], files
    full, their_full, resumed, their_resumed = [], [], [], []
    for turn in range(turns):
        say(f"hub: {connects} connects, turn {turn + 1} of {turns}")
        full.append(run_connects(pid, port, ca, clients, connects))
        their_full.append(run_connects(peer.process.pid, peer.port, ca, plain, connects))
        resumed.append(run_connects(pid, port, ca, clients, connects, "--resume"))
        their_resumed.append(run_connects(peer.process.pid, peer.port, ca, plain, connects, "--resume"))
    if any(run["resumed"] != connects for run in resumed):
        raise AssertionError(f"of {connects} sessions {[run['resumed'] for run in resumed]} were resumed")
    metrics = [("connects_per_s", "1/s"), ("connect_ms_p50", "ms"), ("connect_ms_p99", "ms"), ("server_us_per_connect", "us")]
    report(full, "mosquitto", their_full, [*metrics, ("connects_load_cpu_percent", "%")])
    report(resumed, "mosquitto", their_resumed, [*metrics, ("connects_load_cpu_percent", "%")], "resumed_")
    report(resumed, "full handshakes", full, [("connects_per_s", "1/s"), ("server_us_per_connect", "us")], "resumed_to_full_")


def bench(quick):
    from harness import Server
    build("hub_load", "fieldwatch")
    connections, seconds, turns, idle_connections = (100, 2, 1, 400) if quick else (1000, 8, 3, 10_000)
    connects = 500 if quick else 1500  # within what a server lets in at once (5,000, and 500 a second)
    work = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-bench-", dir=BUILD))  # /tmp may be memory
    try:
        (work / "server").mkdir()
        with Server(work / "server") as server:
            names = [f"device-{index}" for index in range(idle_connections)]
            say(f"hub: registering {len(names)} devices")
            known = register(server, "bench", names)
            clients, plain = work / "clients.tsv", work / "plain.tsv"
            clients.write_text("".join(line_of(name, known[name]) for name in names))
            plain.write_text("".join(f"{name}\t\t\tdevices/{name}/messages/events/\n" for name in names))
            ca = server.data / "ca" / "ca.pem"
            idle(server, clients, idle_connections)  # before any load: afterwards the allocator has room to reuse
            peer = Mosquitto(server.data / "ca", work)
            files = (ca, clients, plain)
            try:
                loads(server, peer, files, connections, seconds, turns)
                reconnects(server, peer, files, connects, turns)
            finally:
                peer.close()
            result("hub", "fdatasync_ms_p99", sync_ms_p99(work), "ms")
    finally:
        shutil.rmtree(work, ignore_errors=True)

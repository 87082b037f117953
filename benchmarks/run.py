#!/usr/bin/python3
"""./bench [NAME…] [--quick] [--json FILE]: measure, against named peers in the same run where there is one.

Each line: {"bench","metric","value","unit","peer","peer_value","ratio"}. Machines are noisy: read the ratios."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build" / "release"
sys.path.insert(0, str(TOP / "tests" / "integration"))

RESULTS = []


def result(bench, metric, value, unit, peer=None, peer_value=None):
    line = {"bench": bench, "metric": metric, "value": round(value, 4), "unit": unit}
    if peer is not None:
        line |= {"peer": peer, "peer_value": round(peer_value, 4), "ratio": round(value / peer_value, 4) if peer_value else None}
    RESULTS.append(line)
    print(json.dumps(line), flush=True)


def say(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def build(*targets):
    subprocess.run(["ninja", "-C", BUILD, *targets], check=True, stdout=subprocess.DEVNULL)


def google_benchmark(target, quick, pattern="."):
    """Runs a Google Benchmark binary; {name: counters and times in ns}."""
    build(target)
    binary = next(BUILD.glob(f"src/**/{target}"))
    out = subprocess.run([binary, "--benchmark_format=json", f"--benchmark_filter={pattern}",
                          f"--benchmark_min_time={0.2 if quick else 1}"],
                         check=True, capture_output=True, text=True, cwd=TOP).stdout
    return {entry["name"]: entry for entry in json.loads(out)["benchmarks"]}


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


# --- hub: our durable QoS 1 publishes against Mosquitto, which keeps nothing -------------------------------------------

def load(host_port, ca, clients, connections, window, seconds):
    out = subprocess.run([BUILD / "benchmarks" / "hub_load", "--port", str(host_port), "--ca", ca, "--clients", clients,
                          "--connections", str(connections), "--window", str(window), "--seconds", str(seconds)],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().split("\n")[-1])


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


def bench_hub(quick):
    from harness import Server
    build("hub_load", "fieldwatch")
    connections, seconds = (200, 3) if quick else (1000, 10)
    work = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-bench-"))
    try:
        with Server() as server:
            clients, plain = work / "clients.tsv", work / "plain.tsv"
            say(f"hub: registering {connections} devices")
            clients.write_text("".join(device_lines(server, connections)))
            plain.write_text("".join(f"device-{i}\t\t\tdevices/device-{i}/messages/events/\n" for i in range(connections)))
            ca = server.data / "ca" / "ca.pem"
            peer = Mosquitto(server.data / "ca", work)
            try:
                ours, theirs = [], []
                for turn in range(1 if quick else 3):  # interleaved: both see the same machine
                    say(f"hub: {connections} TLS connections, turn {turn + 1}")
                    ours.append(load(server.profile["hubPort"], ca, clients, connections, 8, seconds))
                    theirs.append(load(peer.port, ca, plain, connections, 8, seconds))
            finally:
                peer.close()
            median = lambda runs, key: sorted(run[key] for run in runs)[len(runs) // 2]
            for metric, unit in (("publish_per_s", "1/s"), ("ack_ms_p50", "ms"), ("ack_ms_p99", "ms"), ("handshakes_per_s", "1/s"),
                                 ("load_cpu_percent", "%")):
                result("hub", metric, median(ours, metric), unit, "mosquitto", median(theirs, metric))
            bench_idle(server, work, clients, connections)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def bench_idle(server, work, clients, connections):
    before = rss_kib(server.process.pid)
    process = subprocess.Popen([BUILD / "benchmarks" / "hub_load", "--port", str(server.profile["hubPort"]), "--ca", server.data / "ca" / "ca.pem",
                                "--clients", clients, "--connections", str(connections), "--seconds", "5", "--idle"],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "READY"
    time.sleep(3)
    after = rss_kib(server.process.pid)
    process.wait()
    result("hub", "idle_connection_bytes", (after - before) * 1024 / connections, "B")


def device_lines(server, count):
    """Registers devices through the API, a line for the load generator each."""
    from harness import Credentials
    server.cli("hub", "create", "bench")
    lines = []
    for index in range(count):
        name = f"device-{index}"
        server.cli("device", "create", name, "--hub", "bench")
        credentials = Credentials(server.cli("device", "connection-string", name, "--hub", "bench").strip())
        user = f"{credentials.host}/{name}/?api-version=2021-04-12"
        lines.append(f"{name}\t{user}\t{credentials.token()}\tdevices/{name}/messages/events/\n")
    return lines


# --- parts, by their own Google Benchmarks -----------------------------------------------------------------------------

# bench -> [(target, benchmark, metric, unit, counter)]; the counter is one the benchmark itself reports.
PARTS = {}


def bench_part(name, quick):
    for target, benchmark, metric, unit, counter in PARTS[name]:
        entry = google_benchmark(target, quick, benchmark)
        chosen = next(iter(entry.values()))
        result(name, metric, chosen[counter], unit)


BENCHES = {"hub": bench_hub} | {name: (lambda quick, name=name: bench_part(name, quick)) for name in PARTS}


def main():
    parser = argparse.ArgumentParser(prog="./bench", description="Measure Fieldwatch; ratios against named peers in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that everything works")
    parser.add_argument("--json", metavar="FILE", help="also write the lines there")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"no bench {unknown[0]}; there are {', '.join(BENCHES)}")
    for name in options.names or BENCHES:
        say(name)
        BENCHES[name](options.quick)
    if options.json:
        pathlib.Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in RESULTS))


if __name__ == "__main__":
    main()

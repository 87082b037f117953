"""What every bench uses: result lines, builds, processes, and the server's HTTP API."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("FIELDWATCH_BUILD", TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "tests" / "integration"))

RESULTS = []


def result(bench, metric, value, unit, peer=None, peer_value=None):
    """Prints one line of the format that design and scripts rely on."""
    line = {"bench": bench, "metric": metric, "value": round(value, 4), "unit": unit}
    if peer is not None:
        line |= {"peer": peer, "peer_value": round(peer_value, 4), "ratio": round(value / peer_value, 4) if peer_value else None}
    RESULTS.append(line)
    print(json.dumps(line), flush=True)


def say(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def build(*targets):
    done = subprocess.run(["ninja", "-C", BUILD, *targets], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the build of {' '.join(targets)} failed:\n{done.stdout[-4000:]}")


def median(values):
    return sorted(values)[len(values) // 2]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has no memory")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def google_benchmark(target, quick, pattern):
    """Runs a Google Benchmark binary; {name: its counters and times}. Rates are by CPU time: other processes cost us none."""
    build(target)
    binary = next(BUILD.glob(f"src/**/{target}"))
    done = subprocess.run([binary, "--benchmark_format=json", f"--benchmark_filter={pattern}",
                           f"--benchmark_min_time={0.1 if quick else 1}"], capture_output=True, text=True, cwd=TOP,
                          env={**os.environ, "FIELDWATCH_BENCH_DIR": str(BUILD)})
    if done.returncode != 0:
        raise SystemExit(f"{target} failed:\n{done.stderr[-4000:]}")
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)["benchmarks"]}
    failed = [entry for entry in entries.values() if entry.get("error_occurred")]
    if failed or not entries:
        raise SystemExit(f"{target}: {failed[0]['error_message'] if failed else 'nothing matches ' + pattern}")
    return entries


class Api:
    """The HTTP API of a server, over one connection that is kept."""

    def __init__(self, server):
        profile = server.profile
        self.address = profile["server"].split("//", 1)[1].rstrip("/")
        self.token = profile["token"]
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def request(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None

    def close(self):
        self.connection.close()


def in_threads(count, work):
    """Runs work(index) for 0 ≤ index < count in threads; the first failure is raised here."""
    failures = []

    def guarded(index):
        try:
            work(index)
        except BaseException as failure:  # of any kind: it is raised again below
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def register(server, hub, names, module=None):
    """Registers devices through the API on several connections; {name: Credentials}. With `module`, those of the module."""
    from harness import Credentials
    first = Api(server)
    if hub not in [known["name"] for known in first.request("GET", "/api/v1/hubs")["value"]]:
        first.request("PUT", f"/api/v1/hubs/{hub}", {})
    first.close()
    out = {}
    workers = 8

    def work(index):
        api = Api(server)
        for name in names[index::workers]:
            path = f"/api/v1/hubs/{hub}/devices/{name}"
            api.request("PUT", path, {"authentication": "sas"})
            if module is not None:
                path += f"/modules/{module}"
                api.request("PUT", path, {"authentication": "sas", "profile": "real-time"})
            out[name] = Credentials(api.request("GET", path + "/connection-string")["connectionString"])
        api.close()

    in_threads(workers, work)
    return out


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)

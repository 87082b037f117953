"""end-to-end: from a device's publish to its alert in the event stream and in a query, while others load the server.
server: memory at rest, and how soon a start is ready."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from common import BUILD, Api, build, percentile, register, result, rss_kib, say, wait_until
from hub_bench import WINDOW, line_of

HUB = "bench"


class Stream:
    """The server's news, read in a thread: when each device's first alert came."""

    def __init__(self, server):
        self.api = Api(server)
        self.seen = {}
        self.ready = threading.Event()
        self.closed = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        if not self.ready.wait(20):
            raise AssertionError("the event stream said no hello")

    def _read(self):
        connection = self.api.connection
        connection.request("GET", f"/api/v1/stream?hub={HUB}", headers={"Authorization": f"Bearer {self.api.token}"})
        answer = connection.getresponse()
        kind = ""
        while not self.closed:
            line = answer.readline().decode().rstrip("\n")
            if line.startswith("event:"):
                kind = line[6:].strip()
                if kind == "hello":
                    self.ready.set()
            elif line.startswith("data:") and kind == "alert":
                self.seen.setdefault(json.loads(line[5:])["device"], time.monotonic())

    def close(self):
        self.closed = True  # the thread ends with the next heartbeat, or with us


def load_arguments(server, clients, connections, seconds, rate):
    return [BUILD / "benchmarks" / "hub_load", "--port", str(server.profile["hubPort"]), "--ca", server.data / "ca" / "ca.pem", "--clients", clients,
            "--connections", str(connections), "--window", str(WINDOW), "--seconds", str(seconds), "--rate", str(rate), "--security"]


def backlog(api):
    return api.request("GET", f"/api/v1/overview?hub={HUB}")["dataHealth"]["backlog"]


def rows(api, workspace, text):
    return api.request("POST", f"/v1/workspaces/{workspace}/query", {"query": text})["tables"][0]["rows"]


def sustained(server, api, workspace, clients, connections, seconds):
    """Events a second that reach the workspace when devices send as much as they may: until the last one is visible."""
    began = time.monotonic()
    subprocess.run(load_arguments(server, clients, connections, seconds, 0), check=True, capture_output=True)
    wait_until(lambda: backlog(api) == 0, 300, "the pipeline has caught up")
    took = time.monotonic() - began
    return rows(api, workspace, "SecurityIoTRawEvent | count")[0][0] / took


def probe(server, api, workspace, stream, credentials):
    """One device's crypto miner; ms until the stream told it, and until a query answered with it."""
    from harness import Device, event, message, process
    device = Device(server, credentials)
    if device.connect() != 0:
        raise AssertionError(f"{credentials.device} was refused: {device.code}")
    body = message(event("ProcessCreate", [process("cpuminer-multi -o pool")]))
    began = time.monotonic()
    device.send("probe", body)
    text = f'SecurityAlert | where ResourceId has "{credentials.device}" or ExtendedProperties has "{credentials.device}" | count'
    wait_until(lambda: credentials.device in stream.seen, 30, f"an alert of {credentials.device}")
    told = stream.seen[credentials.device] - began
    wait_until(lambda: rows(api, workspace, text)[0][0] > 0, 30, f"a row about {credentials.device}")
    asked = time.monotonic() - began
    device.close()
    return 1000 * told, 1000 * asked


def bench_end_to_end(quick):
    from harness import MARK, Server
    build("hub_load", "fieldwatch")
    connections, probes, seconds = (20, 5, 3) if quick else (200, 100, 15)
    work = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-bench-", dir=BUILD))
    try:
        data = work / "server"
        data.mkdir()
        with Server(data) as server:
            say("end-to-end: registering devices")
            loaders = register(server, HUB, [f"load-{index}" for index in range(connections)])
            probers = register(server, HUB, [f"probe-{index:03}" for index in range(probes)], "azureiotsecurity")
            clients = work / "clients.tsv"
            clients.write_text("".join(line_of(name, known).rstrip("\n") + MARK + "\n" for name, known in loaders.items()))
            api = Api(server)
            workspace = api.request("GET", f"/api/v1/hubs/{HUB}")["workspace"]
            say("end-to-end: what it sustains")
            full = sustained(server, api, workspace, clients, connections, seconds)
            result("end-to-end", "events_per_s", full, "1/s")
            say(f"end-to-end: {probes} probes under half of that")
            stream = Stream(server)
            background = subprocess.Popen(load_arguments(server, clients, connections, 3600, full / 2), stdout=subprocess.DEVNULL)
            try:
                time.sleep(2)
                times = [probe(server, api, workspace, stream, known) for known in probers.values()]
                if background.poll() is not None:
                    raise AssertionError("the load ended early")
            finally:
                background.terminate()
                background.wait()
                stream.close()
            told, asked = [one[0] for one in times], [one[1] for one in times]
            result("end-to-end", "alert_visible_ms_p50", percentile(told, 0.5), "ms")
            result("end-to-end", "alert_visible_ms_p99", percentile(told, 0.99), "ms")
            result("end-to-end", "alert_queried_ms_p50", percentile(asked, 0.5), "ms")
            result("end-to-end", "alert_queried_ms_p99", percentile(asked, 0.99), "ms")
            restart(server, api, workspace)
            api.close()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def restart(server, api, workspace):
    """How soon it is ready with all of that data: after a stop, and after being killed."""
    wait_until(lambda: backlog(api) == 0, 300, "the pipeline has caught up")
    stored = rows(api, workspace, "SecurityIoTRawEvent | count")[0][0]
    result("server", "rows_stored", stored, "1")
    server.stop()
    result("server", "ready_with_data_s", started(server), "s")
    server.kill()
    result("server", "ready_after_kill_s", started(server), "s")
    again = Api(server)
    kept = rows(again, workspace, "SecurityIoTRawEvent | count")[0][0]
    again.close()
    if kept != stored:
        raise AssertionError(f"{stored} rows before the restarts, {kept} after them")


def started(server):
    began = time.monotonic()
    server.start()
    return time.monotonic() - began


def bench_server(quick):
    from harness import Server
    build("fieldwatch")
    server = Server()
    began = time.monotonic()
    with server:
        result("server", "first_ready_s", time.monotonic() - began, "s")
        server.make_device("device")
        time.sleep(3 if quick else 20)
        result("server", "rss_mib_at_rest", rss_kib(server.process.pid) / 1024, "MiB")
        server.stop()
        result("server", "ready_s", started(server), "s")

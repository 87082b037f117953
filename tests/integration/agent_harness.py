"""The real agent on this machine, as the integration tests run it; what it wrote, asked of the server."""

import json
import os
import pathlib
import signal
import struct
import subprocess
import time
import urllib.request

from harness import BUILD, PATIENCE, Skip, need_root, secret_file

AGENT = pathlib.Path(os.environ.get("FIELDWATCH_AGENT", BUILD / "src" / "agent" / "fieldwatch-agent"))
OBJECT = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"
# In a build with AddressSanitizer: to look for leaks it stops the process from a copy of it, which the agent's filter forbids.
NO_LEAK_SEARCH = {"ASAN_OPTIONS": "detect_leaks=0"}


class Agent:
    """`fieldwatch-agent run` as the device "here". Its /var/log is a folder of its own, so that a test may log in.

    `settings` are merged into its configuration, folder by folder; `before` is shell that runs in its mount namespace first, as
    root; `prefix` is a command that runs it; `environment` is added to its own."""

    def __init__(self, server, device="here", connection_string=None, ca=None, connect_host=None, certificate=None, allow=(),
                 settings=None, before=":", prefix=(), environment=None):
        need_root("the agent collects")
        self.server = server
        self.before = before
        self.prefix = prefix
        self.environment = environment or {}
        self.device = device
        self.folder = server.data / f"agent-{device}"
        self.folder.mkdir()
        self.var_log = self.folder / "var-log"
        self.var_log.mkdir()
        for name in ("btmp", "wtmp", "auth.log"):
            (self.var_log / name).touch()
        text = connection_string or server.make_device(device).text
        secret = secret_file(self.folder / "connection_string.txt", text)
        self.config = self.folder / "agent.json"
        provision = [AGENT, "provision", "--connection-string-file", secret, "--ca-file", ca or server.data / "ca" / "ca.pem",
                     "--state", self.folder / "state", "--config", self.config]
        if connect_host:
            provision += ["--connect-host", connect_host, "--port", str(server.profile["hubPort"])]
        if certificate:
            provision += ["--certificate", certificate]
        done = subprocess.run(provision, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        settings = dict(settings or {})
        if allow:
            settings["Response"] = {"Allow": list(allow)}
        if settings:
            config = json.loads(self.config.read_text())
            for name, value in settings.items():
                merged = config["Configuration"].get(name)
                config["Configuration"][name] = {**merged, **value} if isinstance(merged, dict) else value
            self.config.write_text(json.dumps(config))
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        log = open(self.folder / "agent.log", "ab")
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-e", "-c",
             f'mount --bind "$1" /var/log; agent=$2 config=$3; shift 3; {self.before}; exec "$@" "$agent" run --config "$config"', "_",
             self.var_log, AGENT, self.config, *(self.prefix or ["env"])], stdout=log, stderr=log,
            env={**os.environ, **NO_LEAK_SEARCH, **self.environment})

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the agent did not end within 20 s of SIGTERM\n{self.log_tail()}")
        self.process = None

    def kill(self):
        """As a power cut ends it: both halves at once."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def pids(self):
        """The collector, then the sender."""
        first = self.process.pid
        children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def log(self):
        return (self.folder / "agent.log").read_text(errors="replace")

    def log_tail(self):
        return self.log()[-4000:]

    def status(self):
        try:
            return json.loads((self.folder / "state" / "status.json").read_text())
        except FileNotFoundError:
            return {"connected": False, "lastError": ""}

    def when_ended(self):
        """While something is waited for."""
        raise AssertionError(f"the agent ended: {self.log_tail()}")

    def until(self, what, probe, seconds=20):
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            value = probe()
            if value:
                return value
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.log_tail()}"
            if self.process.poll() is not None:
                self.when_ended()
            time.sleep(0.1)

    def until_collecting(self):
        """Connected, and what runs now is seen."""
        self.until("collecting", lambda: "collecting: processes by" in self.log())
        if "collecting: processes by bpf" not in self.log():
            raise Skip(f"this kernel takes no BPF programs from us\n{self.log_tail()}")
        self.until("connected", lambda: "connected to the hub" in self.log())


def request(server, method, path, body=None):
    profile = server.profile
    made = urllib.request.Request(profile["server"] + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                  headers={"Authorization": f"Bearer {profile['token']}", "Content-Type": "application/json"})
    with urllib.request.urlopen(made, timeout=30) as reply:
        return json.loads(reply.read() or b"{}")


def events(server, name, mark, count=1, seconds=20):
    """The payloads of these events that hold `mark`, once there are `count`; not those of the asking itself."""
    query = f"SecurityIoTRawEvent | where RawEventName == '{name}' and EventDetails has '{mark}' " \
            "and EventDetails !has 'SecurityIoTRawEvent' | project EventDetails"
    return [json.loads(row[0]) for row in server.wait_for(query, lambda rows: len(rows) >= count, seconds)]


def extra(payload, name):
    details = payload.get("ExtraDetails", {})
    return (json.loads(details) if isinstance(details, str) else details).get(name)


def run(mark, *more):
    subprocess.run(["/bin/echo", mark, *more], stdout=subprocess.DEVNULL, check=True)


def self_signed(folder, name):
    """A certificate of that name, and a file that has its key too, as an agent takes it."""
    own, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", own, "-days", "2", "-subj", f"/CN={name}"], check=True, capture_output=True)
    return own, secret_file(folder / f"{name}-both.pem", own.read_text() + key.read_text())


SPOOL_HEAD = 36  # docs/formats/spool.md


def spool_records(data):
    """Where each record of a segment begins and ends."""
    begin = 0
    while begin + SPOOL_HEAD <= len(data):
        end = begin + SPOOL_HEAD + struct.unpack_from("<I", data, begin)[0]
        yield begin, end
        begin = end

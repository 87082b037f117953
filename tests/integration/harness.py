"""The real binary, run the way a person runs it: a server of its own for each test, on ports the kernel chooses."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

import paho.mqtt.client as mqtt

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FIELDWATCH_BUILD", TOP / "build" / "release"))
BINARY = BUILD / "src" / "app" / "fieldwatch"
# How much longer than usual an answer may take: a sanitizer makes everything slower.
PATIENCE = float(os.environ.get("FIELDWATCH_PATIENCE", "1"))
SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:")
MARK = "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1&%24.ct=application%2Fjson&%24.ce=utf-8"


def secret_file(path, text):
    """A file of its owner's alone, also while it is written."""
    path.touch(0o600)
    path.write_text(text)
    return path


class Server:
    """`fieldwatch serve` with its own data folder. Use as a context; the folder goes with it."""

    def __init__(self, data=None):
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="fieldwatch-test-"))
        self.own = data is None
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.check_sanitizers()
        if self.own and not os.environ.get("FIELDWATCH_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)

    @property
    def profile(self):
        return json.loads((self.data / "profile.json").read_text())

    def start(self, *options, hub_port=0):
        (self.data / "log").mkdir(exist_ok=True)
        self.log = open(self.data / "log" / "server.log", "ab")
        (self.data / "profile.json").unlink(missing_ok=True)
        any_port = [] if "--amqp-port" in options else ["--amqp-port", "0"]
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data, "--hub-port", str(hub_port), *any_port, "--page-port", "0", *options],
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if (self.data / "profile.json").exists() and self.run("doctor", "--ready").returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready within 60 s:\n{self.log_tail()}")

    def log_tail(self):
        return (self.data / "log" / "server.log").read_text(errors="replace")[-4000:]

    def check_sanitizers(self):
        """What a sanitizer said of any of our processes, also of one that was killed before it could end with a status."""
        for log in self.data.rglob("*.log"):
            text = log.read_text(errors="replace")
            if found := SANITIZER.search(text):
                raise AssertionError(f"{log.name}:\n{text[found.start():][:12000]}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not end within 30 s of SIGTERM")
        if self.process.returncode != 0:
            self.check_sanitizers()
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")

    def run(self, *arguments):
        environment = {**os.environ, "FIELDWATCH_PROFILE": str(self.data / "profile.json")}
        return subprocess.run([BINARY, *map(str, arguments)], env=environment, capture_output=True, text=True,
                              timeout=120 * PATIENCE)

    def cli(self, *arguments):
        done = self.run(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"fieldwatch {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def query(self, text):
        """The rows of the primary result."""
        return json.loads(self.cli("query", "--format", "json", text))["tables"][0]["rows"]

    def wait_for(self, text, condition, seconds=20):
        """Asks `text` again until `condition(rows)`; the rows."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            rows = self.query(text)
            if condition(rows):
                return rows
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds} s still {rows!r} for {text}\n{self.log_tail()}")
            time.sleep(0.1)

    def service(self, method, path, body=None, headers=(), hub="home"):
        """One request to the hub's own service API, as its owner; (status, body)."""
        import http.client
        import ssl
        if not hasattr(self, "_owner"):
            shown = json.loads(self.cli("hub", "show", hub, "--keys", "--format", "json"))
            self._owner = (shown["policies"]["iothubowner"], hub)
        key, host = self._owner
        expires = int(time.time() + 3600)
        signature = base64.b64encode(hmac.new(base64.b64decode(key), f"{host}\n{expires}".encode(), hashlib.sha256).digest())
        token = f"SharedAccessSignature sr={host}&sig={urllib.parse.quote(signature, safe='')}&se={expires}&skn=iothubowner"
        web = http.client.HTTPSConnection("localhost", self.profile["hubHttpsPort"], timeout=30,
                                          context=ssl.create_default_context(cafile=str(self.data / "ca" / "ca.pem")))
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        web.request(method, path + ("&" if "?" in path else "?") + "api-version=2021-04-12", text,
                    {"Authorization": token, "Host": host, **dict(headers)})
        answer = web.getresponse()
        said = answer.read()
        web.close()
        return answer.status, said

    def make_device(self, device, module="azureiotsecurity", hub="home"):
        if self.run("hub", "show", hub).returncode != 0:
            self.cli("hub", "create", hub)
        self.cli("device", "create", device, "--hub", hub, "--module", module)
        return Credentials(self.cli("device", "connection-string", device, "--hub", hub, "--module", module).strip())


class Credentials:
    """A connection string, read and signed here, without any code of the product."""

    def __init__(self, text):
        self.text = text
        self.parts = dict(part.split("=", 1) for part in text.split(";"))
        self.host = self.parts["HostName"]
        self.device = self.parts["DeviceId"]
        self.module = self.parts.get("ModuleId")

    @property
    def client_id(self):
        return self.device + (f"/{self.module}" if self.module else "")

    @property
    def prefix(self):
        return f"devices/{self.device}" + (f"/modules/{self.module}" if self.module else "")

    def token(self, expires=None, key=None):
        resource = urllib.parse.quote(f"{self.host}/{self.prefix}", safe="")
        expires = int(expires if expires is not None else time.time() + 3600)
        secret = base64.b64decode(key or self.parts["SharedAccessKey"])
        signature = base64.b64encode(hmac.new(secret, f"{resource}\n{expires}".encode(), hashlib.sha256).digest())
        return f"SharedAccessSignature sr={resource}&sig={urllib.parse.quote(signature.decode(), safe='')}&se={expires}"


class Device:
    """A device on paho's MQTT client: QoS 1, and a list of what the hub acknowledged."""

    def __init__(self, server, credentials, **token):
        self.credentials = credentials
        self.acknowledged = set()
        self.pending = {}
        self.code = None
        self.client = mqtt.Client(credentials.client_id, clean_session=False, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(
            f"{credentials.host}/{credentials.client_id}/?api-version=2021-04-12", credentials.token(**token))
        self.client.tls_set(ca_certs=str(server.data / "ca" / "ca.pem"))
        self.client.on_connect = lambda _c, _u, _f, code: setattr(self, "code", code)
        self.client.on_publish = self._on_publish
        self.client.max_inflight_messages_set(64)
        self.server = server

    def _on_publish(self, _client, _userdata, message_id):
        name = self.pending.pop(message_id, None)
        if name is not None:
            self.acknowledged.add(name)

    def connect(self, seconds=10):
        """Connects and waits for the CONNACK; its code."""
        self.code = None
        self.client.connect("127.0.0.1", self.server.profile["hubPort"], keepalive=60)
        self.client.loop_start()
        deadline = time.monotonic() + seconds * PATIENCE
        while self.code is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.code

    def send(self, name, body, marked=True):
        """Publishes; `name` is in `acknowledged` once the hub said so."""
        topic = f"{self.credentials.prefix}/messages/events/" + (MARK if marked else "")
        info = self.client.publish(topic, json.dumps(body) if not isinstance(body, (str, bytes)) else body, qos=1)
        if info.rc == 0:
            self.pending[info.mid] = name
        return info.rc == 0

    def wait_acknowledged(self, count, seconds=20):
        deadline = time.monotonic() + seconds * PATIENCE
        while len(self.acknowledged) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.acknowledged)} of {count} acknowledged after {seconds} s")
            time.sleep(0.01)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def timestamp(seconds=None):
    moment = time.time() if seconds is None else seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(moment)) + f"{int(moment * 1000) % 1000:03}Z"


def event(name, payload, event_id=None, category="Triggered", when=None):
    return {"Id": event_id or str(uuid.uuid4()), "TimestampLocal": timestamp(when), "TimestampUTC": timestamp(when),
            "Category": category, "Name": name, "EventType": "Security", "IsEmpty": not payload,
            "PayloadSchemaVersion": "1.0", "Payload": payload}


def message(*events):
    return {"AgentVersion": "1.0.0", "AgentId": "0a1b2c3d-0000-4000-8000-000000000001", "MessageSchemaVersion": "1.0",
            "Events": list(events)}


def process(command_line, executable="/bin/sh", user="0", pid=100):
    return {"Executable": executable, "ProcessId": pid, "ParentProcessId": 1, "UserId": user, "UserName": "root",
            "CommandLine": command_line}


SKIPPED = 77  # the exit status that ctest takes for it


class Skip(Exception):
    """Raised where a test cannot be made on this machine, with the reason."""


def need_root(why):
    if os.geteuid() != 0:
        raise Skip(f"{why} as root only")


def main(*tests):
    """Runs the functions, says how each went. Exit status: 1 when one failed, SKIPPED when none could be run, else 0."""
    failed, passed, skipped = 0, 0, 0
    chosen = sys.argv[1:]
    for test in tests:
        if chosen and test.__name__ not in chosen:
            continue
        began = time.monotonic()
        try:
            test()
            print(f"ok      {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            passed += 1
        except Skip as reason:
            print(f"SKIPPED {test.__name__}: {reason}", flush=True)
            skipped += 1
        except Exception:  # every failure is reported, the rest still runs
            import traceback
            traceback.print_exc()
            print(f"FAILED  {test.__name__}", flush=True)
            failed += 1
    sys.exit(1 if failed else SKIPPED if skipped and not passed else 0)

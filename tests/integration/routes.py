#!/usr/bin/python3
"""Routes of a hub: a device's messages in files and at a receiver behind HTTP that is down at first, through a kill of the server in between;
what is routed away is not at the built-in endpoint's reader any more. Everything that was acknowledged arrives."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

from harness import PATIENCE, Device, Server, main


class Receiver:
    """Takes POSTs while `up`; answers 503 else."""

    def __init__(self):
        outer = self
        self.up, self.posts, self.tries = False, [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.tries += 1
                if outer.up:
                    outer.posts.append((dict(self.headers), body))
                self.send_response(200 if outer.up else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def messages(self):
        return [message for _, body in list(self.posts) for message in json.loads(body)["messages"]]


def eventually(condition, what, seconds=30):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def lines(server):
    out = []
    for path in sorted((server.data / "routes" / "home" / "archive").glob("*.jsonl")):
        out += [json.loads(line) for line in path.read_text().splitlines()]
    return out


def acknowledged_messages_arrive_wherever_routes_lead():
    receiver = Receiver()
    with Server() as server:
        credentials = server.make_device("pump")
        wrong = server.run("hub", "update", "home", "--route", "hot=where $body.n > to archive")
        assert wrong.returncode == 2 and "hot" in wrong.stderr, wrong
        server.cli("hub", "update", "home", "--endpoint", f"alarms={receiver.url}", "--endpoint", "archive=file",
                   "--route", "hot=where $body.n >= 100 AND AS_NUMBER(level) = 3 to alarms", "--route", "all=to archive",
                   "--route", "who=DeviceConnectionStateEvents to archive")
        time.sleep(1.5)  # a change is in force within a second

        device = Device(server, credentials)
        assert device.connect() == 0
        for n in range(200):
            topic = f"{credentials.prefix}/messages/events/level={3 if n % 2 else 1}"
            info = device.client.publish(topic, json.dumps({"n": n}), qos=1)
            device.pending[info.mid] = n
        device.wait_acknowledged(200)
        eventually(lambda: receiver.tries >= 1, lambda: "nobody asked the receiver")
        server.kill()
        device.close()
        receiver.up = True
        server.start()

        wanted = {n for n in range(100, 200) if n % 2}
        got = lambda: {message["body"]["n"] for message in receiver.messages()}
        eventually(lambda: got() >= wanted, lambda: f"missing {sorted(wanted - got())[:10]}")
        assert got() == wanted, got() - wanted
        telemetry = lambda: {line["body"]["n"] for line in lines(server) if line["source"] == "DeviceMessages"}
        eventually(lambda: telemetry() == set(range(200)), lambda: f"{len(telemetry())} of 200 in files")
        states = [line["properties"]["opType"] for line in lines(server) if line["source"] == "DeviceConnectionStateEvents"]
        assert "deviceConnected" in states, states

        headers, body = receiver.posts[0]
        key = json.loads(server.cli("hub", "show", "home", "--keys", "--format", "json"))["policies"]["service"]
        said = headers["X-Fieldwatch-Timestamp"].encode() + b"." + body
        assert headers["X-Fieldwatch-Signature"] == "v1=" + hmac.new(base64.b64decode(key), said, hashlib.sha256).hexdigest()
        first = receiver.messages()[0]
        assert first["deviceId"] == "pump" and first["moduleId"] == "azureiotsecurity" and first["routes"] == ["hot"], first

        state = {one["name"]: one for one in json.loads(server.cli("hub", "routes", "home", "--format", "json"))["value"]}
        assert state["alarms"]["healthy"] and state["archive"]["type"] == "file", state
        assert "hot" in server.cli("hub", "routes", "home")
        server.cli("hub", "update", "home", "--route", "hot=none", "--endpoint", "alarms=none")
        eventually(lambda: len(json.loads(server.cli("hub", "routes", "home", "--format", "json"))["value"]) == 1, lambda: "alarms is still there")


if __name__ == "__main__":
    main(acknowledged_messages_arrive_wherever_routes_lead)

#!/usr/bin/python3
"""What agents of earlier states said to their hub, word for word, said again to this server by a client that we did not write: all of it
is taken, as it was then. tests/golden/agent-wire/README.md says how the sessions were recorded."""

import collections
import json
import time

import paho.mqtt.client as mqtt

from agent_harness import OBJECT, request
from harness import PATIENCE, TOP, Server, main

SESSIONS = TOP / "tests" / "golden" / "agent-wire"
TWIN = "/api/v1/hubs/home/devices/here/modules/azureiotsecurity/twin"


class Session:
    """The recorded packets on a connection of their own; `heard`: what came, as (topic, payload)."""

    def __init__(self, server, recorded):
        self.packets = list(recorded["packets"])
        connect = self.packets.pop(0)["connect"]
        credentials = server.make_device("here")
        assert connect["clientId"] == credentials.client_id and connect["cleanSession"], connect
        self.codes, self.granted, self.acknowledged, self.heard = [], [], set(), []
        self.client = mqtt.Client(connect["clientId"], clean_session=True, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(connect["userName"].replace("{host}", credentials.host.split(":")[0]), credentials.token())
        self.client.tls_set(ca_certs=str(server.data / "ca" / "ca.pem"))
        self.client.on_connect = lambda _c, _u, _f, code: self.codes.append(code)
        self.client.on_subscribe = lambda _c, _u, _m, granted: self.granted.append(granted)
        self.client.on_publish = lambda _c, _u, number: self.acknowledged.add(number)
        self.client.on_message = lambda _c, _u, message: self.heard.append((message.topic, json.loads(message.payload or b"null")))
        self.client.connect("127.0.0.1", server.profile["hubPort"], keepalive=connect["keepAlive"])
        self.client.loop_start()
        self.until("a CONNACK", lambda: self.codes)
        assert self.codes == [0], self.codes

    def until(self, what, probe, seconds=20):
        deadline = time.monotonic() + seconds * PATIENCE
        while not (value := probe()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; heard {self.heard}"
            time.sleep(0.02)
        return value

    def answer(self, topic):
        """What the twin's service says to a request: its status and body."""
        query = topic.rsplit("?", 1)[1]

        def found():
            return [(int(at.split("/")[3]), body) for at, body in self.heard
                    if at.startswith("$iothub/twin/res/") and at.rsplit("?", 1)[1].split("&")[0] == query]
        return self.until(f"an answer to {topic}", found)[0]

    def say_all(self):
        for packet in self.packets:
            if "subscribe" in packet:
                before = len(self.granted)
                self.client.subscribe([tuple(one) for one in packet["subscribe"]])
                granted = self.until("a SUBACK", lambda: self.granted[before:])[0]
                assert list(granted) == [qos for _, qos in packet["subscribe"]], (packet, granted)
                continue
            publish = packet["publish"]
            payload = None if publish["payload"] is None else json.dumps(publish["payload"])
            number = self.client.publish(publish["topic"], payload, qos=publish["qos"]).mid
            if publish["qos"]:
                self.until(f"a PUBACK for {publish['topic']}", lambda: number in self.acknowledged)
            elif publish["topic"].startswith("$iothub/twin/GET/"):
                status, body = self.answer(publish["topic"])
                assert status == 200 and isinstance(body["desired"][OBJECT], dict) and body["desired"]["$version"] >= 1, (status, body)
                assert all(set(one) == {"value"} for one in body["desired"][OBJECT].values()), body
            else:
                status, body = self.answer(publish["topic"])
                assert status == 204, (status, body)


def sessions_of_earlier_agents_are_taken():
    for path in sorted(SESSIONS.glob("*.json")):
        recorded = json.loads(path.read_text())
        events = [event for packet in recorded["packets"] if "publish" in packet and packet["publish"]["qos"]
                  for event in packet["publish"]["payload"]["Events"]]
        with Server() as server:
            session = Session(server, recorded)
            session.say_all()
            # Every payload is a row of its kind.
            wanted = collections.Counter()
            for event in events:
                wanted[event["Name"]] += len(event["Payload"])
            wanted = {name: count for name, count in wanted.items() if count}
            count = "SecurityIoTRawEvent | where DeviceId == 'here' and EventDetails != '' and EventDetails != '{}' | summarize count() by RawEventName"
            rows = server.wait_for(count, lambda rows: {name: number for name, number in rows if name in wanted} == wanted, 40)
            assert {name for name, _ in rows} >= set(wanted), (path.name, rows)

            # What it reported stands; what is asked of it now is told in the form that it knows.
            reported = request(server, "GET", TWIN)["properties"]["reported"][OBJECT]
            assert reported["agentVersion"] == {"value": "0.1.0"}, reported
            request(server, "PATCH", TWIN, {"properties": {"desired": {OBJECT: {"snapshotFrequency": {"value": "PT1H"}}}}})
            change = session.until("the change", lambda: [body for at, body in session.heard if at.startswith("$iothub/twin/PATCH/properties/desired/")])[0]
            assert change[OBJECT] == {"snapshotFrequency": {"value": "PT1H"}} and change["$version"] > 1, change
            shown = json.loads(server.cli("device", "show", "here", "--hub", "home", "--format", "json"))
            assert shown["agentState"] == "Reporting" and shown["integrity"]["spoolBreaks"] == 0, shown
            session.client.disconnect()
            session.client.loop_stop()
        print(f"        {path.stem}: {len(recorded['packets'])} packets, {len(events)} events", flush=True)


if __name__ == "__main__":
    main(sessions_of_earlier_agents_are_taken)

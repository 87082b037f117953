"""Builds recorded input (docs/formats/recorded-input.md) for the golden cases of detection: messages of both agent
generations, operations, registry changes. Times are seconds after a fixed start; ids are named after what they are."""
import datetime, json, uuid

START = datetime.datetime(2026, 3, 2, 8, 0, 0, tzinfo=datetime.timezone.utc)
HUB = "plant"
HOUR, DAY = 3600, 86400
AGENT = "6f6b7d5e-3c5f-4d0e-9f66-0d4f6d1f0a01"


def stamp(second, digits=3):
    return (START + datetime.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S") + "." + "0" * digits + "Z"


class Log:
    """Records in the order of their receipt, whatever the order they are given in."""

    def __init__(self, name):
        self.name, self.rows, self.number = name, [], 0

    def record(self, kind, received, body, device=None, module=None):
        row = {"time": stamp(received), "hub": HUB, "kind": kind}
        if device is not None:
            row |= {"device": device, "module": module}
        self.rows.append((received, len(self.rows), row | {"body": body}))
        return self

    def event(self, name, payload, second, *, category="Triggered", kind="Security", version="1.0", empty=False, event_id=None):
        self.number += 1
        event_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{self.number}"))
        payload = payload if isinstance(payload, list) else [payload]
        return {"Id": event_id, "TimestampLocal": stamp(second), "TimestampUTC": stamp(second), "Category": category,
                "Name": name, "EventType": kind, "IsEmpty": empty, "PayloadSchemaVersion": version, "Payload": payload}

    def message(self, device, received, *events, module="azureiotsecurity", agent_version="1.0.0"):
        body = {"AgentVersion": agent_version, "AgentId": AGENT, "MessageSchemaVersion": "1.0", "Events": list(events)}
        return self.record("security-message", received, body, device, module)

    def send(self, device, name, payload, second=0, *, delay=1, module="azureiotsecurity", **more):
        return self.message(device, second + delay, self.event(name, payload, second, **more), module=module)

    def snapshot(self, device, name, rows, second=0, **more):
        return self.send(device, name, rows, second, category="Periodic", empty=not rows, **more)

    def operation(self, device, second, *, name="deviceConnect", category="Connections", result="", description="", module=None,
                  delay=0, **properties):
        properties = {"deviceId": device, "protocol": "Mqtt", "maskedIpAddress": "203.0.113.XXX",
                      "authType": json.dumps({"scope": "device", "type": "sas", "issuer": "iothub"})} | properties
        if result:
            properties["statusCode"] = result
        body = {"time": stamp(second), "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/PLANT",
                "operationName": name, "category": category, "level": "Error" if result else "Information",
                "resultType": result, "resultDescription": description, "durationMs": "3",
                "properties": json.dumps(properties), "location": "here"}
        return self.record("operation", second + delay, body, device, module)

    def control(self, second, operation, result, *, correlation, resource="certificates/root", delay=0, **more):
        body = {"time": stamp(second), "operationName": operation, "category": "Administrative", "resultType": result,
                "caller": "ops@example.com", "callerIpAddress": "192.0.2.20", "correlationId": correlation,
                "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/plant/" + resource,
                "properties": json.dumps(more.pop("properties", {}))} | more
        return self.record("control-plane", second + delay, body)

    def identity(self, device, second=0, *, module=None, change="create", keys=None, thumbprints=None, **fields):
        authentication = {"type": "sas"}
        if keys:
            authentication["symmetricKey"] = dict(zip(("primaryKey", "secondaryKey"), keys))
        if thumbprints:
            authentication = {"type": "selfSigned",
                              "x509Thumbprint": dict(zip(("primaryThumbprint", "secondaryThumbprint"), thumbprints))}
        identity = {"deviceId": device, "status": "enabled", "authentication": authentication,
                    "capabilities": {"iotEdge": False}} | fields
        if module:
            identity["moduleId"] = module
        return self.record("identity", second, {"change": change, "identity": identity}, device, module)

    def twin(self, device, second, section, document, module=None):
        return self.record("twin", second, {"section": section, "document": document, "version": 2}, device, module)

    def hub(self, second=0, **configuration):
        return self.record("hub-configuration", second, configuration)

    def text(self):
        return "".join(json.dumps(row) + "\n" for _, _, row in sorted(self.rows, key=lambda entry: entry[:2]))


def process(line, *, user_id="1000", user=None, executable=None, pid=4711, parent=1, **extra):
    payload = {"Executable": executable or "/bin/sh", "ProcessId": pid, "ParentProcessId": parent, "UserId": user_id,
               "CommandLine": line}
    if user:
        payload["UserName"] = user
    if extra:
        payload["ExtraDetails"] = {key: str(value) for key, value in extra.items()}
    return payload


def aggregate(payload, count, start, end):
    """As the STRICT form of spec section 6 wants it."""
    window = {"HitCount": str(count), "StartTimeUtc": stamp(start), "EndTimeUtc": stamp(end),
              "StartTimeLocal": stamp(start), "EndTimeLocal": stamp(end)}
    return payload | {"ProcessId": 0, "ParentProcessId": 0, "ExtraDetails": payload.get("ExtraDetails", {}) | window}


def micro_process(line, *, user_id="1000", executable="/bin/sh", hits=1, second=0):
    return {"Timestamp": stamp(second), "ProcessId": 4711, "ParentProcessId": 1, "Commandline": line, "Executable": executable,
            "UserId": user_id, "EventType": "EXEC", "HitCount": hits}


def login(result, address=None, user="root", pid=500):
    payload = {"ProcessId": pid, "UserName": user, "Operation": "PAM:authentication", "Executable": "/usr/sbin/sshd", "Result": result}
    if address:
        payload |= {"RemoteAddress": address, "RemotePort": "40022", "LocalPort": "22"}
    return payload

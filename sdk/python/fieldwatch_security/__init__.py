"""Security messages of an application: build, check, mark, send. Standard library only.

    message = Message("my-app 1.2")
    message.add("Custom", Name="door-opened", ExtraDetails={"door": "3"})

With a vendor's device client that the application already has, mark its message and send as always:

    sent = azure.iot.device.Message(message.body()); sent.set_as_security_message()

Without one, `Sender` speaks MQTT 3.1.1 over TLS with a connection string."""

import json
import pathlib
import re
import uuid
from datetime import datetime, timezone

from .sender import Refused, Sender

__all__ = ["Message", "Problem", "Refused", "Sender", "billing_units", "is_security_topic", "mark_topic", "mark_property", "validate"]

INTERFACE_ID = "urn:azureiot:Security:SecurityAgent:1"
MESSAGE_BYTES_MAX = 262144
_KINDS = {(kind["name"], kind["version"]): kind
          for kind in json.loads((pathlib.Path(__file__).parent / "kinds.json").read_text())["kinds"]}
_BY_NAME = {name: kind for (name, _), kind in _KINDS.items()}
_LIST_MAX = 4096  # of events in a message, and of payloads in an event: the hub's bounds
_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))", re.ASCII)


class Problem(ValueError):
    """An event that does not follow the schema. `problems`: (JSON pointer, sentence) of each."""

    def __init__(self, problems):
        super().__init__("; ".join(f"{pointer}: {text}" for pointer, text in problems))
        self.problems = problems


def mark_property(protocol="mqtt"):
    """Name and value of the property that makes a message a security message: mqtt, amqp or http."""
    if protocol == "mqtt":
        return "%24.ifid", "urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1"
    return "iothub-interface-id", INTERFACE_ID


def mark_topic(topic):
    """The telemetry topic with the mark in its property bag; the same when it is there already."""
    if is_security_topic(topic):
        return topic
    return topic + ("" if topic.endswith(("/", "&")) else "&") + "=".join(mark_property())


def is_security_topic(topic):
    from urllib.parse import unquote
    bag = topic.rsplit("/", 1)[-1]
    return any((unquote(name), unquote(value)) == ("$.ifid", INTERFACE_ID)
               for name, _, value in (pair.partition("=") for pair in bag.split("&")))


def billing_units(size):
    return max(1, -(-size // 4096))


def _is_ip(text):
    import ipaddress
    try:
        ipaddress.ip_address(text)
        return "%" not in text
    except ValueError:
        return False


def _is_time(text):
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return False
    *moment, second, zone_hours, zone_minutes = (int(part or 0) for part in found.groups())
    try:
        datetime(*moment)
    except ValueError:
        return False
    return second <= 60 and zone_hours <= 14 and zone_minutes <= 59


def _check_value(field, value):
    kind = field["type"]
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) and -2 ** 63 <= value < 2 ** 63
    if kind == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    return _is_ip(value) if kind == "ip" else value in field["choices"] if kind == "choice" else True


def _check_payload(kind, payload, at):
    if not isinstance(payload, dict):
        return [(at, "must be an object")]
    fields = {field["name"]: field for field in kind["fields"]}
    out = [(f"{at}/{name}", "is required") for name, field in fields.items() if field["required"] and name not in payload]
    for name, value in payload.items():
        if name == "ExtraDetails":
            if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
                out.append((f"{at}/ExtraDetails", "must hold texts only"))
        elif name not in fields:
            out.append((f"{at}/{name}", "is no field of this kind"))
        elif not _check_value(fields[name], value):
            out.append((f"{at}/{name}", "must be " + ("one of " + ", ".join(fields[name]["choices"]) if "choices" in fields[name]
                                                     else "an IPv4 or IPv6 address" if fields[name]["type"] == "ip" else "a " + fields[name]["type"])))
    if kind["name"] == "Login" and not {"UserId", "UserName"} & set(payload):
        out.append((at, "needs UserId or UserName"))
    return out


def _check_event(event, at):
    if not isinstance(event, dict):
        return [(at, "must be an object")]
    out = []
    name, version = event.get("Name"), event.get("PayloadSchemaVersion")
    kind = _KINDS.get((name, version)) if isinstance(name, str) and isinstance(version, str) else None
    if kind is None:
        return [(f"{at}/Name", "no such kind in this payload schema version")]
    members = {"Id", "TimestampLocal", "TimestampUTC", "Category", "Name", "EventType", "IsEmpty", "PayloadSchemaVersion", "Payload"}
    out += [(f"{at}/{name}", "is required") for name in sorted(members - set(event))]
    out += [(f"{at}/{name}", "is not allowed") for name in sorted(set(event) - members)]
    if not isinstance(event.get("Id"), str) or len(event["Id"]) != 36:
        out.append((f"{at}/Id", "must have 36 characters"))
    for name in ("TimestampLocal", "TimestampUTC"):
        if not _is_time(event.get(name)):
            out.append((f"{at}/{name}", "must be an RFC 3339 time"))
    for name, key in (("Category", "category"), ("EventType", "eventType")):
        if event.get(name) != kind[key]:
            out.append((f"{at}/{name}", f"must be {kind[key]}"))
    payloads = event.get("Payload")
    if not isinstance(payloads, list) or not isinstance(event.get("IsEmpty"), bool):
        return out + [(f"{at}/Payload", "must be a list, and IsEmpty a boolean")]
    if event["IsEmpty"] != (not payloads) or (event["IsEmpty"] and kind["category"] != "Periodic") or (payloads and not kind["fields"]):
        out.append((f"{at}/IsEmpty", "does not agree with Payload"))
    if len(payloads) > _LIST_MAX:
        out.append((f"{at}/Payload", f"must hold at most {_LIST_MAX}"))
    for index, payload in enumerate(payloads):
        out += _check_payload(kind, payload, f"{at}/Payload/{index}")
    return out


def _no_json(word):
    raise ValueError(word)  # NaN and the like, which Python reads and JSON does not have


def validate(body):
    """All problems of a message body (bytes or text) as (JSON pointer, sentence); [] = it follows the schema (STRICT, or 2.0)."""
    try:
        raw = body.encode("utf-8") if isinstance(body, str) else bytes(body)
        if len(raw) > MESSAGE_BYTES_MAX:
            return [("", "over 262144 bytes")]
        root = json.loads(raw.decode("utf-8"), parse_constant=_no_json)
    except (ValueError, RecursionError):
        return [("", "no JSON in UTF-8")]
    if not isinstance(root, dict):
        return [("", "must be an object")]
    members = {"AgentVersion", "AgentId", "MessageSchemaVersion", "Events"}
    out = [(f"/{name}", "is required") for name in sorted(members - set(root))]
    out += [(f"/{name}", "is not allowed") for name in sorted(set(root) - members)]
    if root.get("MessageSchemaVersion") != "1.0":
        out.append(("/MessageSchemaVersion", "must be 1.0"))
    if not isinstance(root.get("AgentVersion"), str):
        out.append(("/AgentVersion", "must be a text"))
    if not isinstance(root.get("AgentId"), str) or len(root["AgentId"]) != 36:
        out.append(("/AgentId", "must have 36 characters"))
    if not isinstance(root.get("Events"), list) or not root["Events"]:
        return out + [("/Events", "must be a list that is not empty")]
    if len(root["Events"]) > _LIST_MAX:
        out.append(("/Events", f"must hold at most {_LIST_MAX}"))
    for index, event in enumerate(root["Events"]):
        out += _check_event(event, f"/Events/{index}")
    return out


class Message:
    """One message of checked events. Not shared between threads."""

    def __init__(self, agent_version, agent_id=None):
        self.agent_version = agent_version
        self.agent_id = agent_id or str(uuid.uuid4())
        self.events = []

    def add(self, name, payloads=None, *, time=None, **fields):
        """One event of kind `name`: the payload as keywords, or a list of them. Raises Problem."""
        kind = _BY_NAME.get(name)
        if kind is None:
            raise Problem([("/Name", f"no such kind: {name}")])
        # "Custom" and "SBoM" have a field Name: `name` is positional, fields are keywords.
        payloads = payloads if payloads is not None else [fields] if fields else []
        time = time or datetime.now(timezone.utc)
        stamp = time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {"Id": str(uuid.uuid4()), "TimestampLocal": time.astimezone().isoformat(timespec="milliseconds"), "TimestampUTC": stamp,
                 "Category": kind["category"], "Name": name, "EventType": kind["eventType"], "IsEmpty": not payloads,
                 "PayloadSchemaVersion": kind["version"], "Payload": payloads}
        problems = _check_event(event, "")
        if problems:
            raise Problem(problems)
        self.events.append(event)
        return event["Id"]

    def body(self):
        """UTF-8 JSON. Raises Problem when empty or over the hub's bound."""
        out = json.dumps({"AgentVersion": self.agent_version, "AgentId": self.agent_id, "MessageSchemaVersion": "1.0", "Events": self.events},
                         ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if not self.events or len(out) > MESSAGE_BYTES_MAX:
            raise Problem([("/Events", "a message holds at least one event and at most 262144 bytes")])
        return out

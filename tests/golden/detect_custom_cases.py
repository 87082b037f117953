"""The golden cases of custom rules: the customer's own ranges and lists. Part of detect_cases.py. The group of all devices allows
three in a quarter of an hour and asks for none; the group `watched` asks for two. Its devices are there for one window only."""
from detect_input import *

LATE = 72 * HOUR
QUARTER = 900


def connection(number=0, address="203.0.113.66", direction="Out"):
    return {"RemoteAddress": address, "RemotePort": str(8000 + number), "LocalPort": "40000", "Direction": direction, "Protocol": "tcp",
            "ProcessId": 8, "UserId": "0", "Executable": "/usr/bin/app"}


def counted_once(payload, count, start, end):
    """As an agent sums up what is no process."""
    window = {"HitCount": str(count), "StartTimeUtc": stamp(start), "EndTimeUtc": stamp(end)}
    return payload | {"ProcessId": 0, "ExtraDetails": window}


class Agent:
    """What an agent says, once an event; and the same as an aggregate."""

    def __init__(self, name, payload):
        self.name, self.payload = name, payload

    def put(self, log, device, second, number=0, delays=(1,)):
        once = log.event(self.name, self.payload(number), second)
        for delay in delays:
            log.message(device, second + delay, once)

    def put_many(self, log, device, count, start, end):
        log.send(device, self.name, counted_once(self.payload(0), count, start, end), end + 1)


class Hub:
    """What the hub did, once an operation; several messages in one where `batched` says so."""

    def __init__(self, operation, batched=False, **more):
        self.operation, self.batched, self.more = operation, batched, more

    def put(self, log, device, second, number=0, delays=(1,), **more):
        more = self.more | {"messageId": f"{device}-{second}-{number}"} | more
        for delay in delays:
            log.operation(device, second, name=self.operation, delay=delay, **more)

    def put_many(self, log, device, count, start, end):
        if self.batched:
            self.put(log, device, start, messageCount=str(count))


def messages(operation, category, protocol):
    return Hub(operation, True, category=category, protocol=protocol)


def rules():
    """Type of the rule: what it counts, and what lies beside that and does not count."""
    yield "C01", "ActiveConnectionsNotInAllowedRange", Agent("ConnectionCreate", connection), Agent(
        "ProcessCreate", lambda number: process(f"ls {number}"))
    near = {"Amqp": "Mqtt", "Mqtt": "Https", "Https": "Amqp"}
    for base, title, operation, category in ((2, "C2DMessages", "deliver", "C2DCommands"), (5, "C2DRejectedMessages", "reject", "C2DCommands"),
                                             (8, "D2CMessages", "ingress", "DeviceTelemetry")):
        for offset, protocol in enumerate(("Amqp", "Mqtt", "Https")):
            yield (f"C{base + offset:02}", protocol.replace("Https", "Http") + title + "NotInAllowedRange",
                   messages(operation, category, protocol), messages(operation, category, near[protocol]))
    yield "C11", "DirectMethodInvokesNotInAllowedRange", Hub("send", category="DirectMethods"), Hub("read", category="C2DTwinOperations")
    yield "C12", "FailedLocalLoginsNotInAllowedRange", Agent("Login", lambda number: login("Fail", pid=500 + number)), Agent(
        "Login", lambda number: login("Fail", "203.0.113.5", pid=500 + number))
    yield "C13", "FileUploadsNotInAllowedRange", Hub("complete", category="FileUploadOperations"), Hub("request", category="FileUploadOperations")
    yield "C14", "QueuePurgesNotInAllowedRange", Hub("purge", category="C2DCommands"), Hub("complete", category="C2DCommands")
    yield "C15", "TwinUpdatesNotInAllowedRange", Hub("update", category="C2DTwinOperations"), Hub("read", category="C2DTwinOperations")
    yield "C16", "UnauthorizedOperationsNotInAllowedRange", Hub("ingress", category="DeviceTelemetry", result="401002"), Hub(
        "ingress", category="DeviceTelemetry", result="403002")


def window_cases(log, counted, beside):
    four = lambda device, start=0, **more: [counted.put(log, device, start + 20 * i, i, **more) for i in range(4)]
    log.identity("positive")
    four("positive")
    for i in range(6):
        beside.put(log, "negative-beside", 20 * i, i)
    for i in range(3):
        counted.put(log, "boundary-out-three", 20 * i, i)
        counted.put(log, "boundary-out-next-window", 840 + 20 * i, i)
        counted.put(log, "boundary-out-duplicate", 20 * i, i, delays=(1, 9))
        counted.put(log, "boundary-in-end", 20 * i, i)
    counted.put(log, "boundary-out-next-window", QUARTER, 3)
    counted.put(log, "boundary-in-end", QUARTER - 1, 3)
    for start in (0, QUARTER):  # one alert a window
        four("positive-two-windows", start)
    if isinstance(counted, Agent):  # what the hub did is never late: it says so itself
        four("late", delays=(LATE + 1,))
    four("duplicate", delays=(1, 9))
    four("replayed", delays=(1, DAY))
    if isinstance(counted, Agent) or counted.batched:
        counted.put_many(log, "aggregated-6", 6, 0, 600)
        counted.put_many(log, "boundary-out-many", 3, 0, 600)
    if isinstance(counted, Agent):  # half of them in each window
        counted.put_many(log, "boundary-out-spread", 6, QUARTER - 300, QUARTER + 300)


def low_cases(log, counted):
    for device, count, since in (("positive-low", 1, 0), ("positive-low-silent", 0, 0), ("boundary-out-low", 2, 0), ("boundary-out-low-new", 0, 1)):
        log.identity(device, since).twin(device, since, "tags", {"SecurityGroup": "watched"})
        for i in range(count):
            counted.put(log, device, 10 + 20 * i, i)
        log.identity(device, QUARTER, change="update", status="disabled")


def lists(write):
    def settings(kind, *values):
        return {"securityGroups": [{"name": "default", "properties": {"allowlistRules": [
            {"ruleType": kind, "isEnabled": True, "allowlistValues": list(values)}]}}]}

    def cases(log, name, alerting, positives, negatives, at_edge):
        from detect_cases import life
        life(log, name, alerting)
        for case, payload in positives.items():
            log.send(f"positive{case}", name, payload)
        for case, payload in negatives.items():
            log.send(f"negative-{case}", name, payload)
        for case, payload in at_edge.items():
            log.send(f"boundary-{case}", name, payload)
        log.send("aggregated-40", name, (aggregate if name == "ProcessCreate" else counted_once)(alerting, 40, 0, 600), 601)
        log.send("aggregated-2-repeated", name, alerting, 10).send("aggregated-2-repeated", name, alerting, 70)

    to = lambda address, direction="Out": connection(0, address, direction)
    log = Log("C17")
    cases(log, "ConnectionCreate", to("203.0.113.66"), {"": to("203.0.113.66"), "-six": to("2001:db8:2::1")},
          {"allowed": to("10.20.0.9"), "six": to("fd00:5::9"), "host-bits": to("192.200.1.1"), "incoming": to("203.0.113.66", "In"),
           "loopback": to("127.0.0.1"), "link-local": to("169.254.1.1")},
          {"in-below": to("10.19.255.255"), "in-above": to("10.21.0.0"), "out-first": to("10.20.0.0"), "out-last": to("10.20.255.255"),
           "in-one": to("198.51.100.8"), "out-one": to("198.51.100.7")})
    write("C17_IoT_CA_ConnectionToIpNotAllowed", log, settings=settings("ConnectionToIpNotAllowed", "10.20.0.0/16", "fd00:5::/64", "192.168.0.1/8", "198.51.100.7"))

    by = lambda user, result="Success", pid=500: login(result, "203.0.113.5", user, pid)
    log = Log("C18")
    cases(log, "Login", by("mallory"), {"": by("mallory"), "-root": by("root")}, {"allowed": by("operator"), "failed": by("mallory", "Fail")},
          {"in-letter-case": by("Operator"), "in-part": by("operator2"), "out-other": by("service")})
    write("C18_IoT_CA_LocalUserNotAllowed", log, settings=settings("LocalUserNotAllowed", "operator", "service"))

    run = lambda path: process(path.rsplit("/", 1)[-1], executable=path)
    log = Log("C19")
    cases(log, "ProcessCreate", run("/tmp/kworker"), {"": run("/tmp/kworker"), "-path": run("/opt/tool")},
          {"name": run("/usr/bin/node"), "anywhere": run("/opt/bin/node"), "path": run("/usr/sbin/tool"), "pattern": run("/opt/vendor/any")},
          {"in-letter-case": run("/usr/bin/Node"), "in-longer": run("/usr/bin/nodejs"), "in-pattern": run("/opt/vendors/any"), "out-pattern": run("/opt/vendor/a/b")})
    write("C19_IoT_CA_ProcessNotAllowed", log, settings=settings("ProcessNotAllowed", "node", "/usr/sbin/tool", "/opt/vendor/*"))


def custom(write):
    for number, kind, counted, beside in rules():
        rule = lambda least, most: {"properties": {"timeWindowRules": [
            {"ruleType": kind, "isEnabled": True, "minThreshold": least, "maxThreshold": most, "timeWindowSize": "PT15M"}]}}
        log = Log(number)
        window_cases(log, counted, beside)
        low_cases(log, counted)
        write(f"{number}_IoT_CA_{kind}", log, settings={"securityGroups": [{"name": "default"} | rule(0, 3), {"name": "watched"} | rule(2, 9)]})
    lists(write)

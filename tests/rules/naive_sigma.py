#!/usr/bin/python3
"""A second, deliberately naive reading of Sigma: every rule against every event, one value at a time, no index, no
shared code. Its verdicts must be the engine's, over the public Linux rules and recorded commands where the shared data
lies, and over random rules and events. usage: naive_sigma.py FIELDWATCH"""

import base64, fnmatch, functools, ipaddress, json, lzma, os, pathlib, random, re, subprocess, sys, tarfile, tempfile

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("FIELDWATCH_SHARED", TOP.parent / "shared")) / "data"


compiled = functools.lru_cache(maxsize=None)(re.compile)


@functools.lru_cache(maxsize=None)
def wildcard(text):
    """A Sigma string as a regular expression: `*`, `?`, and `\\` in front of either or of itself."""
    out, i = "", 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text) and text[i + 1] in "*?\\":
            i += 1
            out += re.escape(text[i])
        else:
            out += ".*" if c == "*" else "." if c == "?" else re.escape(c)
        i += 1
    return out


def one(value, wanted, mods, event):
    """Whether one value of the event (None: null or not there) is what one value of the rule asks for."""
    if "exists" in mods:
        raise AssertionError("decided by the caller")
    if wanted is None:
        return value is None
    if value is None:
        return False
    wanted = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    if "fieldref" in mods:
        wanted = event.get(wanted)
        if wanted is None:
            return False
        a, b = (value, wanted) if "cased" in mods else (value.lower(), wanted.lower())
        return b in a if "contains" in mods else a.startswith(b) if "startswith" in mods else a.endswith(b) \
            if "endswith" in mods else a == b
    if "cidr" in mods:
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return False
    for name, holds in (("lt", lambda a, b: a < b), ("lte", lambda a, b: a <= b), ("gt", lambda a, b: a > b),
                        ("gte", lambda a, b: a >= b)):
        if name in mods:
            try:
                return holds(float(value), float(wanted))
            except ValueError:
                return False
    if "re" in mods:
        flags = (re.I if "i" in mods else 0) | (re.M if "m" in mods else 0) | (re.S if "s" in mods else 0)
        return compiled(wanted, flags).search(value) is not None
    if "base64" in mods:
        wanted = base64.b64encode(wanted.encode()).decode()
    pattern = wildcard(wanted)
    if "contains" in mods or "endswith" in mods:
        pattern = ".*" + pattern
    if "contains" in mods or "startswith" in mods:
        pattern += ".*"
    return compiled(pattern, re.S | (0 if "cased" in mods else re.I)).fullmatch(value) is not None


def item(key, wanted, event):
    field, *mods = key.split("|")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if field == "":
        mods = mods if "re" in mods else mods + ["contains"]
        tests = [any(one(value, w, mods, event) for value in event.values() if value is not None) for w in wanted]
    elif "exists" in mods:
        tests = [(field in event) == w for w in wanted]
    else:
        tests = [one(event.get(field), w, mods, event) for w in wanted]
    result = all(tests) if "all" in mods else any(tests)
    return not result if "neq" in mods else result


def search(node, event):
    if isinstance(node, dict):
        return all(item(key, value, event) for key, value in node.items())
    if isinstance(node, list) and any(isinstance(n, dict) for n in node):
        return any(search(n, event) for n in node)
    return item("", node, event)


def condition(text, detection, event):
    tokens = re.findall(r"\(|\)|[^\s()]+", text)
    names = [n for n in detection if n != "condition"]

    def expression(level):
        if level == 2:
            token = tokens.pop(0)
            if token.lower() == "not":
                return not expression(2)
            if token == "(":
                value = expression(0)
                tokens.pop(0)
                return value
            if tokens and tokens[0].lower() == "of":
                tokens.pop(0)
                pattern = tokens.pop(0)
                chosen = [n for n in names if (not n.startswith("_") if pattern.lower() == "them"
                                               else fnmatch.fnmatchcase(n, pattern))]
                held = sum(search(detection[n], event) for n in chosen)
                least = {"all": len(chosen), "any": 1}.get(token.lower()) or int(token)
                return held >= least
            return search(detection[token], event)
        word = ("or", "and")[level]
        value = expression(level + 1)
        while tokens and tokens[0].lower() == word:
            tokens.pop(0)
            other = expression(level + 1)
            value = (value or other) if level == 0 else (value and other)
        return value

    return expression(0)


LOGS = {"auth": {"sshd", "sudo", "auth", "vsftpd"},
        "syslog": {"sshd", "sudo", "auth", "vsftpd", "cron", "clamav", "guacamole"}}


def admits(source, has):
    for part in ("product", "category", "service"):
        wanted = source.get(part)
        if wanted and wanted != has.get(part) and not (part == "service" and has.get(part) in LOGS.get(wanted, ())):
            return False
    return True


def verdicts(rules, events):
    out = set()
    for number, record in enumerate(events, 1):
        for rule in rules:
            if not admits(rule["logsource"], record["logsource"]):
                continue
            texts = rule["detection"]["condition"]
            texts = texts if isinstance(texts, list) else [texts]
            if any(condition(text, rule["detection"], record["fields"]) for text in texts):
                out.add((rule["id"], number))
    return out


def engine(binary, folder, events):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(e) + "\n" for e in events))
        file.flush()
        done = subprocess.run([binary, "rules", "match", "--rules", folder, "--events", file.name],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"rules match failed: {done.stderr[:2000]}")
    return {(row["rule"], row["event"]) for row in map(json.loads, done.stdout.splitlines())}


def compare(what, binary, folder, rules, events):
    ours, theirs = verdicts(rules, events), engine(binary, folder, events)
    for rule, number in sorted(ours ^ theirs)[:10]:
        side = "naive only" if (rule, number) in ours else "engine only"
        print(f"{what}: {side}: rule {rule}, event {json.dumps(events[number - 1])[:400]}")
        print("  ", json.dumps(next(r for r in rules if r["id"] == rule)["detection"])[:600])
    print(f"{what}: {len(rules)} rules, {len(events)} events, {len(ours)} hits, {len(ours ^ theirs)} differ")
    return not ours ^ theirs


def text(rng):
    return "".join(rng.choice(["a", "B", "b", "A", "/", " ", "-", "*", ".", "é", "x"]) for _ in range(rng.randint(0, 6)))


def random_value(rng):
    value = text(rng)
    return value.replace("*", rng.choice(["*", "?", "\\*", "\\\\"]))


def random_item(rng):
    mods = rng.choice(["", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|neq", "|contains|cased",
                       "|gt", "|lte", "|exists", "|fieldref", "|fieldref|contains", "|re", "|re|i", "|base64|contains",
                       "null"])
    field = rng.choice("FGH")
    if mods == "null":
        return field, None
    if mods in ("|gt", "|lte"):
        return field + mods, rng.randint(-2, 5)
    if mods == "|exists":
        return field + mods, rng.random() < 0.5
    if mods.startswith("|fieldref"):
        return field + mods, rng.choice("FGH")
    if mods.startswith("|re"):
        return field + mods, rng.choice(["a+b", "^[ab/]*$", "x|B", "(a|b){2}", "\\.", "A.b", "-?a$"])
    if mods == "|base64|contains":
        return field + mods, rng.choice(["a", "ab", "abc"])
    values = [random_value(rng) for _ in range(rng.randint(1, 3))]
    return field + mods, values if len(values) > 1 else values[0]


def random_rules(rng, count):
    shapes = ["a", "a and b", "a or b", "a and not b", "not (a or b)", "1 of them", "all of them", "2 of *", "a and (b or c)",
              "not 1 of b*", "any of a*"]
    rules = []
    for number in range(count):
        searches = {name: rng.choice([dict(random_item(rng) for _ in range(rng.randint(1, 2))),
                                      [dict([random_item(rng)]), dict([random_item(rng)])], ["ab", "x*B"]])
                    for name in "abc"}
        rules.append({"title": f"r{number}", "id": f"r{number}", "logsource": {"product": "t"},
                      "detection": {**searches, "condition": rng.choice(shapes)}})
    return rules


def random_events(rng, count):
    def value():
        return rng.choice([text(rng), text(rng), str(rng.randint(-3, 6)), "", None,
                           base64.b64encode(text(rng).encode()).decode()])
    return [{"logsource": {"product": "t"}, "fields": {f: value() for f in "FGH" if rng.random() < 0.8}}
            for _ in range(count)]


def check_random(binary):
    good = True
    for seed in range(int(os.environ.get("SIGMA_ROUNDS", "4"))):
        rng = random.Random(seed)
        rules = random_rules(rng, 120)
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "r.yml").write_text(yaml.safe_dump_all(rules, allow_unicode=True))
            good = compare(f"random, seed {seed}", binary, folder, rules, random_events(rng, 300)) and good
    return good


def check_stock(binary):
    if not SHARED.exists():
        print(f"SKIPPED: no shared data at {SHARED}: the public rules were not compared")
        return True
    with tempfile.TemporaryDirectory() as folder:
        tarfile.open(SHARED / "rules" / "sigma_linux_8eaafff.tar.xz").extractall(folder)
        rules = [yaml.safe_load(p.read_text()) for p in sorted(pathlib.Path(folder).rglob("*.yml"))]
        events = []
        for name, key, step in (("honeypot_iot_2021", "cmd", 1), ("atomic_linux_dev", "command", 1), ("tldr_benign", "cmd", 40)):
            for line in list(lzma.open(SHARED / "cmd" / f"{name}.jsonl.xz", "rt"))[::step]:
                command = json.loads(line)[key]
                first = command.split()[0] if command.split() else "sh"
                events.append({"logsource": {"product": "linux", "category": "process_creation"},
                               "fields": {"CommandLine": command, "Image": "/usr/bin/" + first, "User": "root",
                                          "ParentImage": "/usr/sbin/nginx"}})
        for line in list(lzma.open(SHARED / "auth" / "sshd_auth_2017.log.xz", "rt", errors="replace"))[::40]:
            events.append({"logsource": {"product": "linux", "service": "sshd"}, "fields": {"message": line.rstrip("\n")}})
        return compare("public rules", binary, folder, rules, events)


if __name__ == "__main__":
    sys.exit(0 if check_random(sys.argv[1]) & check_stock(sys.argv[1]) else 1)

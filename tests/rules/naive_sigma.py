#!/usr/bin/python3
"""A second, deliberately naive reading of Sigma: every rule against every event, one value at a time, no index, no
shared code. Its verdicts must be the engine's, over the public Linux rules and recorded commands where the shared data
lies, and over random rules and events. usage: naive_sigma.py FIELDWATCH"""

import base64, datetime, fnmatch, functools, ipaddress, json, lzma, os, pathlib, random, re, subprocess, sys, tarfile, tempfile

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


def in_bytes(text):
    """A letter a byte: expressions count bytes."""
    return text.encode().decode("latin-1")


def part_of(value, part):
    """`hour` of a date as text; None where the text is none or says no hour."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d))?", value)
    if not found:
        return None
    year, month, day = map(int, found.groups()[:3])
    try:
        week = datetime.date(year, month, day).isocalendar()[1]
    except ValueError:
        return None
    clock = [None if g is None else int(g) for g in found.groups()[3:]]
    return {"year": year, "month": month, "day": day, "week": week, "hour": clock[0], "minute": clock[1]}[part]


DASHES = "-/\u2013\u2014\u2015"


def patterns(wanted, mods):
    """The expressions of which one must be found: all that dashes and encodings make of a value."""
    forms = [wanted]
    if "windash" in mods:
        places = [m.start() for m in re.finditer(rf"(?<![A-Za-z0-9_])[{DASHES}](?=[A-Za-z0-9_])", wanted)]
        for place in places:
            forms = [form[:place] + dash + form[place + 1:] for form in forms for dash in DASHES]
    coding = next((m for m in mods if m in ("wide", "utf16le", "utf16be", "utf16")), None)
    if not coding and "base64" not in mods and "base64offset" not in mods:
        return [wildcard(form) for form in forms]
    out = []
    for form in forms:
        plain = re.sub(r"\\([*?\\])", r"\1", form)
        code = {None: "utf-8", "wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16-le"}[coding]
        raw = (b"\xff\xfe" if coding == "utf16" else b"") + plain.encode(code)
        if "base64offset" in mods:
            # What stays the same whatever stands before and behind: tried out, not computed.
            for shift in range(3):
                low, high = (base64.b64encode(bytes([fill]) * shift + raw + bytes([fill]) * 3).decode() for fill in (0, 255))
                begin, end = (shift * 8 + 5) // 6, (shift + len(raw)) * 8 // 6
                assert low[begin:end] == high[begin:end]
                out += [re.escape(low[begin:end])] if begin < end else []
        elif "base64" in mods:
            out.append(re.escape(base64.b64encode(raw).decode()))
        else:
            out.append(re.escape(raw.decode("latin-1")))
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
    part = next((m for m in mods if m in ("minute", "hour", "day", "week", "month", "year")), None)
    if part:
        value = part_of(value, part)
        if value is None:
            return False
        mods = mods if {"lt", "lte", "gt", "gte"} & set(mods) else mods + ["lte", "gte"]
    compare = {"lt": lambda a, b: a < b, "lte": lambda a, b: a <= b, "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b}
    asked = [compare[m] for m in mods if m in compare]
    if asked:
        try:
            return all(holds(float(value), float(wanted)) for holds in asked)
        except ValueError:
            return False
    if "re" in mods:
        flags = (re.I if "i" in mods else 0) | (re.M if "m" in mods else 0) | (re.S if "s" in mods else 0)
        if "m" in mods and wanted.startswith("^"):  # PCRE: no line begins behind the last line feed
            wanted = r"(?:\A|^(?!\Z))" + wanted[1:]
        return compiled(in_bytes(wanted), flags | re.A).search(in_bytes(value)) is not None
    before = ".*" if "contains" in mods or "endswith" in mods else ""
    after = ".*" if "contains" in mods or "startswith" in mods else ""
    return any(compiled(before + pattern + after, re.S | (0 if "cased" in mods else re.I)).fullmatch(value)
               for pattern in patterns(wanted, mods))


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
                       "|gt", "|lte", "|exists", "|fieldref", "|fieldref|contains", "|re", "|re|i", "|re|s", "|re|m",
                       "|base64|contains", "|base64offset|contains", "|wide|base64offset|contains", "|utf16|base64",
                       "|windash|contains", "|windash", "|cidr", "|hour", "|day|gte", "|week", "|minute|lt", "null"])
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
        return field + mods, rng.choice(["a+b", "^[ab/]*$", "x|B", "(a|b){2}", "\\.", "A.b", "-?a$", "^b", "a.*x"])
    if "base64" in mods:
        return field + mods, rng.choice(["a", "ab", "abc"])
    if mods == "|cidr":
        return field + mods, rng.choice(["10.0.0.0/8", "10.1.0.0/30", "2001:db8::/32", "0.0.0.0/0"])
    if mods[1:].split("|")[0] in ("hour", "day", "week", "minute"):
        return field + mods, rng.randint(0, 12)
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
    def date():
        day = f"2026-{rng.randint(0, 13):02}-{rng.randint(0, 32):02}"
        return day + rng.choice(["", f"T{rng.randint(0, 12):02}:{rng.randint(0, 12):02}:00Z", " 5:00"])

    def hidden():
        raw = text(rng).encode() + rng.choice(["a", "abc"]).encode(rng.choice(["utf-8", "utf-16-le", "utf-16"]))
        return base64.b64encode(raw).decode()

    def value():
        return rng.choice([text(rng), text(rng), str(rng.randint(-3, 6)), "", None, date(), hidden(),
                           text(rng) + rng.choice(DASHES) + text(rng), text(rng) + "\n" + text(rng),
                           f"10.{rng.randint(0, 2)}.0.{rng.randint(0, 5)}", "2001:DB8::1", "1.2.3"])
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

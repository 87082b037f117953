#!/usr/bin/python3
"""Writes docs/coverage.md: every alert type, recommendation and custom rule of the catalogue, and our alerts of intelligence (X), what detects it, and its golden cases.
usage: detect_coverage.py [--check]: exit 1 when the file in the tree is another, or a type has no case."""
import collections, json, pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "tests" / "golden" / "detect"
PAGE = ROOT / "docs" / "coverage.md"
WANTED = [f"A{i:02}" for i in range(1, 50)] + [f"H{i:02}" for i in range(1, 11)] + [f"R{i:02}" for i in range(1, 24)] + [f"C{i:02}" for i in range(1, 20)] + ["X01"]
CASES = ("positive", "negative", "boundary", "late", "duplicate", "replayed", "aggregated", "resolved")
HEAD = """# Coverage of the catalogue

Made by `tests/golden/detect_coverage.py`; a test holds it to the files. Each row: what makes the finding, how many golden cases of each
sort there are, and the input files, beside which lies what must come of them (`NAME.expected.jsonl`). A case is one device, or one
hub's configuration, of an input; its name says what must come of it. "–": the sort does not apply (a state has no hit count), or
is a property of all events alike that other rows show. C: the customer's own rules, of which each file has ranges or a list of its own;
"late" is for what agents say, and what came in one message (HitCount) for what can. X: ours, beside the catalogue.
A35, silence: in recorded input others must have been heard at least once a day meanwhile; what the ticks of a running server show is in
`src/detect/presence_test.cpp`.

"""


def sources():
    """Alert type or recommendation to the files that make it."""
    out = collections.defaultdict(list)
    for path in sorted((ROOT / "rules").rglob("*.yml")):
        for found in re.findall(r"^  alert_type: (\S+)", path.read_text(), re.M):
            out[found].append(path)
    for path in sorted((ROOT / "src" / "detect").rglob("*.cpp")):
        if path.name.endswith("_test.cpp") or path.name in ("recommendation_types.cpp", "recommendation_book.cpp", "detector_alerts.cpp"):
            continue
        for found in set(re.findall(r'"((?:IoT|Hub)_[A-Za-z0-9_]+)"', path.read_text())):
            out[found].append(path)
    return out


def cases_of(name):
    text = (FOLDER / f"{name}.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    names = {row["device"] for row in rows if row.get("device")} | {row["body"]["correlationId"] for row in rows if row["kind"] == "control-plane"}
    part = name.split("_")[0][4:]
    if part.split("-")[0] in CASES:
        names = {part}
    return collections.Counter(case for entry in names for case in CASES if case in entry.split("-"))


def page():
    made, files = sources(), collections.defaultdict(list)
    for path in sorted(FOLDER.glob("[ACHRX][0-9][0-9]*_*.jsonl")):
        if not path.name.endswith(".expected.jsonl"):
            files[path.name[:3]].append(path.name.removesuffix(".jsonl"))
    out = [HEAD, "| | Type | Made by | " + " | ".join(CASES) + " | Inputs |\n", "|---|---|---|" + "---|" * len(CASES) + "---|\n"]
    missing = []
    for wanted in WANTED:
        names = files.get(wanted, [])
        if not names:
            missing.append(f"{wanted}: no case")
            continue
        kind = names[0].split("_", 1)[1]
        counts = sum((cases_of(name) for name in names), collections.Counter())
        if not made[kind]:
            missing.append(f"{wanted}: nothing makes {kind}")
        if not counts["negative"] or (not counts["positive"] and wanted != "A35"):
            missing.append(f"{wanted}: needs a positive and a negative case")
        link = lambda path: f"[{path.stem}](../{path.relative_to(ROOT)})"
        inputs = ", ".join(f"[{name.split('_')[0]}](../tests/golden/detect/{name}.jsonl)" for name in names)
        cells = " | ".join(str(counts[case] or "–") for case in CASES)
        out.append(f"| {wanted} | `{kind}` | {', '.join(link(p) for p in made[kind])} | {cells} | {inputs} |\n")
    return "".join(out), missing


text, missing = page()
print("\n".join(missing))
if "--check" in sys.argv:
    same = PAGE.exists() and PAGE.read_text() == text
    if not same:
        print("docs/coverage.md is not what detect_coverage.py writes")
    sys.exit(0 if same and not missing else 1)
PAGE.write_text(text)
sys.exit(1 if missing else 0)

#!/usr/bin/python3
"""Golden cases of detection: every NAME.jsonl of tests/golden/detect goes through what `fieldwatch detect` runs (with
NAME.settings.json, NAME.intel.csv and advisories where they are); what comes out of the catalogue must be NAME.expected.jsonl, and must be what the devices' names
promise. Adding a case: put the input there, run with --update, read the diff.
usage: detect_golden.py DETECT_EACH [--update] [NAME…]"""
import argparse, difflib, json, pathlib, re, shutil, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = HERE / "detect"
# Ours are told apart: rules and models beside the catalogue change by themselves.
FOREIGN = re.compile(r"^(Sigma_|IoT_X_|Custom|IoT_CA_)")
BESIDE = (".settings.json", ".intel.csv", ".osv.json", ".debian.json", ".csaf.json", ".kev.json")
DROPPED = ("Description", "SystemAlertId", "RecommendationId", "Techniques", "RemediationSteps")


def run_all(binary, paths):
    """Every input a log of its own, the rules compiled once: name to findings."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            for beside in [path, *(path.with_suffix(end) for end in BESIDE)]:
                if beside.exists():
                    shutil.copy(beside, folder)
        subprocess.run([binary, str(ROOT / "rules"), folder], check=True)
        return {path: [json.loads(line) for line in (pathlib.Path(folder) / path.name).with_suffix(".findings").read_text().splitlines()]
                for path in paths}


def kind_of(name):
    """The type a file is about; none for a scenario."""
    match = re.match(r"[ACHRX]\d\d[^_]*_(.+)$", name)
    return match[1] if match else None


def wanted(finding, kind):
    found = finding.get("AlertType") or finding.get("RecommendationName")
    if finding["kind"] == "dead-letter":
        return kind is None
    if kind is not None:
        return found == kind
    return finding["kind"] == "recommendation" or (not FOREIGN.match(found) and found != "IoT_DeviceOnboarded")


def reduced(finding, incidents=None):
    """Incidents are numbered where they are looked at; elsewhere alerts that are not shown would tell on themselves."""
    out = {key: value for key, value in finding.items() if key not in DROPPED}
    incident = out.get("ExtendedProperties", {}).pop("IncidentId", None)
    if incident and incidents is not None:
        out["Incident"] = incidents.setdefault(incident, len(incidents) + 1)
    if "Rule" in out:
        out["Rule"] = out["Rule"]["id"]
    return out


def promises(name, findings):
    """What the names of the devices, or of a hub's file, say must come of them."""
    kind = kind_of(name)
    if kind is None:
        return
    by_case = {}
    for finding in findings:
        case = finding.get("DeviceId") or finding.get("CompromisedEntity") or ""
        if finding["kind"] == "alert" and "Correlation Id" in finding["ExtendedProperties"]:
            case = finding["ExtendedProperties"]["Correlation Id"]
        by_case.setdefault(case, []).append(finding)
    part = name.split("_")[0][4:]
    cases = {row["device"] for row in map(json.loads, (FOLDER / f"{name}.jsonl").read_text().splitlines()) if row.get("device")}
    cases |= {row["body"]["correlationId"] for row in map(json.loads, (FOLDER / f"{name}.jsonl").read_text().splitlines()) if row["kind"] == "control-plane"}
    if part and part.split("-")[0] in ("positive", "negative", "boundary", "resolved"):
        cases, by_case = {part}, {part: findings}
    for case in sorted(cases):
        mine = by_case.get(case, [])
        alerts = [f for f in mine if f["kind"] == "alert"]
        states = [f["RecommendationState"] for f in mine if f["kind"] == "recommendation"]
        hits = sum(f["HitCount"] for f in alerts)

        def must(holds):
            if not holds:
                yield f"{name}: the case {case} gives {[(f.get('HitCount'), f.get('RecommendationState'), f.get('Status')) for f in mine]}"
        if case.startswith(("negative", "late", "boundary-out", "child", "noise")):
            yield from must(not mine)
        elif case.startswith("resolved"):
            yield from must(states[-1:] == ["Resolved"])
        elif re.match(r"aggregated-\d+", case):
            yield from must(len(alerts) == 1 and hits == int(case.split("-")[1]))
        elif case.startswith("boundary-two"):
            yield from must(len(alerts) == 2 and hits == 2)
        elif case.startswith("boundary-one"):
            yield from must(len(alerts) == 1 and hits == 2)
        elif case.startswith(("duplicate", "replayed")):
            yield from must(len(alerts) == 1 and alerts[0]["Status"] == "New" if alerts else states[-1:] == ["Resolved"])
        elif case.startswith(("positive", "boundary-in")):
            yield from must(alerts or states[-1:] == ["Active"])


def check(path, findings, update):
    name = path.name.removesuffix(".jsonl")
    incidents = {} if name.startswith("S-incidents") else None
    findings = [reduced(f, incidents) for f in findings if wanted(f, kind_of(name))]
    text = "".join(json.dumps(f, ensure_ascii=False) + "\n" for f in findings)
    expected = path.with_suffix(".expected.jsonl")
    problems = list(promises(name, findings))
    if update:
        expected.write_text(text)
    elif not expected.exists() or expected.read_text() != text:
        before = expected.read_text() if expected.exists() else ""
        problems.append("\n".join(difflib.unified_diff(before.splitlines(), text.splitlines(), expected.name, "now", lineterm="", n=0)))
    return name, problems


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("binary")
    ask.add_argument("names", nargs="*")
    ask.add_argument("--update", action="store_true")
    options = ask.parse_args()
    paths = [p for p in sorted(FOLDER.glob("*.jsonl")) if not p.name.endswith(".expected.jsonl")]
    if options.names:
        paths = [p for p in paths if any(name in p.name for name in options.names)]
    results = [check(path, findings, options.update) for path, findings in run_all(options.binary, paths).items()]
    failed = [problem for _, problems in results for problem in problems]
    print("\n".join(failed))
    print(f"{len(results)} files, {len(failed)} problems")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())

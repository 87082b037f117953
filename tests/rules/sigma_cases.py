#!/usr/bin/python3
"""Specification 2.1, case by case (`sigma_cases.yml`): the engine and the naive reading must both say what the case
says. usage: sigma_cases.py FIELDWATCH"""

import json, pathlib, sys, tempfile

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import naive_sigma

SOURCE = {"product": "t"}


def main(binary):
    cases = yaml.safe_load((pathlib.Path(__file__).parent / "sigma_cases.yml").read_text())
    rules = [{"title": case["what"], "id": str(number), "logsource": SOURCE, "detection": case["detection"]}
             for number, case in enumerate(cases)]
    # Each event goes to its own case alone: what one case asks for says nothing of another's fields.
    events, wanted = [], set()
    for number, case in enumerate(cases):
        for hit, fields in [(True, f) for f in case["hits"]] + [(False, f) for f in case["misses"]]:
            events.append((number, {"logsource": SOURCE, "fields": fields}))
            if hit:
                wanted.add((str(number), len(events)))
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "cases.yml").write_text(yaml.safe_dump_all(rules, allow_unicode=True))
        engine = naive_sigma.engine(binary, folder, [event for _, event in events])
    owner = {place: str(number) for place, (number, _) in enumerate(events, 1)}
    naive = {(str(number), place) for place, (number, event) in enumerate(events, 1)
             if naive_sigma.verdicts([rules[number]], [event])}
    failed = 0
    for reader, got in (("engine", {hit for hit in engine if owner[hit[1]] == hit[0]}), ("naive", naive)):
        for rule, place in sorted(got ^ wanted, key=lambda hit: (int(hit[0]), hit[1])):
            failed += 1
            said = "takes" if (rule, place) in got else "leaves"
            print(f"{reader} {said} {json.dumps(events[place - 1][1]['fields'], ensure_ascii=False)}: {cases[int(rule)]['what']}")
    print(f"{len(cases)} cases, {len(events)} events: {failed} differ")
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1]) else 1)

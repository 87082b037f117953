"""bench rules: the engine with none to thousands of rules, over lines that repeat, never repeat, or make rules fire; beside it, in
the same run, the same rules' patterns sought one after another, and the naive evaluator of the tests. The public Linux rules are
read from FIELDWATCH_STOCK_RULES, else from the archive under FIELDWATCH_SHARED; without either our own pack stands alone."""

import os
import pathlib
import sys
import tarfile
import time

from common import BUILD, TOP, google_benchmark, result, say

SHARED = pathlib.Path(os.environ.get("FIELDWATCH_SHARED", TOP.parent / "shared")) / "data"
LOADS = {"mixed": 0, "distinct": 1, "hits": 2}
WHOLE, TENFOLD = -1, -10


def stock_rules():
    """The folder of unpacked public rules, or None."""
    known = os.environ.get("FIELDWATCH_STOCK_RULES")
    archive = SHARED / "rules" / "sigma_linux_8eaafff.tar.xz"
    if known:
        return pathlib.Path(known)
    if not archive.exists():
        say(f"no public rules at {archive}: our own pack stands alone")
        return None
    folder = BUILD.parent / "stock-rules"
    folder.mkdir(exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    return folder


def naive_events_per_s(folder, quick):
    """The evaluator of tests/rules over the public rules, one value at a time; it shares no code with the engine."""
    import yaml
    sys.path.insert(0, str(TOP / "tests" / "rules"))
    import naive_sigma
    rules = [yaml.safe_load(path.read_text()) for path in sorted(folder.rglob("*.yml"))]
    events = [{"logsource": {"product": "linux", "category": "process_creation"},
               "fields": {"CommandLine": f"mosquitto_pub -t a/{number} -m 1", "Image": "/usr/bin/mosquitto_pub", "User": "root",
                          "ParentImage": "/bin/sh", "ParentCommandLine": "/bin/sh -c run"}} for number in range(20 if quick else 200)]
    naive_sigma.verdicts(rules, events[:1])  # expressions are compiled once
    start = time.process_time()
    naive_sigma.verdicts(rules, events)
    return len(events) / (time.process_time() - start)


def bench(quick):
    stock = stock_rules()
    if stock is not None:
        os.environ["FIELDWATCH_STOCK_RULES"] = str(stock)
    measured = google_benchmark("detect_rules_bench", quick, "match|linear")

    def of(rules, load="mixed", kind="match"):
        return measured[f"{kind}/rules:{rules}/load:{LOADS[load]}"]

    def rate(metric, entry, peer=None):
        against = () if peer is None else ("one pattern after another", peer["items_per_second"])
        result("rules", metric, entry["items_per_second"], "1/s", *against)

    rate("events_per_s_core", of(WHOLE), of(WHOLE, kind="linear"))
    rate("events_per_s_core_10x", of(TENFOLD), of(TENFOLD, kind="linear"))
    result("rules", "ratio_10x", of(TENFOLD)["items_per_second"] / of(WHOLE)["items_per_second"], "1")
    for load in ("distinct", "hits"):
        rate(f"{load}_events_per_s_core", of(WHOLE, load))
        rate(f"{load}_events_per_s_core_10x", of(TENFOLD, load))
    for count in (0, 248, 500, 5000):
        for load in LOADS:
            rate(f"{load}_events_per_s_core_{count}", of(count, load), of(248, kind="linear") if (count, load) == (248, "mixed") else None)
    if stock is not None:
        result("rules", "stock_events_per_s_core", of(248)["items_per_second"], "1/s", "naive evaluator in Python", naive_events_per_s(stock, quick))
    for counter, unit in (("rules", "1"), ("bytes", "B"), ("compile_s", "s")):
        result("rules", counter, of(WHOLE)[counter], unit)
        result("rules", f"{counter}_10x", of(TENFOLD)[counter], unit)
    result("rules", "hits_per_event", of(WHOLE, "hits")["hits"], "1")

#!/usr/bin/python3
"""./bench [NAME…] [--quick] [--json FILE]: measure, against named peers in the same run where there is one.

Each line: {"bench","metric","value","unit","peer","peer_value","ratio"}. Machines are noisy: read the ratios, and
docs/performance.md for what each figure is held against."""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import behaviour_bench
import hub_bench
import rules_bench
import server_bench
from common import BUILD, RESULTS, build, google_benchmark, median, result, say

# --- parts, by their own Google Benchmarks: name -> [(target, benchmark, metric, unit, counter)] -------------------------

PARTS = {
    "journal": [("journal_bench", "durable_appends/in_flight:8000/bytes:300/partitions:4/.*", "append_per_s", "1/s", "items_per_second"),
                ("journal_bench", "durable_appends/in_flight:64/bytes:300/partitions:4/.*", "ack_ms_p99", "ms", "ack_ms_p99")],
    "pipeline": [("pipeline_bench", "decode_to_rows/20$", "events_per_s_core", "1/s", "items_per_second"),
                 ("pipeline_bench", "decode_to_rows/1$", "single_events_per_s_core", "1/s", "items_per_second")],
    "intel": [("detect_bench", "lookups/1000000$", "lookups_per_s_core", "1/s", "items_per_second"),
              ("detect_bench", "lookups/1000000$", "bytes", "B", "bytes")],
}


def bench_part(name, quick):
    measured = {}
    for target, pattern, metric, unit, counter in PARTS[name]:
        if pattern not in measured:
            measured[pattern] = next(iter(google_benchmark(target, quick, pattern).values()))
        result(name, metric, measured[pattern][counter], unit)


# --- query: investigations over a month of raw events --------------------------------------------------------------------

def bench_query(quick):
    build("query_investigations")
    count = 50_000 if quick else 10_000_000
    # The large set takes minutes to write, so it stays beside the build for the next time.
    work = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-bench-", dir=BUILD)) if quick else BUILD / f"query-set-{count}"
    try:
        done = subprocess.run([BUILD / "benchmarks" / "query_investigations", work, str(count)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"query_investigations failed:\n{done.stderr[-2000:]}")
        lines = [json.loads(line) for line in done.stdout.strip().split("\n")]
        for line in lines:
            result("query", "ms_" + line["investigation"], line["ms"], "ms", "plain SQL", line["plain_ms"])
            result("query", "cpu_ms_" + line["investigation"], line["cpu_ms"], "ms", "plain SQL", line["plain_cpu_ms"])
        result("query", "rows", count, "1")
        result("query", "ms_median", median([line["ms"] for line in lines]), "ms", "plain SQL", median([line["plain_ms"] for line in lines]))
        result("query", "ms_max", max(line["ms"] for line in lines), "ms", "plain SQL", max(line["plain_ms"] for line in lines))
        # What we add to SQL written by hand, as a share of it; by CPU time, which neighbours on the machine disturb least.
        result("query", "overhead_ratio", sum(line["cpu_ms"] for line in lines) / sum(line["plain_cpu_ms"] for line in lines) - 1, "1")
    finally:
        if quick:
            shutil.rmtree(work, ignore_errors=True)


BENCHES = {"hub": hub_bench.bench, "rules": rules_bench.bench}
BENCHES |= {name: (lambda quick, name=name: bench_part(name, quick)) for name in PARTS}
BENCHES |= {"behaviour": behaviour_bench.bench, "query": bench_query, "end-to-end": server_bench.bench_end_to_end, "server": server_bench.bench_server}
if (pathlib.Path(__file__).resolve().parent / "agent_bench.py").exists():
    import agent_bench
    BENCHES["agent"] = agent_bench.bench


def main():
    parser = argparse.ArgumentParser(prog="./bench", description="Measure Fieldwatch; ratios against named peers in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that everything works")
    parser.add_argument("--json", metavar="FILE", help="also write the lines there")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"no bench {unknown[0]}; there are {', '.join(BENCHES)}")
    for name in options.names or BENCHES:
        say(name)
        BENCHES[name](options.quick)
    if options.json:
        pathlib.Path(options.json).write_text("".join(json.dumps(line) + "\n" for line in RESULTS))


if __name__ == "__main__":
    main()

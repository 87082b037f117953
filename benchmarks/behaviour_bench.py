"""./bench behaviour: how much of what is labelled is found at one false alert a device and month, and a week.

Real series with labelled windows, one file of JSON lines {"series","windows","t","v"}, split in two halves by turns:
thresholds are frozen on one and judged on the other, then the other way round. Beside them a year of a water meter in
which nothing happened. Both lie under FIELDWATCH_SHARED/data/series; without them only what is made up is measured: series
(made_up_series.py) and the networks of homes (made_up_flows.py), of which is known exactly what was put in where. Two plots lie beside the build when it is done; docs/images has those of the docs."""

import bisect
import collections
import datetime
import json
import lzma
import math
import os
import pathlib
import subprocess
import tempfile

import made_up_series
from behaviour_flows import judge_flows
from behaviour_plots import plot_calibration, plot_found
from common import BUILD, TOP, build, google_benchmark, result, say

DATA = pathlib.Path(os.environ.get("FIELDWATCH_SHARED", TOP.parent / "shared")) / "data" / "series"
MERGE_S = 6 * 3600  # crossings closer than this are one alert
LEARNING_SHARE = 0.15  # of each series, not judged: what the labels' authors leave out too
MONTH_S = 30.44 * 86400
BUDGETS = {"month": 1.0, "week": 30.44 / 7}  # false alerts a device-month
THRESHOLDS = {"medium": 5.5, "low": 4.2}  # SeriesModel::kMonthly, kWeekly
SEEDS = range(101, 105)  # of made-up series: nothing was chosen on these
LIMITS = (1e-1, 1e-2, 1e-3, 1e-4)  # of p, where it is held against what came to pass
PEERS = ("static 3-sigma", "EWMA", "isolation forest", "half-space trees")


class Series:
    def __init__(self, name, times, values, windows):
        self.name, self.times, self.values, self.windows = name, times, values, windows
        self.first = int(len(times) * LEARNING_SHARE)
        starts = sorted(windows)
        self.window_of = [None] * len(times)
        for at, time in enumerate(times):
            k = bisect.bisect_right(starts, (time, math.inf)) - 1
            if k >= 0 and time <= starts[k][1]:
                self.window_of[at] = k
        self.judged = [k for k, window in enumerate(starts) if window[1] >= times[self.first]]
        self.months = sum(min(86400, max(0, times[i] - times[i - 1])) for i in range(self.first + 1, len(times))
                          if self.window_of[i] is None) / MONTH_S

    def candidates(self, scores):
        """What an alert could come of, highest scores only: (time, score, window)."""
        judged = range(self.first, len(self.times))
        kept = sorted(judged, key=lambda i: -scores[i])[:max(400, len(judged) // 10)]
        return [(self.times[i], scores[i], self.window_of[i]) for i in sorted(kept)]


def seconds(text):
    return int(datetime.datetime.fromisoformat(text.split(".")[0]).replace(tzinfo=datetime.timezone.utc).timestamp())


def labelled():
    out = []
    with lzma.open(DATA / "nab_dev.jsonl.xz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            out.append(Series(row["series"], [seconds(t) for t in row["t"]], row["v"],
                              [(seconds(a), seconds(b)) for a, b in row["windows"]]))
    return out


def quiet_year():
    with lzma.open(DATA / "ampds2_water_5min_year1.csv.xz", "rt") as lines:
        rows = [line.strip().split(",") for line in lines][1:]
    return Series("ampds2 water", [int(t) for t, _ in rows], [float(v) for _, v in rows], [])


def ours(series):
    """Scores, tail probabilities and alerts (index, severity) of `fieldwatch detect`."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", dir=BUILD) as file:
        file.write("timestamp,value\n")
        file.writelines(f"{t},{v!r}\n" for t, v in zip(series.times, series.values))
        file.flush()
        done = subprocess.run([BUILD / "src" / "app" / "fieldwatch", "detect", "--input", "series", file.name],
                              capture_output=True, text=True, check=True)
    scores, tails, alerts = [], [], []
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if row["kind"] == "score":
            scores.append(row["score"])
            tails.append(None if row["learning"] else row["p"])
        elif row["kind"] == "alert":
            alerts.append((len(scores) - 1, row["AlertSeverity"]))
    return scores, tails, alerts


def peers(everything):
    text = "".join(f"# {s.name}\n" + "".join(f"{t} {v!r}\n" for t, v in zip(s.times, s.values)) for s in everything)
    done = subprocess.run([BUILD / "benchmarks" / "behaviour_peers"], input=text, capture_output=True, text=True, check=True)
    rows = [[float(x) for x in line.split()] for line in done.stdout.splitlines()]
    out = {name: [] for name in PEERS}
    for series in everything:
        part, rows = rows[:len(series.times)], rows[len(series.times):]
        for k, name in enumerate(PEERS):
            out[name].append([row[k] for row in part])
    return out


def judge(candidates, threshold):
    """(windows found, false alerts) of one series."""
    found, false, last = set(), 0, -math.inf
    for time, score, window in candidates:
        if score < threshold:
            continue
        if window is not None:
            found.add(window)
        else:
            false += time - last > MERGE_S
            last = time
    return len(found), false


def judge_all(series, candidates, threshold):
    pairs = [judge(c, threshold) for c in candidates]
    windows = sum(len(s.judged) for s in series)
    months = sum(s.months for s in series)
    return sum(p[0] for p in pairs), windows, sum(p[1] for p in pairs), months


def freeze(series, candidates, budget):
    """The lowest threshold that keeps the budget on these series."""
    levels = sorted({score for c in candidates for _, score, _ in c}, reverse=True)
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high + 1) // 2
        _, _, false, months = judge_all(series, candidates, levels[middle])
        low, high = (middle, high) if false / months <= budget else (low, middle - 1)
    return levels[low]


def cross_judged(series, scores):
    """{budget: (found, windows, false alerts, months)}: each half at the other half's threshold."""
    candidates = [s.candidates(x) for s, x in zip(series, scores)]
    out = {}
    for name, budget in BUDGETS.items():
        total = (0, 0, 0, 0.0)
        for tuned, held in ((0, 1), (1, 0)):
            threshold = freeze(series[tuned::2], candidates[tuned::2], budget)
            total = tuple(a + b for a, b in zip(total, judge_all(series[held::2], candidates[held::2], threshold)))
        # And what the same scores reach when the budget is kept exactly, over all series.
        threshold = freeze(series, candidates, budget)
        out[name] = total + (judge_all(series, candidates, threshold)[0], threshold)
    return out


def standard_error(found, windows):
    share = found / windows
    return math.sqrt(share * (1 - share) / windows)


def calibration_points(series, tails):
    """(claimed, how often p lay below it, of so many values) outside labelled windows."""
    out = []
    for limit in LIMITS:
        count = below = 0
        for s, p in zip(series, tails):
            for at in range(s.first, len(s.times)):
                if p[at] is not None and s.window_of[at] is None:
                    count += 1
                    below += p[at] < limit
        out.append((limit, below, count))
    return out


def calibration(series, tails):
    """How often p < x came to pass outside labelled windows, in units of x: 1 is calibrated."""
    points = calibration_points(series, tails)
    for limit, below, count in points:
        result("behaviour", f"p_below_{limit:g}_observed_over_claimed", below / count / limit, "1")
    return points


def made_up(seeds):
    out = []
    for seed in seeds:
        for name in made_up_series.FAMILIES:
            times, values, episodes = made_up_series.make(name, seed)
            series = Series(name, times, values, [(a, b) for _, a, b in episodes])
            series.kinds = [kind for kind, _, _ in episodes]
            out.append(series)
    return out


def judge_made_up(quick):
    """What is found of what was put in at both shipped thresholds, and where they lie for exactly the budget."""
    series = made_up(SEEDS[:1] if quick else SEEDS)
    scored = [ours(s) for s in series]
    candidates = [s.candidates(x[0]) for s, x in zip(series, scored)]
    months = sum(s.months for s in series)
    result("behaviour", "made_up_families", len(made_up_series.FAMILIES), "1")
    result("behaviour", "made_up_episodes", sum(len(s.judged) for s in series), "1")
    result("behaviour", "made_up_exposure_device_months", months, "1")
    rates = {}
    for name, threshold in THRESHOLDS.items():
        kinds, false = collections.defaultdict(lambda: [0, 0]), collections.Counter()
        for s, c in zip(series, candidates):
            found = {window for _, score, window in c if score >= threshold and window is not None}
            for window in s.judged:
                kinds[s.kinds[window]][0] += window in found
                kinds[s.kinds[window]][1] += 1
            false["calm" if s.name.startswith("calm") else "other"] += judge(c, threshold)[1]
        rates[name] = kinds
        found, of = (sum(k[i] for k in kinds.values()) for i in (0, 1))
        calm = sum(s.months for s in series if s.name.startswith("calm"))
        result("behaviour", f"made_up_{name}_found_percent", 100 * found / of, "%")
        result("behaviour", f"made_up_{name}_found", found, "1")
        result("behaviour", f"made_up_{name}_false_alerts", sum(false.values()), "1")
        result("behaviour", f"made_up_{name}_false_alerts_per_device_month", sum(false.values()) / months, "1")
        result("behaviour", f"made_up_{name}_calm_false_alerts_per_device_month", false["calm"] / calm, "1")
        for kind, (one, all_of) in sorted(kinds.items()):
            result("behaviour", f"made_up_{name}_{kind.replace(' ', '_')}_found_percent", 100 * one / all_of, "%")
    for budget, allowed in BUDGETS.items():
        threshold = freeze(series, candidates, allowed)
        found, of, _, _ = judge_all(series, candidates, threshold)
        result("behaviour", f"made_up_found_at_one_a_{budget}_in_budget_percent", 100 * found / of, "%")
    return rates, calibration_points(series, [s[1] for s in scored])


def shipped(series, alerts):
    """At the thresholds that the product ships: by severity and above."""
    for name, severities in (("medium", ("Medium",)), ("low", ("Medium", "Low"))):
        found = false = 0
        for s, raised in zip(series, alerts):
            windows = set()
            for at, severity in raised:
                if severity not in severities or at < s.first:
                    continue
                if s.window_of[at] is None:
                    false += 1
                else:
                    windows.add(s.window_of[at])
            found += len(windows)
        windows, months = sum(len(s.judged) for s in series), sum(s.months for s in series)
        if windows:
            result("behaviour", f"shipped_{name}_windows_found_percent", 100 * found / windows, "%")
        label = "shipped" if windows else "quiet_year"
        result("behaviour", f"{label}_{name}_false_alerts_per_device_month", false / months, "1")


def cost(quick):
    """State a device, and what all models take of detection's time on events that no rule knows."""
    state = next(iter(google_benchmark("detect_bench", quick, "behaviour/state").values()))
    result("behaviour", "state_bytes_per_device", state["bytes"], "B")
    off, on = (google_benchmark("detect_bench", quick, f"behaviour/events/{arg}$") for arg in (0, 1))
    off, on = next(iter(off.values())), next(iter(on.values()))
    result("behaviour", "ns_per_event", on["cpu_time"] - off["cpu_time"], "ns")


def bench(quick):
    cost(quick)
    build("fieldwatch", "behaviour_peers")
    judge_flows(quick)
    found, made_up_points = judge_made_up(quick)
    if not quick:
        plot_found(found, BUILD / "behaviour-found.png")
    if not (DATA / "nab_dev.jsonl.xz").exists():
        say(f"no series at {DATA}: set FIELDWATCH_SHARED")
        return
    series = labelled()
    if quick:
        series = series[::4]
    scored = [ours(s) for s in series]
    their = peers(series)
    mine = cross_judged(series, [s[0] for s in scored])
    compared = {name: cross_judged(series, scores) for name, scores in their.items()}
    for budget, (found, windows, false, months, in_sample, threshold) in mine.items():
        result("behaviour", f"windows_found_at_one_a_{budget}_percent", 100 * found / windows, "%")
        result("behaviour", f"standard_error_at_one_a_{budget}", 100 * standard_error(found, windows), "%")
        result("behaviour", f"false_alerts_at_one_a_{budget}_per_device_month", false / months, "1")
        result("behaviour", f"threshold_at_one_a_{budget}", threshold, "1")
        for name, results in compared.items():
            theirs = results[budget]
            result("behaviour", f"windows_found_at_one_a_{budget}_in_budget_percent", 100 * in_sample / windows, "%",
                   name, 100 * theirs[4] / theirs[1])
    result("behaviour", "exposure_device_months", mine["month"][3], "1")
    points = calibration(series, [s[1] for s in scored])
    shipped(series, [s[2] for s in scored])
    if not quick:
        plot_calibration({"real": points, "made up": made_up_points}, BUILD / "behaviour-calibration.png")
        say(f"plots: {BUILD}/behaviour-*.png; those of the docs lie in docs/images")
        quiet = quiet_year()
        shipped([quiet], [ours(quiet)[2]])

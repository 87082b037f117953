"""The part of ./bench behaviour about networks: attacks over made-up homes, judged by episode as spec/detection.md 5d asks."""

import collections
import datetime
import json
import math
import subprocess
import tempfile

import made_up_flows
from common import BUILD, median, percentile, result

WINDOW_S = 300
LATE_S = 600  # behind an episode: what is told then still belongs to it
MONTH_S = 30.44 * 86400
HOMES, POISONED, CALM, RESTLESS = range(301, 321), range(401, 406), range(501, 506), range(601, 611)


def time_of(text):
    return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


def alerts_of(log):
    """(device, first second, type) of what is Low or more."""
    with tempfile.NamedTemporaryFile("w", suffix=".log", dir=BUILD) as file:
        file.write(log)
        file.flush()
        done = subprocess.run([BUILD / "src" / "app" / "fieldwatch", "detect", "--input", "zeek", file.name],
                              capture_output=True, text=True, check=True)
    rows = (json.loads(line) for line in done.stdout.splitlines())
    return [(row["CompromisedEntity"], time_of(row["StartTime"]), row["AlertType"]) for row in rows
            if row["kind"] == "alert" and row["AlertSeverity"] != "Informational"]


def first_alert(episode, alerts):
    _, device, first, last = episode
    times = [time for name, time, _ in alerts if name == device and first - 1 <= time <= last + LATE_S]
    return min(times, default=None)


def false_alerts(episodes, alerts):
    """Those about a device that is not attacked, or not yet."""
    begun = {device: first for _, device, first, _ in episodes}
    return [(name, type_) for name, time, type_ in alerts if time < begun.get(name, math.inf) - 1]


def calm_seconds(episodes):
    end = made_up_flows.START + made_up_flows.DAYS * made_up_flows.DAY
    begun = {device: first for _, device, first, _ in episodes}
    return sum(min(begun.get(device, end), end) - made_up_flows.START for device in made_up_flows.DEVICES)


def poisson_upper(count):
    """The upper end of the 95 % interval of a Poisson mean (Byar's approximation); three for nothing at all."""
    if count == 0:
        return 3.0
    more = count + 1
    return more * (1 - 1 / (9 * more) + 1.96 / (3 * math.sqrt(more))) ** 3


def homes(seeds, poisoned=False, attacks=None, restless=False):
    """Each with four of the attacks, in turn, unless it is said which."""
    kinds = sorted(made_up_flows.ATTACKS)
    for at, seed in enumerate(seeds):
        turn = [kinds[(at * 4 + k) % len(kinds)] for k in range(4)] if attacks is None else attacks
        log, episodes = made_up_flows.make(seed, turn, poisoned, restless)
        yield episodes, alerts_of(log)


def judge_flows(quick):
    found, delays = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(list)
    poisoned = collections.defaultdict(lambda: [0, 0])
    false, months = [], 0.0
    restless, restless_months = [], 0.0
    pick = slice(0, 2) if quick else slice(None)
    for episodes, alerts in (*homes(HOMES[pick]), *homes(CALM[pick], attacks=[])):
        false += false_alerts(episodes, alerts)
        months += calm_seconds(episodes) / MONTH_S
        for episode in episodes:
            told = first_alert(episode, alerts)
            found[episode[0]][0] += told is not None
            found[episode[0]][1] += 1
            if told is not None:
                delays[episode[0]].append(max(0.0, told - episode[2]))
    for episodes, alerts in homes(POISONED[pick], poisoned=True):
        for episode in episodes:
            poisoned[episode[0]][0] += first_alert(episode, alerts) is not None
            poisoned[episode[0]][1] += 1
    for episodes, alerts in homes(RESTLESS[pick], attacks=["command and control in TLS"] * 2, restless=True):
        restless += false_alerts(episodes, alerts)
        restless_months += calm_seconds(episodes) / MONTH_S
        for episode in episodes:
            found["restless"][0] += first_alert(episode, alerts) is not None
            found["restless"][1] += 1
    one, of = found.pop("restless")
    result("behaviour", "flows_restless_command_and_control_in_TLS_found", one, "1")
    result("behaviour", "flows_restless_command_and_control_in_TLS_episodes", of, "1")
    for kind, (one, of) in sorted(found.items()):
        name = kind.replace(" ", "_")
        result("behaviour", f"flows_{name}_found", one, "1")
        result("behaviour", f"flows_{name}_episodes", of, "1")
        if delays[kind]:
            result("behaviour", f"flows_{name}_windows_to_detect_median", median(delays[kind]) / WINDOW_S, "1")
            result("behaviour", f"flows_{name}_windows_to_detect_p90", percentile(delays[kind], 0.9) / WINDOW_S, "1")
    for kind, (one, of) in sorted(poisoned.items()):
        result("behaviour", f"flows_from_the_first_minutes_{kind.replace(' ', '_')}_found_percent", 100 * one / of, "%")
    result("behaviour", "flows_exposure_device_months", months, "1")
    result("behaviour", "flows_false_alerts", len(false), "1")
    result("behaviour", "flows_false_alerts_per_device_month", len(false) / months, "1")
    result("behaviour", "flows_false_alerts_per_device_month_at_most", poisson_upper(len(false)) / months, "1")
    result("behaviour", "flows_restless_exposure_device_months", restless_months, "1")
    result("behaviour", "flows_restless_false_alerts", len(restless), "1")
    result("behaviour", "flows_restless_false_alerts_per_device_month_at_most", poisson_upper(len(restless)) / restless_months, "1")
    return false

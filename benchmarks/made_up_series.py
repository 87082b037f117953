"""Made-up series for ./bench behaviour: what sensors, meters, machines and services look like, and what goes wrong with them.

A family is a base signal and the ways in which it may go wrong. Every series of it has three such episodes at random times
behind its first quarter; what was put in where is known exactly. The same seed gives the same series.

Families whose name begins with `calm` have no episode: holidays, gaps, reboots of a counter, irregular sampling. What is
raised there is false by construction."""

import math
import random

START = 1_767_571_200  # Monday, 2026-01-05
HOUR = 3600
DAY = 24 * HOUR
GRACE = 3 * HOUR  # behind an episode: what it did to averages may still be told


def day_wave(time, peak_hour=15):
    return math.cos((time % DAY - peak_hour * HOUR) * 2 * math.pi / DAY)


def works(time, holidays=()):
    """The office hours' share of a load, 0 to 1, smooth at both ends."""
    day = int(time // DAY)
    if (time // DAY - START // DAY) % 7 >= 5 or day in holidays:
        return 0.0
    hour = time % DAY / HOUR
    return 1 / (1 + math.exp(-(hour - 8) * 3)) - 1 / (1 + math.exp(-(hour - 18) * 3))


def poisson(rng, mean):
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


class Signal:
    """One series while it is made: base(time) is called once a step, in order."""

    def __init__(self, rng):
        self.rng, self.state = rng, {}

    def ar(self, name, keep, spread):
        now = keep * self.state.get(name, 0.0) + self.rng.gauss(0, spread)
        self.state[name] = now
        return now


# --- base signals: (Signal, time, step) -> value ---------------------------------------------------------------------

def room(s, t, _):
    return 21 + 2 * day_wave(t) + s.ar("noise", 0.9, 0.08)


def room_coarse(s, t, _):
    return round((20 + 3 * day_wave(t) + s.ar("noise", 0.95, 0.1)) * 2) / 2


def office(s, t, _):
    return 5 + 60 * works(t) + s.rng.gauss(0, 2.5)


def traffic(s, t, _):
    return max(0.0, (200 + 150 * day_wave(t, 20)) * (1 + s.ar("noise", 0.8, 0.06)))


def requests(s, t, _):
    return poisson(s.rng, 8 + 7 * day_wave(t, 14))


def rare_events(s, _t, _):
    return poisson(s.rng, 0.05)


def errors(s, t, _):
    return poisson(s.rng, 0.6 + 0.5 * day_wave(t)) if s.rng.random() < 0.5 else 0


def latency(s, t, _):
    return 20 * math.exp(0.35 * s.rng.gauss(0, 1)) * (1 + 0.2 * day_wave(t))


def bursts(s, _t, _):
    burst = s.state.get("left", 0)
    if burst == 0 and s.rng.random() < 0.02:
        burst = s.rng.randrange(2, 8)
    s.state["left"] = max(0, burst - 1)
    return (400 * s.rng.uniform(0.7, 1.3) if burst else 3) + abs(s.rng.gauss(0, 1))


def processor(s, t, _):
    return min(100.0, max(0.0, 30 + 10 * day_wave(t) + s.ar("noise", 0.7, 6)))


def walk(s, _t, _):
    return 50 + s.ar("walk", 0.998, 0.5)


def disk(s, t, step):
    fill = s.state.get("fill", 40.0) + 0.12 * step / HOUR * s.rng.uniform(0.5, 1.5)
    s.state["fill"] = 40.0 if fill > 70 else fill
    return s.state["fill"]


def trend(s, t, _):
    return 100 + 0.9 * (t - START) / DAY + s.rng.gauss(0, 1)


def fridge(s, t, _):
    # On for a third of 50 minutes, with a wandering phase.
    phase = s.state.get("phase", 0.0) + s.rng.uniform(0.9, 1.1)
    s.state["phase"] = phase
    return (90 if phase % 10 < 3.4 else 1.5) + s.rng.gauss(0, 0.6)


def tank(s, t, _):
    # Fills and drains between two levels.
    level, filling = s.state.get("level", 500.0), s.state.get("filling", True)
    level += s.rng.uniform(14, 16) if filling else -s.rng.uniform(9, 11)
    if level > 800: filling = False
    if level < 500: filling = True
    s.state.update(level=level, filling=filling)
    return level + s.rng.gauss(0, 0.8)


def pump(s, t, step):
    tank(s, t, step)
    return (2.45 if s.state["filling"] else 0.0) + abs(s.rng.gauss(0, 0.004))


def vibration(s, t, _):
    s.state["turn"] = s.state.get("turn", 0.0) + s.state.get("speed", 1.0)
    return 3 * math.sin(s.state["turn"] * 2 * math.pi / 24) + s.rng.gauss(0, 0.25)


def meter(s, t, step):
    s.state["sum"] = s.state.get("sum", 0.0) + max(0.0, 0.4 + 0.3 * day_wave(t, 19) + s.rng.gauss(0, 0.1)) * step / HOUR
    return round(s.state["sum"], 2)


def lamp(s, t, _):
    hour = (t % DAY) / HOUR
    return 40.0 if 18 <= hour < 23 else 0.0


def sun(s, t, _):
    day = int(t // DAY)
    if s.state.get("day") != day:
        s.state.update(day=day, sky=s.rng.uniform(0.3, 1.0))
    return max(0.0, -0.15 + day_wave(t, 12)) * 4000 * s.state["sky"] * (1 + s.ar("cloud", 0.8, 0.05))


def voltage(s, t, _):
    return 230 + 1.5 * day_wave(t, 4) + s.rng.gauss(0, 0.7)


def tiny(s, t, _):
    return 3e-7 + 1e-7 * day_wave(t) + s.rng.gauss(0, 1.5e-8)


def huge(s, t, _):
    return 8.4e12 + 1.2e12 * works(t) + s.rng.gauss(0, 4e10)


def radio(s, _t, _):
    return round(-67 + s.ar("noise", 0.97, 0.7))


def battery(s, _t, step):
    charge = s.state.get("charge", 100.0) - 0.25 * step / HOUR * s.rng.uniform(0.8, 1.2)
    s.state["charge"] = 100.0 if charge < 20 else charge
    return round(s.state["charge"], 1)


def state_code(s, t, _):
    # A valve: 1 closed, 2 open.
    return 2 if (t % DAY) / HOUR % 4 < 1.5 else 1


def sampled_weekday(s, t, _):
    return poisson(s.rng, 2 + 30 * works(t))


def flat(s, _t, _):
    return 12.0


def sales(s, t, _):
    # Grows, with a day and a week.
    return 400 + 6 * (t - START) / DAY + 90 * day_wave(t, 13) - 60 * ((t // DAY - START // DAY) % 7 >= 5) + s.rng.gauss(0, 12)


def clock_work(s, t, _):
    return 80.0 if 9 <= t % DAY / HOUR < 18 else 20.0


# --- what goes wrong: (value, base, position 0 to 1, size, rng, memory) -> value --------------------------------------

def spike(value, size, _at, _rng, _m): return value + 8 * size
def dip(value, size, _at, _rng, _m): return value - 8 * size
def shift_up(value, size, _at, _rng, _m): return value + 3 * size
def shift_down(value, size, _at, _rng, _m): return value - 3 * size
def ramp(value, size, at, _rng, _m): return value + 6 * size * at
def noise(value, size, _at, rng, _m): return value + rng.gauss(0, 3 * size)
def quiet(value, _size, _at, _rng, m): return m["mean"] + (value - m["mean"]) * 0.05
def stuck(value, _size, _at, _rng, m): return m.setdefault("held", value)
def dropout(_value, _size, _at, _rng, _m): return 0.0
def tripled(value, size, _at, _rng, _m): return 3 * value + size
def burst(value, size, _at, rng, _m): return value + (round(10 * size) if rng.random() < 0.5 else 0)


# kind -> (function, hours that it lasts)
KINDS = {"spike": (spike, 0.3), "dip": (dip, 0.3), "shift up": (shift_up, 12), "shift down": (shift_down, 12),
         "ramp": (ramp, 10), "noise": (noise, 6), "quiet": (quiet, 10), "stuck": (stuck, 8), "drop-out": (dropout, 2),
         "tripled": (tripled, 4), "burst": (burst, 2), "frequency": (None, 10), "wrong hour": (None, 6),
         "trend break": (None, 24), "silent day": (None, 10)}

# Where a signal is only there by day, what goes missing does so by day: (base, kind) -> the hour that it begins at.
HOURS = {(office, "silent day"): 8, (office, "drop-out"): 11, (office, "wrong hour"): 0, (sampled_weekday, "silent day"): 8,
         (sampled_weekday, "tripled"): 10, (sampled_weekday, "burst"): 10, (huge, "silent day"): 8, (lamp, "silent day"): 17,
         (lamp, "tripled"): 18, (lamp, "wrong hour"): 6, (sun, "drop-out"): 11, (sun, "wrong hour"): 21, (sun, "spike"): 22,
         (state_code, "silent day"): 4, (clock_work, "silent day"): 8, (clock_work, "wrong hour"): 20}

# name -> (base, step in seconds, days, the usual deviation that sizes are told in, kinds)
FAMILIES = {
    "room": (room, 300, 35, 0.3, ("spike", "shift up", "stuck")),
    "room drifts": (room, 300, 35, 0.3, ("ramp", "noise", "wrong hour")),
    "coarse thermometer": (room_coarse, 600, 42, 1.0, ("spike", "stuck", "shift down")),
    "office": (office, 900, 56, 6, ("spike", "shift up", "silent day")),
    "office at night": (office, 900, 56, 6, ("wrong hour", "drop-out", "wrong hour")),
    "traffic": (traffic, 300, 35, 25, ("drop-out", "tripled", "stuck")),
    "requests": (requests, 300, 35, 3, ("burst", "drop-out", "tripled")),
    "requests hourly": (sampled_weekday, 3600, 84, 5, ("tripled", "silent day", "burst")),
    "rare events": (rare_events, 300, 35, 0.4, ("burst", "burst", "burst")),
    "errors": (errors, 300, 35, 1, ("burst", "tripled", "shift up")),
    "latency": (latency, 300, 35, 9, ("spike", "tripled", "shift up")),
    "bursts": (bursts, 300, 35, 60, ("tripled", "stuck", "drop-out")),
    "processor": (processor, 300, 35, 9, ("shift up", "stuck", "noise")),
    "walk": (walk, 300, 35, 2, ("spike", "dip", "noise")),
    "disk": (disk, 900, 42, 2, ("spike", "stuck", "trend break")),
    "trend": (trend, 1800, 56, 1.2, ("shift down", "trend break", "noise")),
    "fridge": (fridge, 300, 35, 20, ("stuck", "drop-out", "frequency")),
    "tank": (tank, 300, 28, 60, ("stuck", "shift up", "dip")),
    "tank by the second": (tank, 10, 3, 60, ("stuck", "shift up", "dip")),
    "pump": (pump, 60, 10, 0.2, ("stuck", "shift up", "noise")),
    "vibration": (vibration, 300, 28, 0.5, ("frequency", "noise", "spike")),
    "vibration fades": (vibration, 300, 28, 0.5, ("quiet", "stuck", "shift up")),
    "meter": (meter, 900, 42, 2, ("stuck", "trend break", "spike")),
    "lamp": (lamp, 900, 42, 8, ("wrong hour", "silent day", "tripled")),
    "sun": (sun, 900, 42, 250, ("drop-out", "wrong hour", "spike")),
    "voltage": (voltage, 60, 14, 0.8, ("dip", "shift down", "noise")),
    "tiny": (tiny, 300, 35, 2e-8, ("spike", "shift up", "noise")),
    "huge": (huge, 900, 56, 8e10, ("dip", "shift down", "silent day")),
    "radio": (radio, 300, 35, 2, ("dip", "shift down", "stuck")),
    "battery": (battery, 1800, 56, 3, ("dip", "trend break", "stuck")),
    "valve": (state_code, 300, 28, 0.3, ("stuck", "dip", "silent day")),
    "sales": (sales, 3600, 60, 15, ("spike", "shift up", "dip")),
    "sales hourly": (sales, 3600, 60, 15, ("trend break", "silent day", "noise")),
    "clock-work": (clock_work, 300, 28, 5, ("silent day", "wrong hour", "noise")),
    "flat": (flat, 300, 28, 0.5, ("spike", "shift up", "noise")),
    "calm office with holidays": (office, 900, 84, 6, ()),
    "calm gaps": (room, 300, 42, 0.3, ()),
    "calm irregular": (traffic, 300, 35, 25, ()),
    "calm meter that restarts": (meter, 900, 42, 2, ()),
    "calm daylight saving": (office, 900, 84, 6, ()),
    "calm requests": (requests, 300, 42, 3, ()),
    "calm sun": (sun, 900, 56, 250, ()),
    "calm rare events": (rare_events, 300, 42, 0.4, ()),
}


def episodes_of(rng, base, kinds, count, step):
    """(kind, first value, behind the last one), in order, apart from each other, behind the first quarter."""
    out = []
    room_each = int(count * 0.72) // max(1, len(kinds))
    for k, kind in enumerate(kinds):
        length = max(1, round(KINDS[kind][1] * HOUR / step))
        length = min(length, room_each // 3)
        begin = int(count * 0.26) + k * room_each
        first = begin + rng.randrange(max(1, room_each - length - room_each // 3))
        if (base, kind) in HOURS:  # of a working day
            first += round(((HOURS[base, kind] * HOUR - first * step) % DAY) / step)
            while base in (office, huge, sampled_weekday) and first * step // DAY % 7 >= 5:
                first -= round(DAY / step)
        out.append((kind, first, first + length))
    return out


def make(name, seed):
    """(times, values, [(kind, first time, last time)])."""
    base, step, days, size, kinds = FAMILIES[name]
    rng = random.Random(f"{name}/{seed}")
    signal = Signal(random.Random(f"{name}/{seed}/signal"))
    count = int(days * DAY / step)
    episodes = episodes_of(rng, base, kinds, count, step)
    times, values, memory, windows = [], [], {}, []
    holidays = {START // DAY + d for d in (43, 59, 73)} if "holidays" in name else set()
    recent = []
    for i in range(count):
        time = START + i * step
        now = next((e for e in episodes if e[1] <= i < e[2]), None)
        kind = now[0] if now else None
        seen_as = time
        if kind == "wrong hour": seen_as = time + 12 * HOUR
        if kind == "silent day" or time // DAY in holidays: seen_as = time - time % DAY + 3 * HOUR
        if "daylight" in name and i > count // 2: seen_as = time + HOUR
        signal.state["speed"] = 2.2 if kind == "frequency" else 1.0
        value = base(signal, seen_as, step)
        if kind == "frequency" and base is fridge:
            signal.state["phase"] += 2.0
        if kind == "trend break":
            for key, unit in (("fill", size / 3), ("sum", size / 3), ("charge", -size / 6)):
                if key in signal.state: signal.state[key] += unit * 0.5 * step / HOUR
            if base in (trend, sales): value += 0.8 * size * (i - now[1]) * step / HOUR / 2
        if kind and KINDS[kind][0]:
            if memory.get("of") != now: memory = {"of": now, "mean": sum(recent) / max(1, len(recent))}
            value = KINDS[kind][0](value, size, (i - now[1]) / (now[2] - now[1]), rng, memory)
        if not kind: recent = (recent + [value])[-48:]
        if "restarts" in name and i == count // 2: signal.state["sum"] = 0.0
        if "gaps" in name and (i // 40) % 23 == 7: continue
        if "irregular" in name:
            time += rng.randrange(-step // 3, step // 3)
            if rng.random() < 0.15: continue
        times.append(time)
        values.append(value)
    for kind, first, end in episodes:
        windows.append((kind, START + first * step, START + end * step + GRACE))
    return times, values, windows

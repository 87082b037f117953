"""Made-up homes for ./bench behaviour: connections of eight kinds of devices as Zeek logs them, and attacks put over them.

Every home is one log of three days. Each of its devices is attacked at most once, at a random time behind the twelve hours in
which it is learned; what was put in where is known exactly. The same seed gives the same log. `poisoned` homes are attacked
from their first minutes on, and go on being attacked: what is taught by the attacker himself. In `restless` homes every cloud
is one address at a time and moves to another network about twice a day, now and then with an hour in which both are called; a
television changes among thirty networks."""

import math
import random

START = 1_767_571_200  # Monday, 2026-01-05
HOUR, DAY = 3600, 86400
DAYS = 3
LEARNED = 12 * HOUR
FIELDS = ("ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state "
          "local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes").split()


class Home:
    def __init__(self, seed, restless=False):
        self.rng, self.rows = random.Random(f"home/{seed}"), []
        self.router = "192.168.1.1"
        self.clouds, self.now = {}, START
        self.restless, self.moves = restless, {}

    def moves_of(self, name):
        """When an operator moves, and for how long both networks are called: (second, seconds)."""
        if name not in self.moves:
            time, rng = START, random.Random(f"{name}/{self.rng.random()}")
            self.moves[name] = []
            while time < START + DAYS * DAY:
                time += rng.expovariate(2 / DAY)
                self.moves[name].append((time, HOUR if rng.random() < 0.3 else 0))
        return self.moves[name]

    def cloud(self, name, count=4):
        """Addresses of one operator, in a network of its own."""
        if self.restless:
            begun = [(time, both) for time, both in self.moves_of(name) if time <= self.now]
            stays = bool(begun) and self.now < sum(begun[-1]) and self.rng.random() < 0.5
            name, count = f"{name}, {len(begun) - stays}", 1
        if name not in self.clouds:
            net = f"{self.rng.randrange(11, 100)}.{self.rng.randrange(256)}.{self.rng.randrange(256)}"
            self.clouds[name] = [f"{net}.{self.rng.randrange(1, 255)}" for _ in range(count)]
        return self.rng.choice(self.clouds[name])

    def flow(self, time, device, to, port, proto="tcp", service="-", state="SF", sent=0, got=0, seconds=None):
        seconds = self.rng.uniform(0.05, 2) if seconds is None else seconds
        answered = state in ("SF", "S1", "RSTO")
        packets = 1 + int(sent) // 1200, (1 + int(got) // 1200) * answered
        sizes = (f"{seconds:.6f}", int(sent), int(got)) if answered else ("-", "-", "-")
        self.rows.append((time, device, self.rng.randrange(32768, 61000), to, port, proto, service, *sizes, state, "T",
                          "T" if to.startswith("192.168.") else "F", 0, "ShADadFf" if answered else "S", packets[0],
                          packets[0] * 40 + int(sent), packets[1], packets[1] * 40 + int(got)))

    def lookup(self, time, device):
        self.flow(time, device, self.router, 53, "udp", "dns", sent=self.rng.randrange(30, 60), got=self.rng.randrange(60, 200))

    def every(self, seconds, spread=0.2):
        """Times of the three days, about so many seconds apart."""
        time = START + self.rng.uniform(0, seconds)
        while time < START + DAYS * DAY:
            self.now = time
            yield time
            time += seconds * self.rng.uniform(1 - spread, 1 + spread)

    def log(self):
        lines = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn",
                 "#fields\t" + "\t".join(FIELDS)]
        for at, row in enumerate(sorted(self.rows)):
            time, device, port, *rest = row
            lines.append("\t".join(map(str, (f"{time:.6f}", f"C{at:x}", device, port, *rest))))
        return "\n".join(lines) + "\n"


# --- what devices do: (home, address) ---------------------------------------------------------------------------------

def clock(home, device):
    for time in home.every(HOUR):
        home.flow(time, device, home.cloud("time", 8), 123, "udp", "ntp", sent=48, got=48)


def camera(home, device):
    clock(home, device)
    for time in home.every(60):
        home.flow(time, device, home.cloud("camera"), 443, service="ssl", sent=home.rng.lognormvariate(9, 0.6), got=3000)
    for time in home.every(20 * 60, 0.9):  # something moved
        home.flow(time, device, home.cloud("camera"), 443, service="ssl", sent=home.rng.lognormvariate(14, 0.7), got=9000, seconds=30)


def plug(home, device):
    clock(home, device)
    for time in home.every(300):
        home.flow(time, device, home.cloud("plug", 2), 8883, service="ssl", sent=900, got=700)


def thermostat(home, device):
    for time in home.every(900, 0.05):
        home.lookup(time, device)
        home.flow(time + 0.2, device, home.cloud("thermostat"), 443, service="ssl", sent=2500, got=4000)


def hub(home, device):
    clock(home, device)
    for time in home.every(30):
        home.flow(time, device, f"192.168.1.{home.rng.randrange(10, 18)}", 80, service="http", sent=300, got=800)
    for time in home.every(600):
        home.flow(time, device, home.cloud("hub"), 443, service="ssl", sent=8000, got=6000)


def phone(home, device):
    for time in home.every(90, 0.95):
        awake = 0.5 - 0.5 * math.cos((time % DAY - 4 * HOUR) * 2 * math.pi / DAY)
        if home.rng.random() > awake: continue
        home.lookup(time, device)
        for _ in range(home.rng.randrange(1, 6)):
            home.flow(time + 0.1, device, home.cloud(f"site {home.rng.paretovariate(0.6):.0f}"[:9]), home.rng.choice((443, 443, 443, 80)),
                      home.rng.choice(("tcp", "tcp", "udp")), service="ssl", sent=home.rng.lognormvariate(8, 1.3), got=home.rng.lognormvariate(10, 1.8))


def speaker(home, device):
    for time in home.every(120):
        home.flow(time, device, home.cloud("speaker"), 443, service="ssl", sent=1200, got=home.rng.lognormvariate(8, 2))
    for time in home.every(5 * HOUR, 0.8):
        for song in range(home.rng.randrange(3, 15)):
            home.flow(time + song * 200, device, home.cloud("music", 12), 443, service="ssl", sent=20_000, got=6e6, seconds=190)


def printer(home, device):
    for time in home.every(2 * HOUR, 0.9):
        home.flow(time, device, "224.0.0.251", 5353, "udp", "dns", "S0")
    for time in home.every(6 * HOUR):
        home.flow(time, device, home.cloud("ink"), 443, service="ssl", sent=4000, got=5000)


def television(home, device):
    for time in home.every(90):
        home.flow(time, device, home.cloud(f"screen {home.rng.randrange(30)}"), 443, service="ssl", sent=2000, got=3000)


DEVICES = {"192.168.1.10": camera, "192.168.1.11": plug, "192.168.1.12": thermostat, "192.168.1.13": hub,
           "192.168.1.14": phone, "192.168.1.15": speaker, "192.168.1.16": printer, "192.168.1.17": camera}


# --- attacks: (home, device, first second) -> last second -------------------------------------------------------------

def stranger(home):
    return f"{home.rng.randrange(101, 190)}.{home.rng.randrange(256)}.{home.rng.randrange(256)}.{home.rng.randrange(1, 255)}"


def tries(home, device, time, port, apart, seconds):
    end = time + seconds
    while time < end:
        home.flow(time, device, stranger(home), port, state="S0")
        time += apart * home.rng.uniform(0.5, 1.5)
    return end


def scan(home, device, time): return tries(home, device, time, 23, 0.2, 600)
def slow_scan(home, device, time): return tries(home, device, time, home.rng.choice((22, 23, 2323, 5555, 8080)), 12, 2 * HOUR)


def ramped_scan(home, device, time):
    for minute in range(90):
        tries(home, device, time + 60 * minute, 5555, 60 / (0.5 * 1.08 ** minute), 60)
    return time + 90 * 60


def port_scan(home, device, time):
    for port in home.rng.sample(range(1, 10_000), 800):
        home.flow(time, device, home.router, port, state="REJ")
        time += 0.2
    return time


def flood(home, device, time):
    target, proto = stranger(home), home.rng.choice(("tcp", "udp"))
    for _ in range(8000):
        home.flow(time, device, target, 80, proto, state="S0")
        time += 0.01
    return time


def calls(home, device, time, port, service, apart, hours):
    server, end = stranger(home), time + hours * HOUR
    while time < end:
        home.flow(time, device, server, port, service=service, sent=home.rng.randrange(40, 120), got=home.rng.randrange(40, 200))
        time += apart * home.rng.uniform(0.9, 1.1)
    return end


def command(home, device, time): return calls(home, device, time, home.rng.choice((6667, 48101, 1312, 9506)), "-", home.rng.uniform(20, 120), 3)
def command_tls(home, device, time): return calls(home, device, time, 443, "ssl", home.rng.uniform(30, 180), 6)


def guesses(home, device, time):
    target = stranger(home)
    for _ in range(300):
        home.flow(time, device, target, 22, service="ssh", sent=1500, got=1800)
        time += home.rng.uniform(0.5, 2)
    return time


def carry_out(home, device, time):
    target = stranger(home)
    for _ in range(40):
        home.flow(time, device, target, 8443, service="ssl", sent=2e7, got=40_000, seconds=50)
        time += 60
    return time


ATTACKS = {"scan": scan, "slow scan": slow_scan, "ramped scan": ramped_scan, "port scan": port_scan, "flood": flood,
           "command and control": command, "command and control in TLS": command_tls, "guesses": guesses, "carried out": carry_out}


def make(seed, attacks, poisoned=False, restless=False):
    """(log, [(attack, device, first second, last second)]): each attack on another device, in turn."""
    home = Home(f"{seed}/{poisoned}", restless)
    for device, lives in DEVICES.items():
        (television if restless and lives is phone else lives)(home, device)
    episodes = []
    for attack, device in zip(attacks, home.rng.sample(sorted(DEVICES), len(DEVICES))):
        if poisoned:
            first = START + home.rng.uniform(0, 600)
            last = first
            while last < START + 20 * HOUR:
                last = ATTACKS[attack](home, device, last + home.rng.uniform(HOUR, 3 * HOUR))
        else:
            first = START + LEARNED + home.rng.uniform(0, DAYS * DAY - LEARNED - 7 * HOUR)
            last = ATTACKS[attack](home, device, first)
        episodes.append((attack, device, first, last))
    return home.log(), episodes

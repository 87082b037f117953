"""bench `agent`: 1,000 execs a second on this machine, the real agent (preset `agent`: as devices get it), the real server.

collector_cpu_percent counts the collector and the kernel programs that run in the execing processes; total_cpu_percent also
the sender with aggregation, spool and TLS, until everything has arrived. Percent of one core."""

import json
import os
import pathlib
import subprocess
import time

from common import BUILD, TOP, build, result, rss_kib, say

AGENT_BUILD = pathlib.Path(os.environ.get("FIELDWATCH_AGENT_BUILD", TOP / "build" / "agent"))
FILES = [AGENT_BUILD / "src" / "agent" / name for name in ("fieldwatch-agent", "fieldwatch-collector")]
KERNEL_STATISTICS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
RATE = 1000


def build_agent():
    if not (AGENT_BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "agent", "-B", AGENT_BUILD], cwd=TOP, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", AGENT_BUILD, "fieldwatch-agent"], check=True, stdout=subprocess.DEVNULL)


def run_seconds(pid):
    """On a CPU so far, to the nanosecond."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def kernel_seconds(collector):
    """In its kernel programs so far, as their descriptors tell; 0 where the kernel does not count."""
    total = 0
    for path in pathlib.Path(f"/proc/{collector}/fdinfo").iterdir():
        for line in path.read_text().splitlines():
            if line.startswith("run_time_ns:"):
                total += int(line.split()[1])
    return total / 1e9


def spent(agent):
    collector, sender = map(run_seconds, agent.pids())
    return {"collector": collector, "sender": sender, "kernel": kernel_seconds(agent.pids()[0])}


def rss_mib(agent):
    return sum(map(rss_kib, agent.pids())) / 1024


def count(server, tag):
    """How many of the storm's processes arrived with their whole command line."""
    return server.query(f"SecurityIoTRawEvent | where RawEventName == 'ProcessCreate' and EventDetails has '{tag}' "
                        "and EventDetails has 'end-of-line' and EventDetails !has 'SecurityIoTRawEvent' "
                        "| summarize dcount(tostring(parse_json(EventDetails).CommandLine), 4)")[0][0]


def measure(server, agent, quick):
    agent.until_collecting()
    time.sleep(3)
    idle, before = (5 if quick else 30), spent(agent)
    time.sleep(idle)
    after = spent(agent)
    result("agent", "idle_cpu_percent", sum(after.values()) * 100 / idle - sum(before.values()) * 100 / idle, "%")
    result("agent", "rss_mib_idle", rss_mib(agent), "MiB")

    seconds, tag = (3 if quick else 15), f"storm-{os.getpid()}"
    say(f"agent: {RATE} execs a second for {seconds} s")
    before = spent(agent)
    storm = subprocess.Popen([BUILD / "benchmarks" / "exec_storm", str(RATE), str(seconds), tag], stdout=subprocess.PIPE, text=True)
    rss = 0
    while storm.poll() is None:
        rss = max(rss, rss_mib(agent))
        time.sleep(0.2)
    ran = json.loads(storm.stdout.read())
    for _ in range(120):  # until all has been sent; asking the server meanwhile would be execs of its own
        time.sleep(0.5)
        if agent.status()["waitingEvents"] == 0:
            break
    used = {part: value - before[part] for part, value in spent(agent).items()}
    say(f"agent: CPU seconds by part {used}, {ran['rate']:.0f} execs/s")
    time.sleep(1)
    result("agent", "exec_complete_percent", count(server, tag) * 100 / ran["started"], "%")
    result("agent", "execs_per_s", ran["rate"], "1/s")
    result("agent", "collector_cpu_percent", (used["collector"] + used["kernel"]) * 100 / ran["seconds"], "%")
    result("agent", "total_cpu_percent", sum(used.values()) * 100 / ran["seconds"], "%")
    result("agent", "rss_mib", rss, "MiB")


def bench(quick):
    if os.geteuid() != 0:
        raise SystemExit("./bench agent: the agent collects as root only")
    build("exec_storm", "fieldwatch")
    build_agent()
    os.environ["FIELDWATCH_AGENT"] = str(FILES[0])
    from agent_harness import Agent
    from harness import Server
    result("agent", "file_bytes", sum(path.stat().st_size for path in FILES), "B")
    counted = KERNEL_STATISTICS.read_text() if KERNEL_STATISTICS.exists() else None
    if counted is not None:
        KERNEL_STATISTICS.write_text("1")
    try:
        with Server() as server, Agent(server) as agent:
            measure(server, agent, quick)
    finally:
        if counted is not None:
            KERNEL_STATISTICS.write_text(counted)

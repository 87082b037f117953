"""Which alerts are one incident: an intrusion that goes from address to user to process, and what is near it but no part of it."""
from detect_input import *


def incidents(write):
    log = Log("S-incidents")
    ids = {"root": "0", "op": "1000", "a": "1001", "b": "1002"}
    shell = lambda line, pid, parent, user="op": process(line, user=user, user_id=ids[user], pid=pid, parent=parent)
    minute = 60
    # One story: an address tries, gets in as a user, the user's shell downloads, runs, hides.
    for second in range(12):
        log.send("intruded", "Login", login("Fail", "203.0.113.9", "op", 600 + second), second)
    log.send("intruded", "Login", login("Success", "203.0.113.9", "op"), 30)
    log.send("intruded", "ProcessCreate", shell("history -c", 700, 699), 10 * minute)
    log.send("intruded", "ProcessCreate", shell("auditctl -e 0", 800, 700, user="root"), 69 * minute)  # another user, the same process
    # An hour and a second after the last: a new one.
    log.send("intruded", "ProcessCreate", shell("rm -f /var/log/auth.log", 900, 800, user="root"), 129 * minute + 1)
    # On another device at the same time, by the same user: no part of it.
    log.send("elsewhere", "ProcessCreate", shell("history -c", 700, 699), 10 * minute)
    # Two stories beside each other on one device.
    for second, pid, user in ((0, 10, "a"), (1, 20, "b")):
        log.send("two", "ProcessCreate", shell("history -c", pid, pid + 1, user), second)
        log.send("two", "ProcessCreate", shell("auditctl -e 0", pid, pid + 1, user), second + 60)
    # Late, but of the hour.
    log.send("late", "ProcessCreate", shell("auditctl -e 0", 31, 30), 40 * minute)
    log.send("late", "ProcessCreate", shell("history -c", 31, 30), 0, delay=41 * minute)
    # An aggregate names no process: only its user links it.
    log.send("aggregate", "ProcessCreate", shell("history -c", 0, 0, "a"), 0)
    log.send("aggregate", "ProcessCreate", shell("auditctl -e 0", 0, 0, "b"), 1)
    # Nor do most agents name users: the id links.
    log.send("numbered", "ProcessCreate", process("history -c", user_id="1001", pid=50, parent=49), 0)
    log.send("numbered", "ProcessCreate", process("auditctl -e 0", user_id="1001", pid=60, parent=59), 60)
    log.send("numbered", "ProcessCreate", process("rm -f /var/log/auth.log", user_id="0", pid=61, parent=1), 61)
    # The same message again is the same alert, not an incident.
    once = log.event("ProcessCreate", shell("history -c", 70, 69), 0)
    log.message("duplicate", 1, once).message("duplicate", 5, once)
    write("S-incidents", log)

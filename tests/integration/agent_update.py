#!/usr/bin/python3
"""Updates of the real agent, from a web server of ours, under a service manager that starts it again when it ends: what is good stays,
what is not the owner's or not whole is refused, what does not connect goes, whatever is killed meanwhile."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import threading

from agent_harness import AGENT, Agent, events, run
from harness import Server, main


class Kept(Agent):
    """An agent that is started again when it ends, as the unit has it."""

    def until(self, what, probe, seconds=30):
        return super().until(what, probe, seconds)

    def when_ended(self):
        self.start()

    def program(self):
        """What runs as the collector."""
        try:
            return os.readlink(f"/proc/{self.process.pid}/exe")
        except OSError:
            return ""


class Shop:
    """A web server with a folder of images. `cut`: it ends the next answers after so many bytes; `asked`: what came, as (path, range)."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key.pem",
                        "-out", folder / "ca.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        self.cut = []
        self.asked = []
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data = (shop.folder / self.path.lstrip("/")).read_bytes()
                wanted = self.headers.get("Range")
                shop.asked.append((self.path, wanted))
                begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - begin))
                self.end_headers()
                with contextlib.suppress(OSError):  # who does not want it hangs up
                    self.wfile.write(data[begin:begin + shop.cut.pop(0)] if shop.cut else data[begin:])

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, name):
        return f"https://localhost:{self.server.server_port}/{name}.image"


@contextlib.contextmanager
def fleet(trial_seconds=120, **update):
    """A server, a shop, the owner's key, and an agent of the package, connected."""
    with Server() as server:
        server.data.chmod(0o755)  # the sender, who is nobody, reads the state of the slots
        shop = Shop(server.data / "shop")
        for name in ("owner", "stranger"):
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", server.data / f"{name}.pem"], check=True)
            subprocess.run(["openssl", "pkey", "-in", server.data / f"{name}.pem", "-pubout", "-out", server.data / f"{name}.pub"], check=True)
        settings = {"Update": {"KeyFile": str(server.data / "owner.pub"), "CaFile": str(shop.folder / "ca.pem"),
                               "SlotsDirectory": str(server.data / "slots"), "TrialSeconds": trial_seconds, **update}}
        with Kept(server, settings=settings) as agent:
            agent.until("connected", lambda: agent.status()["connected"])
            yield server, shop, agent


def sign(server, shop, name, version, agent=AGENT, collector=None, key="owner", *more):
    folder = server.data / f"programs-{name}"
    folder.mkdir()
    shutil.copy(agent, folder / "fieldwatch-agent")
    shutil.copy(collector or AGENT.parent / "fieldwatch-collector", folder / "fieldwatch-collector")
    for program in folder.iterdir():
        subprocess.run(["strip", program], check=True)
    server.cli("update", "sign", folder, "--version", version, "--key", server.data / f"{key}.pem", "--out", shop.folder / name, *more)


def announce(server, shop, name):
    server.cli("update", "announce", "--manifest", shop.folder / f"{name}.manifest", "--url", shop.url(name), "--device", "here")


def told(server):
    return json.loads(server.cli("update", "status", "--format", "json", "--device", "here"))[0]


def until_told(agent, state, version, seconds=60):
    def probe():
        now = told(agent.server)
        return now if (now["state"], now.get("version")) == (state, version) else None
    return agent.until(f"{version} {state}", probe, seconds)


def slots_state(server):
    return (server.data / "slots" / "state").read_text()


def a_good_update_stays():
    with fleet() as (server, shop, agent):
        assert pathlib.Path(agent.program()) == (AGENT.parent / "fieldwatch-collector").resolve()
        sign(server, shop, "good", "0.2.0")
        shop.cut = [100_000]
        announce(server, shop, "good")
        until_told(agent, "confirmed", "0.2.0", 120)
        assert agent.program() == str(server.data / "slots" / "a" / "fieldwatch-collector"), agent.program()
        first, second = shop.asked[0], shop.asked[-1]
        assert first == ("/good.image", None) and second[1] and 0 < int(second[1][6:-1]) <= 100_000, shop.asked
        run("mark-updated")
        assert events(server, "ProcessCreate", "mark-updated", seconds=60)
        assert oct(os.stat(server.data / "slots" / "a").st_mode)[-3:] == "700" and os.stat(server.data / "slots").st_uid == 0
        assert not (agent.folder / "state" / "update" / "image").exists()

        # It is what starts from now on; the same is not tried again; the next goes into the other slot.
        agent.stop()
        agent.start()
        agent.until("the slot's", lambda: agent.program().startswith(str(server.data / "slots" / "a")))
        agent.until("connected", lambda: agent.log().count("connected to the hub") >= 3)
        assert told(server)["state"] == "confirmed" and "trial" not in agent.log().split("stopped;")[-1]
        sign(server, shop, "next", "0.3.0")
        announce(server, shop, "next")
        until_told(agent, "confirmed", "0.3.0", 120)
        assert agent.program() == str(server.data / "slots" / "b" / "fieldwatch-collector"), agent.program()

        # What is damaged does not run: the package does.
        agent.stop()
        with open(server.data / "slots" / "b" / "fieldwatch-agent", "r+b") as program:
            program.seek(5000)
            program.write(b"\0" * 100)
        agent.start()
        agent.until("the package's", lambda: agent.program() == str((AGENT.parent / "fieldwatch-collector").resolve()))
        assert "no longer whole" in slots_state(server), slots_state(server)


def what_is_not_the_owners_is_refused():
    with fleet() as (server, shop, agent):
        pid = agent.process.pid
        sign(server, shop, "stranger", "0.2.0", key="stranger")
        announce(server, shop, "stranger")
        assert "not signed by this device's update key" in until_told(agent, "refused", "0.2.0")["reason"]
        sign(server, shop, "old", "0.0.9")
        announce(server, shop, "old")
        assert "go back from 0.1.0 to 0.0.9" in until_told(agent, "refused", "0.0.9")["reason"]
        assert shop.asked == [], "what is refused is not brought"

        sign(server, shop, "changed", "0.2.1")
        image = shop.folder / "changed.image"
        data = bytearray(image.read_bytes())
        data[-1] ^= 1
        image.write_bytes(data)
        announce(server, shop, "changed")
        assert "not what the manifest says" in until_told(agent, "failed", "0.2.1")["reason"]
        assert agent.process.pid == pid, "refused, and yet it ended"
        image.write_bytes(data + b"more")
        agent.until("the longer one", lambda: "bytes long" in told(server)["reason"], 60)

        # A sender that was taken over lays down what it likes: root looks again, and runs nothing of it.
        agent.stop()
        inbox = agent.folder / "state" / "update"
        shutil.copy(shop.folder / "stranger.manifest", inbox / "manifest")
        shutil.copy(shop.folder / "stranger.image", inbox / "image")
        agent.start()
        agent.until("the refusal", lambda: "0.0.0 refused" in agent.log())
        assert not (server.data / "slots" / "a").exists() and "not signed" in slots_state(server), slots_state(server)
        agent.until("connected", lambda: agent.status()["connected"])
        # Nor does it follow a link out of there, or wait for a pipe.
        sign(server, shop, "good", "0.2.5")
        package = str((AGENT.parent / "fieldwatch-collector").resolve())
        assert agent.program() == package, agent.program()
        agent.stop()
        shutil.rmtree(inbox)
        for trap in ("link to a folder", "link to a file", "pipe"):
            elsewhere = server.data / "elsewhere"
            shutil.rmtree(elsewhere, ignore_errors=True)
            elsewhere.mkdir()
            shutil.copy(shop.folder / "good.manifest", elsewhere / "manifest")
            shutil.copy(shop.folder / "good.image", elsewhere / "image")
            if trap == "link to a folder":
                inbox.symlink_to(elsewhere)
            else:
                inbox.mkdir()
                os.mkfifo(inbox / "image")
                if trap == "pipe":
                    os.mkfifo(inbox / "manifest")
                else:
                    (inbox / "manifest").symlink_to(elsewhere / "manifest")
            agent.start()
            agent.until(f"a collector despite a {trap}", lambda: agent.program() == package)
            agent.kill()
            assert "on trial" not in agent.log() and sorted(one.name for one in elsewhere.iterdir()) == ["image", "manifest"], trap
            assert "0.2.5" not in slots_state(server), slots_state(server)
            inbox.unlink() if inbox.is_symlink() else shutil.rmtree(inbox)

    with fleet(KeyFile="") as (server, shop, agent):
        sign(server, shop, "good", "0.2.0")
        announce(server, shop, "good")
        agent.until("off", lambda: told(server)["state"] == "off")
        assert shop.asked == [] and not (server.data / "slots").exists()


def what_does_not_connect_goes():
    with fleet(trial_seconds=10) as (server, shop, agent):
        package = str((AGENT.parent / "fieldwatch-collector").resolve())
        # Its collector does nothing, for as many seconds as its argument's number: it neither ends nor tells.
        sign(server, shop, "hangs", "0.2.0", collector="/bin/sleep")
        announce(server, shop, "hangs")
        agent.until("its trial", lambda: "0.2.0 is on trial" in agent.log(), 60)
        now = until_told(agent, "rolledBack", "0.2.0", 120)
        assert now["reason"] == "it was not connected within 10 s", now
        assert agent.program() == package, agent.program()
        sign(server, shop, "ends", "0.2.1", agent="/bin/false", collector="/bin/false")
        announce(server, shop, "ends")
        now = until_told(agent, "rolledBack", "0.2.1", 120)
        assert now["reason"] == "it ended before it was connected" and agent.program() == package, now
        said = agent.log()
        assert said.count("0.2.0 is on trial") == 1 and said.count("0.2.1 is on trial") == 1, "one trial each"
        assert events(server, "Diagnostic", "0.2.0 rolledBack") and events(server, "Diagnostic", "0.2.1 rolledBack")
        agent.until("collecting again", lambda: "collecting: processes by" in agent.log().split("0.2.1 rolledBack")[-1])
        run("mark-after")
        assert events(server, "ProcessCreate", "mark-after", seconds=60)


def a_kill_in_the_middle_leaves_one_that_works():
    with fleet() as (server, shop, agent):
        package = str((AGENT.parent / "fieldwatch-collector").resolve())
        sign(server, shop, "good", "0.2.0")
        shop.cut = [300_000, 0, 0, 0, 0]
        announce(server, shop, "good")
        agent.until("a part", lambda: len(shop.asked) >= 2)
        agent.kill()
        shop.cut = []
        port = server.profile["hubPort"]
        agent.start()
        agent.until("all of it", lambda: "0.2.0 staged" in agent.log(), 60)
        server.kill()  # on trial it finds no hub
        agent.until("its trial", lambda: "0.2.0 is on trial" in agent.log() and "slots" in agent.program(), 60)
        os.kill(agent.process.pid, signal.SIGKILL)
        agent.until("what was before", lambda: "rolledBack, it ended" in agent.log() and agent.program() == package, 60)
        server.start(hub_port=port)
        now = until_told(agent, "rolledBack", "0.2.0")
        assert now["reason"] == "it ended before it was connected", now
        assert [at for _, at in shop.asked if at] and shop.asked[0][1] is None, shop.asked


if __name__ == "__main__":
    main(a_good_update_stays, what_is_not_the_owners_is_refused, what_does_not_connect_goes, a_kill_in_the_middle_leaves_one_that_works)

#!/usr/bin/python3
"""The real agent and the real server's provisioning service: a device finds its hub, and finds it again when it was moved."""

import base64
import json
import subprocess
import time

from agent_harness import AGENT, OBJECT, Agent, events, request, run, self_signed
from harness import Credentials, Server, main, secret_file


def a_provisioned_device_finds_its_hub():
    with Server() as server:
        server.cli("hub", "create", "home")
        scope = json.loads(server.cli("enrollment", "scope", "--format", "json"))["idScope"]
        made = json.loads(server.cli("enrollment", "create", "press-1", "--format", "json"))
        key = secret_file(server.data / "registration.key", made["attestation"]["symmetricKey"]["primaryKey"] + "\n")
        host = Credentials(server.make_device("other").text).host
        text = server.data / "made.txt"
        done = subprocess.run([AGENT, "provision", "--dps-host", host.split(":")[0], "--port", str(server.profile["hubPort"]), "--id-scope", scope,
                               "--registration-id", "press-1", "--key-file", key, "--connection-string-file", text,
                               "--ca-file", server.data / "ca" / "ca.pem", "--config", server.data / "provisioned.json"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert text.stat().st_mode & 0o777 == 0o600 and "DeviceId=press-1" in text.read_text(), text.read_text()
        # A device has no module whose profile would set how soon its events leave.
        request(server, "PATCH", "/api/v1/hubs/home/devices/press-1/twin",
                {"properties": {"desired": {OBJECT: {"lowPriorityMessageFrequency": {"value": "PT1S"}}}}})
        settings = json.loads((server.data / "provisioned.json").read_text())["Configuration"]
        assert settings["Authentication"]["Identity"] == "DPS" and "Port" not in settings, settings
        with Agent(server, "press-1", text.read_text().strip(), settings={"Authentication": settings["Authentication"]}) as agent:
            agent.until_collecting()
            run("mark-provisioned")
            events(server, "ProcessCreate", "mark-provisioned")
            assert "provisioning: asking" not in agent.log(), "the hub is known"
        key.write_text(base64.b64encode(b"another").decode())
        refused = subprocess.run([AGENT, "provision", "--dps-host", host.split(":")[0], "--port", str(server.profile["hubPort"]), "--id-scope", scope,
                                  "--registration-id", "press-1", "--key-file", key, "--connection-string-file", text,
                                  "--ca-file", server.data / "ca" / "ca.pem", "--config", server.data / "refused.json"],
                                 capture_output=True, text=True)
        assert refused.returncode == 1 and "refuses" in refused.stderr, refused


def a_certificate_provisions_too():
    with Server() as server:
        server.cli("hub", "create", "home")
        scope = json.loads(server.cli("enrollment", "scope", "--format", "json"))["idScope"]
        own, both = self_signed(server.data, "press-2")
        server.cli("enrollment", "create", "press-2", "--certificate", own)
        host = Credentials(server.make_device("other").text).host
        text = server.data / "made.txt"

        def provision(certificate):
            return subprocess.run([AGENT, "provision", "--dps-host", host.split(":")[0], "--port", str(server.profile["hubPort"]),
                                   "--id-scope", scope, "--registration-id", "press-2", "--certificate", certificate,
                                   "--connection-string-file", text, "--ca-file", server.data / "ca" / "ca.pem",
                                   "--config", server.data / "provisioned.json"], capture_output=True, text=True)
        refused = provision(self_signed(server.data, "stranger")[1])
        assert refused.returncode == 1 and "refuses" in refused.stderr and not text.exists(), refused
        done = provision(both)
        assert done.returncode == 0, done.stderr
        assert "x509=true" in text.read_text() and "SharedAccessKey" not in text.read_text(), text.read_text()
        request(server, "PATCH", "/api/v1/hubs/home/devices/press-2/twin",
                {"properties": {"desired": {OBJECT: {"lowPriorityMessageFrequency": {"value": "PT1S"}}}}})
        with Agent(server, "press-2", text.read_text().strip(), certificate=both) as agent:
            agent.until_collecting()
            run("mark-certified")
            events(server, "ProcessCreate", "mark-certified")


class Plant:
    """Two hubs of one server, under two names, and one workspace; a registration that is given the first."""

    def __init__(self, server):
        self.server = server
        for hub, name in (("home", "127.0.0.1"), ("north", "localhost")):
            request(server, "PUT", f"/api/v1/hubs/{hub}", {"hostNames": name, "workspace": "home"})
        twin = server.data / "twin.json"
        twin.write_text(json.dumps({"properties": {"desired": {OBJECT: {
            f"{queue}PriorityMessageFrequency": {"value": "PT1S"} for queue in ("high", "low")}}}}))
        self.options = ["--allocation", "static", "--twin", twin]
        made = json.loads(server.cli("enrollment", "create", "press-1", *self.options, "--to", "home", "--format", "json"))
        self.keys = made["attestation"]["symmetricKey"]
        self.key_file = secret_file(server.data / "registration.key", self.keys["primaryKey"] + "\n")

    def settings(self):
        """An agent's that knows its registration, and no hub."""
        scope = json.loads(self.server.cli("enrollment", "scope", "--format", "json"))["idScope"]
        return {"ConnectionStringFile": "", "Authentication": {
            "Identity": "DPS", "AuthenticationMethod": "SymmetricKey", "FilePath": str(self.key_file),
            "DPS": {"Host": "127.0.0.1", "Port": self.server.profile["hubPort"], "IDScope": scope, "RegistrationId": "press-1"}}}

    def agent(self):
        return Agent(self.server, "press-1", "HostName=nobody.example;DeviceId=nobody;SharedAccessKey=a2V5", settings=self.settings())

    def move(self, hub):
        self.server.cli("enrollment", "create", "press-1", *self.options, "--to", hub, "--primary-key", self.keys["primaryKey"],
                        "--secondary-key", self.keys["secondaryKey"])


def connected_to(agent, host):
    def probe():
        status = agent.status()
        return status["connected"] and status["hub"].startswith(host) and status["provisioning"] == "assigned"
    agent.until(f"connected to {host}", probe, 90)


def a_device_that_is_moved_follows_and_loses_nothing():
    with Server() as server:
        plant = Plant(server)
        agent = plant.agent()
        said = subprocess.run([AGENT, "check-config", "--config", agent.config], capture_output=True, text=True)
        assert said.returncode == 0 and "registration press-1 at 127.0.0.1" in said.stdout, said
        with agent:
            agent.until_collecting()
            connected_to(agent, "127.0.0.1")
            run("mark-moved", "before")
            events(server, "ProcessCreate", "mark-moved")

            plant.move("north")
            time.sleep(2)
            assert agent.log().count("provisioning: asking") == 1, "the hub still serves it"
            request(server, "PATCH", "/api/v1/hubs/home/devices/press-1", {"status": "disabled"})
            for number in range(40):
                run("mark-moved", f"meanwhile-{number}")
                time.sleep(0.1)
            connected_to(agent, "localhost")
            run("mark-moved", "after")
            events(server, "ProcessCreate", "mark-moved", 42, 60)
            time.sleep(2)
            lines = [one["CommandLine"] for one in events(server, "ProcessCreate", "mark-moved", 42)]
            wanted = {"/bin/echo mark-moved " + rest for rest in ["before", "after"] + [f"meanwhile-{n}" for n in range(40)]}
            assert wanted <= set(lines), f"lost: {sorted(wanted - set(lines))}"
            assert len(lines) == len(set(lines)), f"twice: {sorted(line for line in lines if lines.count(line) > 1)}"
            assert "moved from 127.0.0.1" in agent.log(), agent.log_tail()
            events(server, "Diagnostic", "moved from 127.0.0.1")
            kept = agent.folder / "state" / "assignment"
            assert kept.stat().st_mode & 0o777 == 0o600 and "\nlocalhost:" in kept.read_text(), kept.read_text()

            # From then on it starts there, and asks nobody.
            asked = agent.log().count("provisioning: asking")
            agent.stop()
            agent.start()
            agent.until("connected again", lambda: agent.log().count("connected to the hub") >= 3)
            assert agent.log().count("provisioning: asking") == asked, agent.log_tail()


def a_service_that_does_not_answer_changes_nothing():
    with Server() as server:
        agent = Plant(server).agent()
        port = server.profile["hubPort"]
        with agent:
            agent.until_collecting()
            connected_to(agent, "127.0.0.1")
            server.kill()  # hub and service at once
            agent.until("asked in vain", lambda: "127.0.0.1:%d stays the hub" % port in agent.log(), 90)
            status = agent.status()
            assert not status["connected"] and status["hub"] == f"127.0.0.1:{port}", status
            run("mark-kept")
            server.start(hub_port=port)
            connected_to(agent, "127.0.0.1")
            events(server, "ProcessCreate", "mark-kept")


if __name__ == "__main__":
    main(a_provisioned_device_finds_its_hub, a_certificate_provisions_too, a_device_that_is_moved_follows_and_loses_nothing,
         a_service_that_does_not_answer_changes_nothing)

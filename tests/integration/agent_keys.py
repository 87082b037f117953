#!/usr/bin/python3
"""The agent whose private key is in no file: in a PKCS#11 token (softhsm2), in a TPM (swtpm). Real tokens, in software."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from agent_harness import AGENT, NO_LEAK_SEARCH, Agent, events, run
from harness import Server, main, secret_file

SOFTHSM = pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")


def done(*command, **options):
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, **options)
    assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
    return ran.stdout


def lacks(*programs):
    missing = [str(one) for one in programs if not (one.exists() if isinstance(one, pathlib.Path) else shutil.which(one))]
    if missing:
        print(f"        NOT TESTED: no {', '.join(missing)} (tools/setup full)", flush=True)
    return bool(missing)


def agent_by(server, device, certificate, environment, **authentication):
    """The agent of `device`, which that certificate names; its key is where `authentication` says."""
    shown = done("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")
    server.cli("hub", "create", "home")
    server.cli("device", "create", device, "--hub", "home", "--module", "azureiotsecurity", "--auth", "x509-thumbprint",
               "--thumbprint", shown.split("=")[1].strip().replace(":", ""))
    text = server.cli("device", "connection-string", device, "--hub", "home", "--module", "azureiotsecurity").strip()
    certificate.chmod(0o600)
    return Agent(server, device, text, certificate=certificate, environment=environment, settings={"Authentication": {
        "AuthenticationMethod": "Certificate", "FilePath": str(certificate), **authentication}})


def is_an_identity(agent, server, mark):
    with agent:
        agent.until_collecting()
        run(mark)
        events(server, "ProcessCreate", mark)


def two_ports():
    """The first of two that are free, as TPM simulators are spoken to."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


class Tpm:
    """A TPM in software, and the resource manager that shares it out: the kernel's /dev/tpmrm0 on a device, tpm2-abrmd here."""

    def __init__(self, state):
        state.mkdir()
        port = two_ports()
        self.processes = []
        self.start(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server", f"type=tcp,port={port}",
                    "--ctrl", f"type=tcp,port={port + 1}", "--flags", "not-need-init,startup-clear"])
        self.until("swtpm", lambda: listens(port + 1))
        bus = self.start(["dbus-daemon", "--session", "--nofork", "--print-address"])
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().decode().strip(), "TPM2OPENSSL_TCTI": "tabrmd:bus_type=session"}
        self.start(["tpm2-abrmd", "--session", "--allow-root", f"--tcti=swtpm:host=127.0.0.1,port={port}"])
        everything = {**os.environ, **self.environment}
        self.until("tpm2-abrmd", lambda: subprocess.run(["openssl", "list", "-providers", "-provider", "tpm2"], env=everything,
                                                        capture_output=True).returncode == 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        self.processes = []

    def start(self, command):
        environment = {**os.environ, **getattr(self, "environment", {})}
        self.processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment))
        return self.processes[-1]

    def until(self, what, probe):
        for _ in range(100):
            if probe():
                return
            time.sleep(0.1)
        self.__exit__()
        raise AssertionError(f"{what} did not come up")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


def check(agent, environment):
    return subprocess.run([AGENT, "check-config", "--config", agent.config], capture_output=True, text=True, env=environment)


def a_key_in_a_pkcs11_token():
    if lacks(SOFTHSM, "softhsm2-util", "pkcs11-tool"):
        return
    with Server() as server:
        tokens = server.data / "tokens"
        tokens.mkdir()
        (server.data / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
        environment = {"SOFTHSM2_CONF": str(server.data / "softhsm2.conf")}
        everything = {**os.environ, **environment}
        done("softhsm2-util", "--init-token", "--free", "--label", "agent", "--so-pin", "987654", "--pin", "123456", env=everything)
        done("pkcs11-tool", "--module", SOFTHSM, "--login", "--pin", "123456", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "agent",
             "--id", "01", "--token-label", "agent", env=everything)
        uri = "pkcs11:token=agent;object=agent;type=private"
        certificate = server.data / "token.pem"
        done("openssl", "req", "-new", "-x509", "-engine", "pkcs11", "-keyform", "engine", "-key", f"{uri}?pin-value=123456", "-subj", "/CN=token",
             "-days", "2", "-out", certificate, env={**everything, "PKCS11_MODULE_PATH": str(SOFTHSM)})
        assert "PRIVATE KEY" not in certificate.read_text()
        # The token is the account's that the sender becomes, as on a device its group would be.
        for path in (tokens, *tokens.rglob("*")):
            os.chown(path, 65534, 65534)
        os.chmod(server.data, 0o755)
        pin = secret_file(server.data / "pin", "123456\n")
        agent = agent_by(server, "token", certificate, environment, KeyUri=uri, KeyEngine="pkcs11", KeyModule=str(SOFTHSM), KeyPinFile=str(pin))
        good = check(agent, everything)
        assert good.returncode == 0 and "good" in good.stdout, good
        is_an_identity(agent, server, "mark-token")

        pin.write_text("000000\n")
        refused = check(agent, everything)
        assert refused.returncode == 1 and "key pkcs11:token=agent" in refused.stderr and "000000" not in refused.stderr, refused
        pin.chmod(0o644)
        refused = check(agent, everything)
        assert refused.returncode == 1 and "read by others" in refused.stderr, refused
        config = json.loads(agent.config.read_text())
        config["Configuration"]["Authentication"]["KeyModule"] = "/nonexistent.so"
        agent.config.write_text(json.dumps(config))
        pin.chmod(0o600)
        refused = check(agent, everything)
        assert refused.returncode == 1 and "key pkcs11:" in refused.stderr, refused


def a_key_in_a_tpm():
    if lacks("swtpm", "dbus-daemon", "tpm2-abrmd", pathlib.Path("/usr/lib/x86_64-linux-gnu/ossl-modules/tpm2.so")):
        return
    with Server() as server:
        with Tpm(server.data / "tpm") as tpm:
            # What the provider holds of the TPM is out of a sanitizer's sight once the module is unloaded.
            everything = {**os.environ, **tpm.environment, **NO_LEAK_SEARCH}
            key, certificate = server.data / "tpm.key", server.data / "tpm.pem"
            done("openssl", "genpkey", "-provider", "tpm2", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", key, env=everything)
            assert "TSS2 PRIVATE KEY" in key.read_text(), "wrapped by that TPM, of no use without it"
            done("openssl", "req", "-provider", "tpm2", "-provider", "default", "-new", "-x509", "-key", key, "-subj", "/CN=tpm", "-days", "2",
                 "-out", certificate, env=everything)
            agent = agent_by(server, "tpm", certificate, tpm.environment, KeyUri=f"file:{key}", KeyProvider="tpm2")
            good = check(agent, everything)
            assert good.returncode == 0, good
            is_an_identity(agent, server, "mark-tpm")
        refused = check(agent, everything)
        assert refused.returncode == 1 and "key file:" in refused.stderr, refused


if __name__ == "__main__":
    main(a_key_in_a_pkcs11_token, a_key_in_a_tpm)

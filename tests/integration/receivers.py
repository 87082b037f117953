"""Those who receive findings in tests of exports: a webhook, syslog, a mailbox, a stream of NATS; and a certificate for them."""

import base64
import email
import email.policy
import http.server
import re
import socket
import subprocess
import threading
import time

from harness import PATIENCE


class Webhook:
    """An HTTP receiver. `statuses` are its next answers, then 200."""

    def __init__(self, port=0):
        outer = self
        self.requests, self.statuses = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((dict(self.headers), body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Syslog:
    """A TCP receiver of octet-counted frames; takes nothing else."""

    def __init__(self, port=0, tls=None):
        self.lines, self.wrong = [], []
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.tls = tls
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                with connection, connection.makefile("rb") as stream:
                    while True:
                        length = b""
                        while (byte := stream.read(1)) not in (b"", b" "):
                            length += byte
                        if not byte:
                            break
                        self.lines.append(stream.read(int(length)).decode())
            except Exception as problem:  # the test looks at them
                self.wrong.append(problem)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Mailbox:
    """A mail server: STARTTLS or TLS from the first byte with `tls`, AUTH PLAIN with `login`. `answers` are its next ones to a whole mail; who is
    in `unknown` is no recipient."""

    def __init__(self, port=0, tls=None, implicit=False, login=None, unknown=()):
        self.mails, self.answers, self.wrong, self.logins = [], [], [], []
        self.tls, self.implicit, self.login, self.unknown = tls, implicit, login, unknown
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(connection,), daemon=True).start()

    def guarded(self, connection):
        try:
            with connection:
                self.serve(connection)
        except Exception as problem:  # a client that does not trust us; the test looks at what matters
            self.wrong.append(problem)

    def serve(self, connection):
        if self.implicit:
            connection = self.tls.wrap_socket(connection, server_side=True)
        secure = self.implicit
        stream = connection.makefile("rb")
        say = lambda text: connection.sendall(text.encode() + b"\r\n")
        say("220 mail.example")
        logged_in, sender, recipients = not self.login, None, []
        while line := stream.readline():
            command = line.decode().rstrip("\r\n")
            verb = command.split(" ")[0].upper()
            if verb == "EHLO":
                if self.tls and not secure:
                    say("250-STARTTLS")
                if self.login:
                    say("250-AUTH PLAIN LOGIN")
                say("250 SIZE 1000000")
            elif verb == "STARTTLS":
                say("220 go")
                connection = self.tls.wrap_socket(connection, server_side=True)
                stream, secure = connection.makefile("rb"), True
            elif verb == "AUTH":
                parts = command.split(" ")
                if len(parts) == 2:
                    say("334 ")
                    parts.append(stream.readline().decode().strip())
                said = tuple(base64.b64decode(parts[2]).decode().split("\0")[1:])
                logged_in = said == self.login
                self.logins.append((said, secure))
                say("235 yes" if logged_in else "535 no")
            elif verb == "MAIL":
                sender, recipients = command[10:].split(" ")[0], []
                say("250 ok" if logged_in else "530 log in")
            elif verb == "RCPT":
                known = command[8:] not in [f"<{one}>" for one in self.unknown]
                recipients += [command[8:]] if known else []
                say("250 ok" if known else "550 no such mailbox")
            elif verb == "DATA":
                say("354 go" if recipients else "503 no")
                lines = []
                while recipients and (line := stream.readline()) != b".\r\n":
                    assert line.endswith(b"\r\n") and len(line) <= 1000, line
                    lines.append(line)
                mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                answer = self.answers.pop(0) if self.answers else "250 taken"
                if answer.startswith("250"):
                    self.mails.append((sender, recipients, mail))
                say(answer)
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def shells(self):
        return shells(mail.get_content() for _, _, mail in self.mails)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def shells(texts):
    return sorted({int(n) for text in texts for n in re.findall(r"203\.0\.113\.(\d+)/4444", text)})


def certificate(directory):
    """One of a receiver's own, for 127.0.0.1."""
    files = (directory / "cert.pem", directory / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=receiver", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def ask_nats(port, subject, body):
    """A request of NATS' own text protocol, and its answer."""
    deadline = time.monotonic() + 30 * PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as stream:
                stream.readline()  # INFO
                connection.sendall(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n' +
                                   f"PUB {subject} answer {len(body)}\r\n{body}\r\n".encode())
                while line := stream.readline():
                    if line.startswith(b"MSG"):
                        return stream.read(int(line.split()[-1])).decode()
        except OSError:
            pass
        assert time.monotonic() < deadline, "no answer of NATS"
        time.sleep(0.2)

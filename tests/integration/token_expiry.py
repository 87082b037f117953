#!/usr/bin/python3
"""What becomes of connections whose token ends while they stand, over each protocol, with clients that we did not write:
qpid-proton, paho, Python's own HTTP. Spec sections 2.3 and 5.2."""

import http.client
import pathlib
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))

from harness import PATIENCE, Device, Server, main
from proton_hub import Hub, proton
from proton.utils import ConnectionClosed, LinkDetached

GRACE = 2  # seconds
SHORT = 3 * max(1, int(PATIENCE))  # a token that is shown in time and ends soon
server = None


def lapsed_rows(device):
    """The results that a lapse leaves in the operation log, in its order."""
    rows = server.wait_for(
        "AzureDiagnostics | extend P = parse_json(properties_s) | where OperationName == 'deviceDisconnect' "
        f"and P.deviceId == '{device}' | where ResultType in ('401003', '404104') | project ResultType, Level",
        lambda rows: len(rows) >= 2)
    assert sorted(rows) == [["401003", "Error"], ["404104", "Error"]], rows


def send(sender, body=b"m"):
    sender.send(proton.Message(body=body, inferred=True), timeout=15 * PATIENCE)


def gone(connection, link, seconds):
    """Why the hub ended the link, within so much time; None when it stands."""
    try:
        connection.wait(lambda: link.link.state & proton.Endpoint.REMOTE_CLOSED, timeout=seconds, msg="the link's end")
    except LinkDetached as reason:
        return str(reason)
    except ConnectionClosed as reason:
        return str(reason)
    except proton.Timeout:
        return None
    return "closed without a word"


def admitted(name, expiry):
    """A device whose token ends then: (device, hub, connection, its link)."""
    known = server.make_device(name)
    hub = Hub(server)
    connection = hub.connect()
    assert hub.put_token(connection, known.token(expiry)) == 200
    return known, hub, connection, connection.create_sender(f"/{known.prefix}/messages/events")


def an_amqp_link_ends_with_its_token():
    _, _, connection, sender = admitted("lapses", time.time() + SHORT)
    send(sender)
    reason = gone(connection, sender, (SHORT + GRACE + 15) * PATIENCE)
    assert reason and "amqp:unauthorized-access" in reason, reason
    lapsed_rows("lapses")


def a_renewed_token_keeps_an_amqp_link():
    known, hub, connection, sender = admitted("renews", time.time() + SHORT)
    send(sender)
    assert hub.put_token(connection, known.token(time.time() + 3600)) == 200
    assert gone(connection, sender, SHORT + GRACE + 3) is None
    send(sender, b"still here")
    connection.close()


def a_renewal_within_the_grace_is_in_time():
    expiry = int(time.time()) + 1 + SHORT  # long enough for a slow build to admit the device with it
    known, hub, connection, sender = admitted("late", expiry)
    time.sleep(max(0.0, expiry + 0.3 - time.time()))
    assert hub.put_token(connection, known.token(time.time() + 3600)) == 200
    assert gone(connection, sender, GRACE + 3) is None
    send(sender)
    connection.close()


def an_mqtt_connection_ends_with_its_token():
    known = server.make_device("mqtt-lapses")
    device = Device(server, known, expires=time.time() + SHORT)
    ended = []
    device.client.on_disconnect = lambda *_: ended.append(time.time())
    device.client.reconnect_delay_set(600, 600)
    assert device.connect() == 0
    device.send("one", "{}", marked=False)
    device.wait_acknowledged(1)
    deadline = time.monotonic() + (SHORT + GRACE + 15) * PATIENCE
    while not ended:
        assert time.monotonic() < deadline, "the connection outlived its token"
        time.sleep(0.05)
    device.close()
    lapsed_rows("mqtt-lapses")


def over_https_each_request_shows_a_token_that_holds():
    known = server.make_device("https")
    web = http.client.HTTPSConnection("localhost", server.profile["hubHttpsPort"], timeout=30,
                                      context=ssl.create_default_context(cafile=server.profile["caFile"]))

    def post(token):
        web.request("POST", f"/{known.prefix}/messages/events?api-version=2020-03-13", b"{}", {"Authorization": token, "Host": known.host})
        answer = web.getresponse()
        answer.read()
        return answer.status

    expiry = int(time.time()) + SHORT
    short = known.token(expiry)
    assert post(short) == 204
    socket = web.sock
    time.sleep(max(0.0, expiry + 1 - time.time()))
    assert post(short) == 401
    assert post(known.token()) == 204
    assert web.sock is socket, "on one connection, which a refusal does not end"
    web.close()


if __name__ == "__main__":
    server = Server()
    settings = server.data.with_suffix(".yaml")
    settings.write_text(f"token_grace_seconds: {GRACE}\ntoken_skew_seconds: 0\n")
    try:
        server.start("--config", settings)
        main(an_amqp_link_ends_with_its_token, a_renewed_token_keeps_an_amqp_link, a_renewal_within_the_grace_is_in_time,
             an_mqtt_connection_ends_with_its_token, over_https_each_request_shows_a_token_that_holds)
    finally:
        settings.unlink()
        server.__exit__()

#!/usr/bin/python3
"""Long queries of one person leave room for the others, and for everything that is no query."""

import http.client
import json
import threading
import time
import urllib.parse

from harness import PATIENCE, Server, main

# No end of it is seen: the numbers of a million rows by those of another.
LONG = "range a from 1 to 1000000 step 1 | extend k = 1 | join kind=inner (range b from 1 to 1000000 step 1 | extend k = 1) on k | where a + b < 0 | count"


def ask(server, method, target, body=None, headers=(), token=None):
    where = urllib.parse.urlparse(server.profile["server"])
    web = http.client.HTTPConnection(where.hostname, where.port, timeout=120 * PATIENCE)
    web.request(method, target, None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {token or server.profile['token']}", **dict(headers)})
    answer = web.getresponse()
    said = answer.read()
    web.close()
    return answer.status, answer.headers, said


def long_queries_leave_room():
    with Server() as server:
        server.cli("hub", "create", "home")
        path = f"/v1/workspaces/{json.loads(server.cli('hub', 'show', 'home', '--format', 'json'))['workspace']}/query"
        status, _, said = ask(server, "PUT", "/api/v1/tokens/other", {"role": "analyst"})
        assert status == 201, said
        other = json.loads(said)["token"]

        def query(text, token=None, wait=0):
            return ask(server, "POST", path, {"query": text}, {"prefer": f"wait={wait}"}.items() if wait else (), token)

        ends = []

        def run_long():
            while (status := query(LONG, wait=int(12 * PATIENCE))[0]) == 429:  # the one below may be before it
                time.sleep(0.05)
            ends.append(status)

        running = [threading.Thread(target=run_long) for _ in range(3)]
        for one in running:
            one.start()
        deadline = time.monotonic() + 10 * PATIENCE
        while (refused := query("print 1"))[0] != 429:
            assert time.monotonic() < deadline, f"three queries run, and a fourth was taken: {ends}"
        assert refused[1]["Retry-After"] == "1", refused[1]
        error = json.loads(refused[2])["error"]
        assert error == {"code": "ThrottledError", "message": "3 queries of yours are running: wait until one of them has ended"}, error
        assert query("print 1", other)[0] == 200, "another token's query is not theirs"
        assert ask(server, "GET", "/api/v1/hubs")[0] == 200
        assert ask(server, "GET", "/healthz")[0] == 200
        assert len(ends) == 0, "they were to be running still"
        # The command line waits for its turn.
        assert server.query("print 7") == [[7]]
        for one in running:
            one.join()
        assert ends == [504, 504, 504], ends
        assert query("print 1")[0] == 200


if __name__ == "__main__":
    main(long_queries_leave_room)

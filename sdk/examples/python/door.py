#!/usr/bin/python3
"""A door that tells when it was opened: door.py CONNECTION_STRING_FILE CA_FILE [DOOR]. Needs fieldwatch_security on PYTHONPATH,
or installed with `pip install sdk/python`."""

import pathlib
import sys

from fieldwatch_security import Message, Sender


def main(connection_string_file, ca_file, door="1"):
    message = Message("door 1.0")
    message.add("Custom", [{"Name": "door-opened", "ExtraDetails": {"door": door, "language": "python"}}])
    with Sender(pathlib.Path(connection_string_file).read_text().strip(), ca_file) as sender:
        sender.send(message)  # returns when the hub has it on disk


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

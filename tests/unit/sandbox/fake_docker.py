"""Stands in for the `docker` command where there is no engine: runs what the container would, in FAKE_DOCKER_JAIL."""

from __future__ import annotations

import json
import os
import sys


def main(words: list[str]) -> None:
    if os.environ.get("FAKE_DOCKER_LOG"):
        with open(os.environ["FAKE_DOCKER_LOG"], "a") as log:
            log.write(json.dumps(words) + "\n")
    if words[0] == "info":
        print(json.dumps({"Runtimes": {"runc": {}, "runsc": {}}}))
    elif words[:2] == ["image", "inspect"]:
        if words[-1] != "python:3.12-slim":
            sys.exit("Error: No such image")
        print(json.dumps("sha256:1234"))
    elif words[0] == "run":
        mount = dict(part.partition("=")[::2] for part in words[words.index("--mount") + 1].split(","))
        start = words.index("--entrypoint") + 3
        inner = [word.replace(mount["target"], mount["source"]) for word in words[start:]]
        environment = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--env")
        command = [*json.loads(os.environ.get("FAKE_DOCKER_JAIL", "[]")), os.path.realpath(sys.executable), *inner]
        os.execvpe(command[0], command, environment)


main(sys.argv[1:])

"""The web process of the world: starts a run for each POST /orders/<order id>, as a shop's view would."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from nexum.client.connect import connect
from nexum.client.start import StartRequest
from nexum.errors import NexumError
from nexum.testing.fakes.serving import Asked, Reply, Server


def answer(asked: Asked) -> Reply:
    """Start the run of an order; the order id is the run key, so a client may ask again and again."""
    parts = urlsplit(asked.path).path.strip("/").split("/")
    if asked.method != "POST" or len(parts) != 2 or parts[0] != "orders":
        return Reply({"error": "POST /orders/<order id>"}, status=404)
    order = {"order_id": parts[1], "amount": int(asked.body["amount"])}
    workflow = str(asked.body["workflow"])
    try:
        started = connect().start(StartRequest(workflow, order, run_key=parts[1], actor="web"))
    except NexumError as error:
        return Reply({"error": str(error), "code": error.code}, status=503)
    return Reply({"run_id": started.run_id, "existing": started.existing}, status=201)


def main() -> None:
    """Serve on the port that is given until somebody kills us."""
    server = Server(int(sys.argv[1]), answer)
    sys.stdout.write(f"web {os.getpid()} on {server.server_port}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()

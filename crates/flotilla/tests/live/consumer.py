"""A consumer for tests of `flotilla contract test`: reads by way of `flotilla events tail`, and prints each event once.
Each option plants a fault.

    consumer.py FLOTILLA [--twice] [--skips TYPE]
"""

import argparse
import json
import subprocess

KNOWN = {
    "OrderPlaced", "OrderConfirmed", "OrderCancellationRequested", "OrderCancelled", "OrderShipped", "OrderCompleted",
    "OrderCompensated", "OrderReturned",
}

options = argparse.ArgumentParser()
options.add_argument("flotilla")
options.add_argument("--twice", action="store_true")
options.add_argument("--skips")
options = options.parse_args()

tail = subprocess.Popen(
    [
        options.flotilla, "--json", "events", "tail", "--from-beginning", "--idle-seconds", "60",
        "--topic", "order.events",
    ],
    stdout=subprocess.PIPE,
    text=True,
)
seen = set()
for line in tail.stdout:
    record = json.loads(line)
    headers = record["headers"]
    kind = headers["ce_type"].rsplit(".", 1)[-1]
    event = headers["ce_source"], headers["ce_id"]
    if kind not in KNOWN or kind == options.skips or (event in seen and not options.twice):
        continue
    seen.add(event)
    print(json.dumps({"source": event[0], "id": event[1], "type": kind, "data": record["value"]}), flush=True)

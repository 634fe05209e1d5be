"""Prints the events of one order, or of all of them, each once: one line of JSON for each.

    python consume.py [ORDER] [--group NAME] [--idle SECONDS]

Ends when the order has come to its end, or when nothing was printed for some seconds.
"""

import argparse, json, os, sys, time
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

BROKERS = os.environ["FLOTILLA_KAFKA_BROKERS"]
TOPICS = ["order.events", "payment.events", "inventory.events", "shipping.events"]
# After these order's topic has no more to say of an order that is not sent back.
ENDS = {"flotilla.order.v1.OrderCompleted", "flotilla.order.v1.OrderCompensated"}

options = argparse.ArgumentParser()
options.add_argument("order", nargs="?")
options.add_argument("--group", default="example-python")
options.add_argument("--idle", type=float, default=30)
options = options.parse_args()

consumer = Consumer({
    "bootstrap.servers": BROKERS,
    "group.id": options.group,
    "auto.offset.reset": "earliest",  # A new group begins with the first event; the default is "latest".
    "partition.assignment.strategy": "cooperative-sticky",  # Whoever joins or leaves stops only what moves.
    # The offset of a message is stored once it was handled; by default that happens before, and a crash loses it.
    "enable.auto.offset.store": False,
    "auto.commit.interval.ms": 1000,
})
admin = AdminClient({"bootstrap.servers": BROKERS})
# Reads the schema that a message was written with, by the id in its first five bytes, and keeps it.
decode = AvroDeserializer(SchemaRegistryClient({"url": os.environ["FLOTILLA_REGISTRY_URL"]}))
# Delivery is at least once. What must not happen twice belongs in one transaction with this id, in a database: this
# set ends with the process.
seen = set()
# Where the topics ended when the order did. Topics are not ordered among each other: order's last event may be read
# before payment's, though it was published after them.
ends = None
last = time.monotonic()


def revoked(_consumer, partitions):
    """Whoever gets these partitions goes on where we stopped. This runs within `poll`, between two messages."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._NO_OFFSET:  # Nothing was handled since the last commit.
            print(f"not committed, so it will be read again: {error}", file=sys.stderr)


def ends_of(partitions):
    # The consumer's `get_watermark_offsets` would wait behind its fetches, half a second for each partition.
    asked = admin.list_offsets({p: OffsetSpec.latest() for p in partitions})
    return {(p.topic, p.partition): end.result().offset for p, end in asked.items()}


def is_at_end():
    committed = consumer.committed(consumer.assignment())  # Of a partition of which nothing is, a negative number.
    return all(max(p.offset, 0) >= ends.get((p.topic, p.partition), 0) for p in committed)


consumer.subscribe(TOPICS, on_revoke=revoked)
try:
    while time.monotonic() - last < options.idle:
        message = consumer.poll(0.2)
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            headers = {name: value.decode() for name, value in message.headers() or []}
            event = headers.get("ce_source"), headers.get("ce_id")
            if options.order in (None, message.key().decode()) and event not in seen:
                seen.add(event)
                data = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
                print(json.dumps({
                    "topic": message.topic(), "partition": message.partition(), "offset": message.offset(),
                    **{name: headers[f"ce_{name}"] for name in ("type", "source", "id", "sequence", "time")},
                    "data": data,
                }, default=str), flush=True)
                last = time.monotonic()
                if options.order and headers["ce_type"] in ENDS:
                    ends = ends_of(consumer.assignment())
            consumer.store_offsets(message)
        elif ends and is_at_end():
            break
finally:
    consumer.close()  # Commits, and leaves the group, so that nobody waits for us.

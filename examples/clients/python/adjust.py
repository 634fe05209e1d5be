"""Tells the warehouse's topic that the units of an item have changed.

    python adjust.py SKU DELTA ADJUSTMENT_ID

An adjustment counts once however often it is sent: after an error send it again with the same id, a UUID.
"""

import os, sys
from datetime import datetime, timezone
from uuid import UUID
from confluent_kafka import KafkaException, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC, TYPE = "warehouse.stock-adjustments", "flotilla.warehouse.v1.StockAdjusted"

sku, delta, adjustment = sys.argv[1], int(sys.argv[2]), UUID(sys.argv[3])
now = datetime.now(timezone.utc)

registry = SchemaRegistryClient({"url": os.environ["FLOTILLA_REGISTRY_URL"]})
encode = AvroSerializer(
    registry,
    registry.get_latest_version(f"{TOPIC}-{TYPE}").schema,
    conf={
        # The fleet's topics carry several types, each under its own subject; the default is `<topic>-value`.
        "subject.name.strategy": topic_record_subject_name_strategy,
        # Schemas are registered when the fleet is deployed: a producer that registers its own changes the contract.
        "auto.register.schemas": False,
    },
)
producer = Producer({
    "bootstrap.servers": os.environ["FLOTILLA_KAFKA_BROKERS"],
    # librdkafka's own choice is CRC32: then the same key would be on another partition than from everybody else, and
    # two adjustments of an item could overtake each other.
    "partitioner": "murmur2_random",
    "enable.idempotence": True,  # Retries of the client neither repeat a message nor change the order.
})


def delivered(error, message):
    if error:
        raise KafkaException(error)
    print(f"{message.topic()}/{message.partition()} at {message.offset()}")


value = {"adjustment_id": adjustment, "sku": sku, "delta": delta, "note": "python", "occurred_at": now}
producer.produce(
    TOPIC,
    key=sku,
    value=encode(value, SerializationContext(TOPIC, MessageField.VALUE)),
    # Optional to the fleet, which knows an adjustment by its id; they are what other readers recognise it by.
    headers={
        "ce_specversion": "1.0", "ce_source": "warehouse", "ce_id": str(adjustment), "ce_type": TYPE,
        "ce_time": now.isoformat(), "content-type": "application/vnd.confluent.avro",
    },
    on_delivery=delivered,
)
if producer.flush(30):
    sys.exit("not acknowledged within 30 s; send it again with the same id")

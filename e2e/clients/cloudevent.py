"""Prints the events of one order as the CloudEvents SDK for Python understands them, without help from us.

    python cloudevent.py ORDER
"""

import json, os, sys
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, TopicPartition

TOPICS = ["order.events", "payment.events", "inventory.events", "shipping.events"]

consumer = Consumer({
    "bootstrap.servers": os.environ["FLOTILLA_KAFKA_BROKERS"],
    "group.id": "cloudevents",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
})
partitions = [
    TopicPartition(topic, partition, OFFSET_BEGINNING)
    for topic in TOPICS
    for partition in consumer.list_topics(topic, 10).topics[topic].partitions
]
consumer.assign(partitions)
left = len(partitions)
while left:
    message = consumer.poll(30)
    if message is None:
        sys.exit("nothing came for 30 s")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            raise KafkaException(message.error())
        left -= 1
    elif message.key() == sys.argv[1].encode():
        event = from_binary(KafkaMessage(dict(message.headers()), message.key(), message.value()), JSONFormat())
        attributes = event.get_attributes() | {"time": event.get_time().isoformat().replace("+00:00", "Z")}
        data = event.get_data()
        data = data.encode() if isinstance(data, str) else data
        print(json.dumps(attributes | {"data": data.hex()}))

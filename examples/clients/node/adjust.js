// Tells the warehouse's topic that the units of an item have changed.
//
//     node adjust.js SKU DELTA ADJUSTMENT_ID
//
// An adjustment counts once however often it is sent: after an error send it again with the same id, a UUID.

import { compatibilityPartitioner, Producer, stringSerializer } from "@platformatic/kafka";
import avro from "avsc";

const TOPIC = "warehouse.stock-adjustments";
const TYPE = "flotilla.warehouse.v1.StockAdjusted";
const [sku, delta, id] = process.argv.slice(2);
const now = new Date();

// The fleet's topics carry several types, each under its own subject. Schemas are registered when the fleet is
// deployed: a producer looks them up, and never changes the contract.
const answer = await fetch(`${process.env.FLOTILLA_REGISTRY_URL}/subjects/${TOPIC}-${TYPE}/versions/latest`);
if (!answer.ok) throw new Error(`${TYPE}: ${await answer.text()}`);
const registered = await answer.json();
const frame = Buffer.alloc(5);
frame.writeInt32BE(registered.id, 1);
const event = { adjustment_id: id, sku, delta: Number(delta), note: "node", occurred_at: now.getTime() * 1000 };
const body = avro.Type.forSchema(JSON.parse(registered.schema)).toBuffer(event);

const producer = new Producer({
  clientId: "example-node",
  bootstrapBrokers: process.env.FLOTILLA_KAFKA_BROKERS.split(","),
  serializers: { key: stringSerializer, headerKey: stringSerializer, headerValue: stringSerializer },
  // The client's own choice is almost Java's, and for half of all keys it is not: then the same key would be on another
  // partition than from everybody else, and two adjustments of an item could overtake each other.
  partitioner: compatibilityPartitioner,
  idempotent: true, // Retries of the client neither repeat a message nor change the order.
  acks: -1,
});
const { offsets } = await producer.send({
  messages: [{
    topic: TOPIC,
    key: sku,
    value: Buffer.concat([frame, body]),
    // Optional to the fleet, which knows an adjustment by its id; they are what other readers recognise it by.
    headers: {
      ce_specversion: "1.0", ce_source: "warehouse", ce_id: id, ce_type: TYPE, ce_time: now.toISOString(),
      "content-type": "application/vnd.confluent.avro",
    },
  }],
});
for (const { topic, partition, offset } of offsets) console.log(`${topic}/${partition} at ${offset}`);
await producer.close();

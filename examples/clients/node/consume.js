// Prints the events of one order, or of all of them, each once: one line of JSON for each.
//
//     node consume.js [--group NAME] [--idle SECONDS] [ORDER]
//
// Ends when the order has come to its end, or when nothing was printed for some seconds.

import { parseArgs } from "node:util";
import { Consumer, stringDeserializer } from "@platformatic/kafka";
import avro from "avsc";

const TOPICS = ["order.events", "payment.events", "inventory.events", "shipping.events"];
const { values: options, positionals: [order] } = parseArgs({
  options: { group: { type: "string", default: "example-node" }, idle: { type: "string", default: "30" } },
  allowPositionals: true,
});
const consumer = new Consumer({
  clientId: "example-node",
  groupId: options.group,
  bootstrapBrokers: process.env.FLOTILLA_KAFKA_BROKERS.split(","),
  // Values stay bytes: the id of their schema is in them.
  deserializers: { key: stringDeserializer, headerKey: stringDeserializer, headerValue: stringDeserializer },
  // Whoever joins or leaves stops only what moves; by default everybody stops.
  protocols: [{ name: "cooperative-sticky", version: 1 }],
});
const stream = await consumer.consume({
  topics: TOPICS,
  mode: "committed",
  fallbackMode: "earliest", // A new group begins with the first event.
  autocommit: false, // We commit what was handled; otherwise what was fetched counts as handled.
});
// Delivery is at least once. What must not happen twice belongs in one transaction with this id, in a database: this
// set ends with the process.
const seen = new Set();
// Where the topics ended when the order did. Topics are not ordered among each other: order's last event may be read
// before payment's, though it was published after them.
let ends;
let last = Date.now();
const watch = setInterval(() => Date.now() - last > options.idle * 1000 && stream.close(), 200);

for await (const message of stream) {
  const { headers, topic, partition, offset } = message;
  const [source, id] = [headers.get("ce_source"), headers.get("ce_id")];
  if ((!order || order === message.key) && !seen.has(`${source} ${id}`)) {
    seen.add(`${source} ${id}`);
    const [type, sequence, time] = ["type", "sequence", "time"].map((name) => headers.get(`ce_${name}`));
    const data = await decode(message.value);
    // Offsets are of 64 bits, which JSON does not know.
    console.log(JSON.stringify({ topic, partition, offset: Number(offset), type, source, id, sequence, time, data }));
    last = Date.now();
    if (order && /\.Order(Completed|Compensated)$/.test(type)) ends = await consumer.listOffsets({ topics: TOPICS });
  }
  // Before the next message is taken. A partition that moves takes what was committed with it, and a commit for one
  // that has moved fails: then its new owner has read the message, or will.
  await message.commit().catch((error) => console.error(`not committed: ${error.message}`));
  if (ends && (await isAtEnd())) break;
}
clearInterval(watch);
await consumer.close(true);

async function isAtEnd() {
  const committed = await consumer.listCommittedOffsets({ topics: consumer.assignments });
  return consumer.assignments.every(({ topic, partitions }) =>
    partitions.every((partition) => {
      const [is, end] = [committed, ends].map((offsets) => offsets.get(topic)?.[partition] ?? 0n);
      return end <= 0n || is >= end;
    }),
  );
}

// The first byte is zero, the next four are the schema's id at the registry.
async function decode(value) {
  decode.types ??= new Map();
  const id = value.readInt32BE(1);
  if (!decode.types.has(id)) {
    const answer = await fetch(`${process.env.FLOTILLA_REGISTRY_URL}/schemas/ids/${id}`);
    if (!answer.ok) throw new Error(`schema ${id}: ${await answer.text()}`);
    decode.types.set(id, avro.Type.forSchema(JSON.parse((await answer.json()).schema)));
  }
  return decode.types.get(id).fromBuffer(value.subarray(5));
}

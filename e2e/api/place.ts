// A shop in TypeScript, on the client that is generated from the fleet's document: it stocks an item, places
// an order, follows it to its end and lists it. Compiled strictly, so that a document that says something
// else than the services answer does not pass.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { paths } from "./fleet.js";

const [orderUrl, inventoryUrl] = process.argv.slice(2);
const orders = createClient<paths>({ baseUrl: orderUrl });
const inventory = createClient<paths>({ baseUrl: inventoryUrl });

function ok<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

const sku = `typescript-${randomUUID().slice(0, 8)}`;
const path = { sku };
const item = { name: "An item", unit_price_minor: 250, currency: "EUR" };
ok("set", await inventory.PUT("/stock/{sku}", { params: { path }, body: item }));
const header = { "Idempotency-Key": randomUUID() };
const body = { delta: 3, note: "for the generated client" };
const stocked = ok("adjust", await inventory.POST("/stock/{sku}/adjustments", { params: { path, header }, body }));
if (stocked.free !== 3) throw new Error(`3 units should be free, not ${stocked.free}`);

// The price reaches the order service over Kafka; until then the SKU is refused as unknown.
const deadline = Date.now() + 60_000;
async function place() {
  const key = randomUUID();
  for (;;) {
    const answer = await orders.POST("/orders", {
      params: { header: { "Idempotency-Key": key }, query: { wait: "terminal" } },
      body: { customer_id: "typescript", lines: [{ sku, quantity: 2 }], destination: "DE", payment_token: "tok_visa" },
    });
    if (answer.error?.code !== "unknown_sku" || Date.now() > deadline) return ok("place", answer);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
const placed = await place();
const ended = ok("get", await orders.GET("/orders/{order_id}", {
  params: { path: { order_id: placed.order_id }, query: { wait: "terminal" } },
}));
if (ended.state !== "completed") throw new Error(`the order should be completed, not ${ended.state}`);
const page = ok("list", await orders.GET("/orders", { params: { query: { customer_id: "typescript", limit: 1 } } }));
if (page.orders[0]?.order_id !== placed.order_id) throw new Error("the order is not the newest of its customer");
const refused = await orders.POST("/orders/{order_id}/cancel", { params: { path: { order_id: placed.order_id } } });
if (refused.error?.code !== "already_completed") throw new Error(`cancelled: ${JSON.stringify(refused)}`);
console.log(`${placed.order_id} ${ended.state} ${ended.total_minor} ${ended.currency}`);

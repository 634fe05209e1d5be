"""A shop in Python, on the client that is generated from the fleet's document: it stocks an item, places an
order, follows it to its end and lists it."""

import sys
import time
from uuid import uuid4

from flotilla_fleet_client import Client
from flotilla_fleet_client.api.orders import cancel_order, get_order, list_orders, place_order
from flotilla_fleet_client.api.stock import adjust_stock_item, set_stock_item
from flotilla_fleet_client.models import (
    NewLine,
    NewOrder,
    Order,
    OrderPage,
    OrderState,
    PlacedOrder,
    Problem,
    StockAdjustment,
    StockItem,
    StockItemDescription,
)
from flotilla_fleet_client.models.place_order_wait import PlaceOrderWait
from flotilla_fleet_client.models.get_order_wait import GetOrderWait

order_url, inventory_url = sys.argv[1:]
orders, inventory = Client(base_url=order_url), Client(base_url=inventory_url)


def expect(kind, answer):
    assert isinstance(answer, kind), answer
    return answer


sku = f"python-{uuid4().hex[:8]}"
item = StockItemDescription(name="An item", unit_price_minor=250, currency="EUR")
expect(StockItem, set_stock_item.sync(sku, client=inventory, body=item))
change = StockAdjustment(delta=3, note="for the generated client")
key = str(uuid4())
stocked = adjust_stock_item.sync(sku, client=inventory, body=change, idempotency_key=key)
assert expect(StockItem, stocked).free == 3, stocked

# The price reaches the order service over Kafka; until then the SKU is refused as unknown.
wanted = NewOrder(
    customer_id="python",
    lines=[NewLine(sku=sku, quantity=2)],
    destination="DE",
    payment_token="tok_visa",
)
key, deadline = str(uuid4()), time.monotonic() + 60
while True:
    placed = place_order.sync(
        client=orders, body=wanted, idempotency_key=key, wait=PlaceOrderWait.TERMINAL
    )
    unknown = isinstance(placed, Problem) and placed.code == "unknown_sku"
    if not unknown or time.monotonic() > deadline:
        break
    time.sleep(0.05)
expect((Order, PlacedOrder), placed)
ended = expect(Order, get_order.sync(placed.order_id, client=orders, wait=GetOrderWait.TERMINAL))
assert ended.state == OrderState.COMPLETED, ended
page = expect(OrderPage, list_orders.sync(client=orders, customer_id="python", limit=1))
assert page.orders[0].order_id == placed.order_id, page
refused = expect(Problem, cancel_order.sync(placed.order_id, client=orders))
assert refused.code == "already_completed", refused
print(placed.order_id, ended.state, ended.total_minor, ended.currency)

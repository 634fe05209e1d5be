//! Inventory: sets goods aside for an order, lets them go with it, takes them back when the order dies
//! or its goods come back.
//!
//! | hears            | does                                                  | says                               |
//! |------------------|-------------------------------------------------------|------------------------------------|
//! | `OrderPlaced`    | reserves all lines or none                            | `StockReserved` or `StockRejected` |
//! | `OrderCancelled` | releases the reservation, or refuses a later one      | `StockReleased`                    |
//! | `OrderShipped`   | deducts what was reserved                             |                                    |
//! | `OrderReturned`  | takes the goods back                                  | `StockReturned`                    |
//! | `StockAdjusted`  | adds or removes free units, once per adjustment       | `StockItemChanged`                 |
//!
//! Whenever an item's last free unit goes, the catalogue says `InventoryDepleted`; when it is to be had
//! again, or when it is listed at another price, `StockItemChanged`.

pub mod domain;

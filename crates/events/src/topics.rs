//! Which record appears on which topic, and what its key is. A new record is one word here; the
//! macro is the only place that turns the list into enums, so that no match on it can be forgotten.

use crate::generated::*;
use crate::{Events, OrderId, ReadRecord, RecordInfo, Sku, TopicInfo, WriteRecord};

/// Every topic that carries events of the published language.
pub const TOPICS: &[TopicInfo] = &[
    topic::<OrderEvent>(false),
    topic::<InventoryEvent>(false),
    topic::<PaymentEvent>(false),
    topic::<ShippingEvent>(false),
    topic::<CatalogueEvent>(true),
    topic::<WarehouseEvent>(false),
];

const fn topic<E: Events>(compacted: bool) -> TopicInfo {
    TopicInfo { name: E::TOPIC, records: E::RECORDS, compacted }
}

macro_rules! topic {
    (
        $(#[$doc:meta])*
        $Event:ident on $topic:literal by $owner:literal, $key:ident: $Key:ty {
            $($Record:ident),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $Event {
            $($Record($Record)),+
        }

        impl $Event {
            /// What this event is about: the value behind the Kafka key.
            pub fn $key(&self) -> &$Key {
                match self {
                    $(Self::$Record(record) => &record.$key),+
                }
            }
        }

        const _: () = {
            // The records' places in the list; an enum counts them, which a macro cannot.
            #[allow(clippy::enum_variant_names, reason = "records of a topic share a prefix")]
            enum Index {
                $($Record),+
            }

            impl Events for $Event {
                const TOPIC: &'static str = $topic;
                const RECORDS: &'static [RecordInfo] = &[$(RecordInfo {
                    name: stringify!($Record),
                    full_name: concat!("flotilla.", $owner, ".v1.", stringify!($Record)),
                    topic: $topic,
                    schema: include_str!(concat!(
                        "../../../schemas/", $owner, "/", stringify!($Record), ".avsc"
                    )),
                }),+];

                fn record(&self) -> usize {
                    match self {
                        $(Self::$Record(_) => Index::$Record as usize),+
                    }
                }

                fn key(&self) -> String {
                    self.$key().to_string()
                }

                fn read<R: ReadRecord>(record: usize, reader: R) -> Result<Self, R::Error> {
                    $(if record == Index::$Record as usize {
                        return reader.read().map(Self::$Record);
                    })+
                    panic!("{} has no record with index {record}", Self::TOPIC)
                }

                fn write<W: WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error> {
                    match self {
                        $(Self::$Record(record) => writer.write(record)),+
                    }
                }
            }
        };

        $(impl From<$Record> for $Event {
            fn from(record: $Record) -> Self {
                Self::$Record(record)
            }
        })+
    };
}

topic! {
    /// What the order service decides; the one topic that the other services hear.
    OrderEvent on "order.events" by "order", order_id: OrderId {
        OrderPlaced,
        OrderConfirmed,
        OrderCancellationRequested,
        OrderCancelled,
        OrderShipped,
        OrderCompleted,
        OrderCompensated,
        OrderReturned,
    }
}

topic! {
    /// Inventory's answers about the stock of an order.
    InventoryEvent on "inventory.events" by "inventory", order_id: OrderId {
        StockReserved,
        StockRejected,
        StockReleased,
        StockReturned,
    }
}

topic! {
    /// Payment's answers about the money of an order.
    PaymentEvent on "payment.events" by "payment", order_id: OrderId {
        PaymentAuthorized,
        PaymentDeclined,
        PaymentVoided,
        PaymentReceived,
        PaymentRefunded,
    }
}

topic! {
    /// Shipping's answers about the parcel of an order.
    ShippingEvent on "shipping.events" by "shipping", order_id: OrderId {
        ShipmentDispatched,
        ShipmentRefused,
        ShipmentCancelled,
    }
}

topic! {
    /// What can be bought at which price; the latest record per SKU is kept.
    CatalogueEvent on "inventory.catalogue" by "inventory", sku: Sku {
        StockItemChanged,
        InventoryDepleted,
    }
}

topic! {
    /// What producers outside the fleet tell it about the stock on hand.
    WarehouseEvent on "warehouse.stock-adjustments" by "warehouse", sku: Sku {
        StockAdjusted,
    }
}

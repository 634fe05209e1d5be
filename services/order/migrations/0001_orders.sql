-- One row per order. It is written five or six times within seconds and then never again: half of
-- each page stays free so that the new versions find room beside the old ones, and no column that
-- changes is indexed, so that no index is touched by an update.
create table orders (
    order_id      uuid        primary key,          -- UUIDv7: in the order of time
    total_minor   bigint      not null check (total_minor >= 0),
    placed_at     timestamptz not null,
    sequence      bigint      not null check (sequence >= 1),   -- events published about this order
    version       bigint      not null check (version >= 1),    -- writes of this row
    -- 1 awaiting both, 2 awaiting stock, 3 awaiting payment, 4 confirmed, 5 cancellation requested,
    -- 6 shipped, 7 completed, 8 cancelling, 9 cancelled, 10 returning both, 11 returning goods,
    -- 12 returning money, 13 returned
    state         smallint    not null check (state between 1 and 13),
    -- 0 unknown, 1 out of stock, 2 payment declined, 3 shipment refused, 4 customer, 5 overdue
    reason        smallint    check (reason between 0 and 5),
    -- 0 unknown, 1 held, 2 free
    stock_hold    smallint    check (stock_hold between 0 and 2),
    payment_hold  smallint    check (payment_hold between 0 and 2),
    customer_id   text        not null check (customer_id <> ''),
    currency      text        not null check (length(currency) = 3),
    destination   text        not null check (destination <> ''),
    lines         jsonb       not null,             -- as in OrderPlaced; never changes
    tracking_code text,                             -- as in ShipmentDispatched
    shortages     jsonb,                            -- as in StockRejected
    history       bytea       not null check (octet_length(history) % 9 = 0), -- see history.rs

    constraint a_reason_belongs_to_a_cancellation
        check ((reason is not null) = (state in (5, 8, 9))),
    constraint holds_belong_to_cancelling
        check ((stock_hold is not null) = (state = 8) and (payment_hold is not null) = (state = 8))
) with (fillfactor = 50);

-- A customer's orders, newest first.
create index orders_by_customer on orders (customer_id, order_id);

-- What was answered to a request that may be sent again. It is kept as long as the order: a key never
-- means a second order. The answer itself is read from the columns of the order that never change.
create table idempotency_keys (
    key         text        primary key check (length(key) between 1 and 255),
    fingerprint bytea       not null check (octet_length(fingerprint) = 32),
    order_id    uuid        not null,
    created_at  timestamptz not null
);

-- The price list, fed by inventory's catalogue. `changed_at` is when inventory said so: an older
-- event that arrives late, or again, never overwrites a newer one.
create table prices (
    sku              text        primary key,
    unit_price_minor bigint      not null check (unit_price_minor >= 0),
    currency         text        not null check (length(currency) = 3),
    name             text        not null,
    changed_at       timestamptz not null
) with (fillfactor = 80);

-- How far the search for overdue orders has come, so that a new replica need not begin with the first
-- order ever placed. Written about once a minute.
create table overdue_search (
    one_row   boolean primary key default true check (one_row),
    searched  uuid    not null
);
insert into overdue_search (searched) values ('00000000-0000-0000-0000-000000000000');

-- One row per SKU. Every batch that touches a SKU locks its row once, so a hot SKU costs no more than
-- any other; half of each page stays free so that its many versions find room beside each other.
create table stock (
    sku              text        primary key check (length(sku) between 1 and 64),
    name             text        not null,
    unit_price_minor bigint      not null check (unit_price_minor >= 0),
    currency         text        not null check (length(currency) = 3),
    free             bigint      not null check (free >= 0),
    reserved         bigint      not null check (reserved >= 0),
    shipped          bigint      not null check (shipped >= 0),
    adjusted         bigint      not null,          -- the sum of all adjustments
    sequence         bigint      not null check (sequence >= 0),    -- events published about this SKU
    changed_at       timestamptz not null,

    -- Units move between the three; only adjustments make or end any.
    constraint no_unit_is_lost check (free + reserved + shipped = adjusted)
) with (fillfactor = 50);

-- One row per order that inventory has answered.
create table reservations (
    order_id         uuid        primary key,       -- UUIDv7: in the order of time
    -- 1 reserved, 2 rejected, 3 released, 4 deducted, 5 returned
    state            smallint    not null check (state between 1 and 5),
    -- Quantity by SKU. Stays when the units go back, for those who look; a tombstone has none.
    lines            jsonb,
    sequence         bigint      not null check (sequence >= 0),    -- events published about this order
    version          bigint      not null check (version >= 1),     -- writes of this row
    changed_at       timestamptz not null,

    constraint what_is_held_is_known check (state not in (1, 4) or lines is not null)
) with (fillfactor = 50);

-- Every adjustment ever made, kept for good: it is the proof that no unit was lost, and it is how an
-- adjustment that is sent again is recognised, however late.
create table adjustments (
    adjustment_id    uuid        primary key,
    sku              text        not null references stock,
    delta            bigint      not null check (delta <> 0),
    note             text        not null,
    adjusted_at      timestamptz not null
);

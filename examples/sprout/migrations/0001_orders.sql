-- One row per order that sprout has heard of. No column that changes is indexed, and a tenth of each page stays free
-- for the row's next version.
create table sprout_orders (
    order_id    uuid        primary key,            -- UUIDv7: in the order of time
    sequence    bigint      not null check (sequence >= 0),    -- events published about this order
    version     bigint      not null check (version >= 1),     -- writes of this row
    changed_at  timestamptz not null,               -- since when it is in this state
    state       smallint    not null check (state = 1)         -- 1 noted
) with (fillfactor = 90);

-- What an audit reads: how many events were published about each order.
create view audit.published as
select 'sprout.events' as topic, order_id::text as key, order_id, sequence from sprout_orders;

-- One row per order that was completed or returned. It is written once, and once more should the order be
-- returned: no column that changes is indexed, and a tenth of each page stays free for the new version.
create table order_points (
    order_id    uuid        primary key,            -- UUIDv7: in the order of time
    sequence    bigint      not null check (sequence >= 0),    -- events published about these points
    version     bigint      not null check (version >= 1),     -- writes of this row
    changed_at  timestamptz not null,               -- since when it is in this state
    state       smallint    not null check (state between 1 and 2),    -- 1 granted, 2 taken back
    customer_id text        check (customer_id <> ''),      -- written once
    points      bigint      not null check (points >= 0),   -- those that the customer has of it

    -- An order whose return was heard first has no customer: a tombstone.
    constraint whoever_is_granted_points_is_known
        check (state = 2 or customer_id is not null),
    constraint what_is_taken_back_is_gone
        check (state = 1 or points = 0)
) with (fillfactor = 90);

-- What a customer has is the sum of these.
create index order_points_of_a_customer on order_points (customer_id);

-- What an audit reads: how many events were published about each order.
create view audit.published as
select 'loyalty.events' as topic, order_id::text as key, order_id, sequence from order_points;

-- One row per order. It is written twice within seconds and then never again: half of each page stays
-- free so that the new versions find room beside the old ones.
create table shipments (
    order_id       uuid        primary key,         -- UUIDv7: in the order of time
    sequence       bigint      not null check (sequence >= 0),  -- events published about this shipment
    version        bigint      not null check (version >= 1),   -- writes of this row
    changed_at     timestamptz not null,            -- since when it is in this state
    -- When the open call to the carrier is made again in case its outcome never came back.
    call_due_at    timestamptz,
    -- 1 booking, 2 cancel asked, 3 dispatched, 4 refused, 5 cancelled
    state          smallint    not null check (state between 1 and 5),
    -- 0 unknown, 1 destination not served, 2 goods not accepted
    refusal_reason smallint    check (refusal_reason between 0 and 2),
    destination    text        check (destination <> ''),       -- written once
    tracking_code  text,

    constraint a_call_is_open_in_the_states_that_ask_for_one
        check ((call_due_at is not null) = (state in (1, 2))),
    -- A shipment whose order was to be cancelled before it was confirmed has no destination: a
    -- tombstone.
    constraint all_but_tombstones_have_a_destination
        check (state = 5 or destination is not null),
    constraint a_parcel_under_way_is_tracked
        check ((tracking_code is not null) = (state = 3)),
    constraint a_reason_belongs_to_a_refusal
        check ((refusal_reason is not null) = (state = 4))
) with (fillfactor = 50);

-- For the sweep after a crash. Only shipments with an open call are in it, which are few.
create index shipments_with_an_open_call on shipments (call_due_at) where call_due_at is not null;

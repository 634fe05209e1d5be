-- One row per order. It is written about four times within seconds and then hardly ever again: half
-- of each page stays free so that the new versions find room beside the old ones.
create table payments (
    order_id         uuid        primary key,       -- UUIDv7: in the order of time
    amount_minor     bigint      check (amount_minor >= 0),     -- written once, as is the currency
    sequence         bigint      not null check (sequence >= 0),    -- events published about this payment
    version          bigint      not null check (version >= 1),     -- writes of this row
    changed_at       timestamptz not null,          -- since when it is in this state
    -- When the open call to the provider is made again in case its outcome never came back.
    call_due_at      timestamptz,
    -- 1 authorizing, 2 authorized, 3 declined, 4 void after authorizing, 5 voiding, 6 voided,
    -- 7 capturing, 8 received, 9 refunding, 10 refunded
    state            smallint    not null check (state between 1 and 10),
    -- 0 unknown, 1 card declined, 2 insufficient funds, 3 expired card
    decline_reason   smallint    check (decline_reason between 0 and 3),
    currency         text        check (length(currency) = 3),
    payment_token    text,
    authorization_id text,                          -- the provider's, written once

    constraint a_call_is_open_in_the_states_that_ask_for_one
        check ((call_due_at is not null) = (state in (1, 4, 5, 7, 9))),
    constraint an_amount_has_a_currency
        check ((amount_minor is null) = (currency is null)),
    -- A payment that was cancelled before it was heard of has no amount: a tombstone.
    constraint all_but_tombstones_have_an_amount
        check (state = 6 or amount_minor is not null),
    -- A token is as good as a card: it is kept no longer than it may have to be sent again.
    constraint a_token_is_kept_while_authorizing
        check ((payment_token is not null) = (state in (1, 4))),
    constraint held_money_has_an_authorization
        check (state in (1, 3, 4, 6) or authorization_id is not null),
    constraint a_reason_belongs_to_a_decline
        check ((decline_reason is not null) = (state = 3))
) with (fillfactor = 50);

-- For the sweep after a crash. Only payments with an open call are in it, which are few.
create index payments_with_an_open_call on payments (call_due_at) where call_due_at is not null;

-- Messages that Kafka refuses, and those of the same key behind them, in the order of their commits. Each
-- is packed by itself, like a row of the outbox with one message.
create table outbox_set_apart (
    topic        text        not null,
    batch        bigint      not null,
    place        int         not null,
    key          bytea,
    packed       bytea       not null,
    reason       text        not null,
    set_apart_at timestamptz not null default now(),
    primary key (topic, batch, place)
);
alter table outbox_set_apart alter column packed set storage external;

-- Topics whose events are to be published again from the outbox: its kept rows from `next_batch` to
-- `last_batch` are set apart from what comes later, one page after the other.
create table outbox_republish (
    topic        text        primary key,
    next_batch   bigint      not null,
    last_batch   bigint      not null,
    requested_at timestamptz not null default now()
);

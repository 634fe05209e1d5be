-- The chassis' own tables, beside every service's. They live in a schema of their own so that a
-- service's migrations can neither collide with them nor forget them.

-- The next offset to process per partition, moved in the transaction of the effect. Kafka's own
-- committed offset is a hint for lag tools only.
create table offsets (
    topic text not null,
    partition int not null,
    next_offset bigint not null check (next_offset >= 0),
    primary key (topic, partition)
) with (fillfactor = 50);

-- Ids of processed events, for subscriptions whose decide does not promise idempotence.
create table inbox (
    topic text not null,
    event_id text not null,
    processed_at timestamptz not null default now(),
    primary key (topic, event_id)
);

-- The number of the last committed batch. Taken under the row's lock as the last statement of the
-- transaction, so that the order of numbers is the order of commits, across replicas too.
create table outbox_head (
    singleton boolean primary key default true check (singleton),
    batch bigint not null
) with (fillfactor = 10);
insert into outbox_head (batch) values (0);

-- One row per batch, holding all its messages, packed. External: compressing each batch on insert
-- cost an eighth of Postgres' time when measured.
create table outbox (
    batch bigint primary key,
    message_count int not null,
    messages bytea not null,
    created_at timestamptz not null default now()
);
alter table outbox alter column messages set storage external;

-- Who publishes. The epoch grows with every change of holder and fences the former one.
create table relay_lease (
    singleton boolean primary key default true check (singleton),
    holder uuid,
    epoch bigint not null default 0,
    expires_at timestamptz not null default 'epoch',
    published_batch bigint not null default 0
) with (fillfactor = 10);
insert into relay_lease (singleton) values (true);

-- What could not be processed, with everything needed to understand and to replay it.
create table dead_letters (
    id bigint generated always as identity primary key,
    topic text not null,
    partition int not null,
    message_offset bigint not null,
    message_key bytea,
    headers jsonb not null,
    payload bytea,
    reason text not null,
    detail text not null,
    state text not null default 'waiting' check (state in ('waiting', 'retried', 'dropped')),
    created_at timestamptz not null default now(),
    settled_at timestamptz,
    unique (topic, partition, message_offset)
);
create index dead_letters_waiting on dead_letters (id) where state = 'waiting';

-- Ids that the registry gave to the schemas compiled in, so that a restart does not need the registry.
create table schema_ids (
    subject text not null,
    schema text not null,
    id int not null,
    primary key (subject, schema)
);

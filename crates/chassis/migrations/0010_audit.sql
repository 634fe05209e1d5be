-- What an audit reads, and all that it reads: views in a schema of their own. Whoever audits needs no right on any
-- table, and tables may change as long as the views say the same. Each service adds its own, among them
-- `audit.published`: how many events it has published under each key of each of its topics.
create schema if not exists audit;

-- What is committed, and how far it is published; what waits, and what is set apart of what counts as published.
create view audit.outbox as
select head.batch as head, lease.published_batch as published,
       (select count(*) from outbox where outbox.batch > lease.published_batch) as waiting,
       (select count(*) from outbox_set_apart) as apart
from outbox_head head, relay_lease lease;

create view audit.dead_letters as
select topic, partition, message_offset, state = 'waiting' as is_waiting from dead_letters;

-- Where the service goes on in what it hears.
create view audit.offsets as
select topic, partition, next_offset from offsets;

-- What is old is found by its age: ids of processed events, and dead letters that were settled. The contents of
-- those are forgotten, and their places stay: should the record be read again, it is known.
create index inbox_by_age on inbox (processed_at);
alter table dead_letters add column forgotten_at timestamptz;
create index dead_letters_to_forget on dead_letters (settled_at)
    where settled_at is not null and forgotten_at is null;

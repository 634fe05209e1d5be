-- The later of two prices is told by the number that inventory gives its events about an item, not by a
-- clock: two replicas of inventory, or a clock that stepped back, left a price here that was no longer
-- inventory's. Prices from before have no number, so whatever is heard next takes their place.
-- Replicas of the build before still write the time: stop them first.
alter table prices add column sequence bigint not null default 0 check (sequence >= 0);
alter table prices alter column sequence drop default;
alter table prices drop column changed_at;

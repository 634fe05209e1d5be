-- Open calls are the chassis' to remember (flotilla.intents), with the batch that asks for them: as an
-- indexed column here they made every step of every shipment write all indexes anew.
-- Replicas of the build before do not know that: stop them first.
insert into flotilla.intents (id, keys, due_at)
    select gen_random_uuid(), array[order_id], call_due_at from shipments where call_due_at is not null;
drop index shipments_with_an_open_call;
alter table shipments drop column call_due_at;

-- A topic that is deleted and created again counts its offsets anew, so that a place is one only together
-- with the topic's id: the dead letter of another message at the same place was taken for the same one.
-- Letters from before, and those of brokers that give no ids, have the id zero; setting one of them aside
-- again would at worst show it twice.
alter table dead_letters
    add column topic_id uuid not null default '00000000-0000-0000-0000-000000000000',
    drop constraint dead_letters_topic_partition_message_offset_key,
    add constraint dead_letters_place unique (topic, topic_id, partition, message_offset);

-- The id of the topic that an offset belongs to: a topic that is deleted and created again has the same
-- name and another id, and the offset says nothing about it. Null until the partition is assigned.
alter table offsets add column topic_id uuid;

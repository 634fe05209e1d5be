-- Brings back what order's database lost when it was set back, from what order itself has told: its own
-- topic is the record of what it decided. docs/runbook.md says when and how. It reads the events of
-- order.events, a JSON document on each line, from standard input:
--
--   flotilla events tail --topic order.events --from-beginning --until-end --json > order.events.json &&
--     psql "$ORDER_DATABASE" -f services/order/recover-orders.sql < order.events.json
--
-- It may run again, and while order runs. Rows that are not behind their events are left alone.

\set ON_ERROR_STOP on
begin;

create temp table line (document text) on commit drop;
-- No character of a JSON document is one of these two, so each line is one value.
\copy line from pstdin with (format csv, delimiter E'\x01', quote E'\x02')

-- The first copy of each event, as everybody else has heard it.
create temp table told on commit drop as
select distinct on (order_id, sequence) *
from (
    select (document ->> 'key')::uuid as order_id,
           (document -> 'headers' ->> 'ce_sequence')::bigint as sequence,
           split_part(document -> 'headers' ->> 'ce_type', '.', 4) as name,
           document -> 'value' as value,
           (document ->> 'offset')::bigint as place
    from (select document::jsonb from line) l
    where document ->> 'topic' = 'order.events' and document -> 'headers' ? 'ce_sequence'
) events
order by order_id, sequence, place;

-- What each event means: its entry in the history, and the state and reason that it leads to.
create temp table meaning (name text, why text, kind int, state smallint, reason smallint)
    on commit drop;
insert into meaning values
    ('OrderPlaced', '', 1, 1, null),
    ('OrderConfirmed', '', 2, 4, null),
    ('OrderCancellationRequested', 'UNKNOWN', 3, 5, 0),
    ('OrderCancellationRequested', 'CUSTOMER', 4, 5, 4),
    ('OrderCancellationRequested', 'OVERDUE', 5, 5, 5),
    ('OrderCancelled', 'UNKNOWN', 6, 8, 0),
    ('OrderCancelled', 'OUT_OF_STOCK', 7, 8, 1),
    ('OrderCancelled', 'PAYMENT_DECLINED', 8, 8, 2),
    ('OrderCancelled', 'SHIPMENT_REFUSED', 9, 8, 3),
    ('OrderCancelled', 'CUSTOMER', 10, 8, 4),
    ('OrderCancelled', 'OVERDUE', 11, 8, 5),
    ('OrderShipped', '', 12, 6, null),
    ('OrderCompleted', '', 13, 7, null),
    ('OrderCompensated', '', 14, 9, null),
    ('OrderReturned', '', 15, 10, null);

-- Orders whose rows are behind what was told, or gone.
create temp table lost on commit drop as
select order_id, told_until as sequence, state, is_gone, log, destination,
       case when state in (5, 8, 9) then reason end as reason,
       -- What the participants hold of an order that is cancelled: what they answered is heard again.
       case when state = 8 then
           case when reason = 1 then 2 when is_confirmed or was in (3, 4, 5) then 1 else 0 end
       end as stock_hold,
       case when state = 8 then
           case when reason = 2 then 2 when is_confirmed or was in (2, 4, 5) then 1 else 0 end
       end as payment_hold
from (
    select order_id, max(t.sequence) as told_until, o.state as was, o.order_id is null as is_gone,
           (array_agg(m.state order by t.sequence desc))[1] as state,
           (array_agg(m.reason order by t.sequence desc) filter (where m.reason is not null))[1] as reason,
           bool_or(t.name = 'OrderConfirmed') as is_confirmed,
           max(t.value ->> 'destination') as destination,
           string_agg(set_byte('\x00', 0, m.kind) || int8send((t.value ->> 'occurred_at')::bigint),
                      ''::bytea order by t.sequence)
               filter (where t.sequence > coalesce(o.sequence, 0)) as log
    from told t
    join meaning m on m.name = t.name
                  and m.why = coalesce(t.value ->> 'reason', t.value ->> 'cause', '')
    left join orders o using (order_id)
    group by order_id, o.order_id, o.state, o.sequence
    having max(t.sequence) > coalesce(o.sequence, 0)
) behind;

update orders o
set sequence = l.sequence, version = version + 1, state = l.state, reason = l.reason,
    stock_hold = l.stock_hold, payment_hold = l.payment_hold, history = o.history || l.log
from lost l
where o.order_id = l.order_id and not l.is_gone;

-- Where it was to go is told when an order is confirmed. Before that only the lost row knew: ZZ is nowhere.
insert into orders (order_id, total_minor, placed_at, sequence, version, state, reason, stock_hold,
                    payment_hold, customer_id, currency, destination, lines, history)
select l.order_id, (p.value ->> 'total_minor')::bigint,
       'epoch'::timestamptz + (p.value ->> 'occurred_at')::bigint * interval '1 microsecond',
       l.sequence, 1, l.state, l.reason, l.stock_hold, l.payment_hold, p.value ->> 'customer_id',
       p.value ->> 'currency', coalesce(l.destination, 'ZZ'), p.value -> 'lines', l.log
from lost l
join told p on p.order_id = l.order_id and p.name = 'OrderPlaced'
where l.is_gone;

\echo 'orders that were brought back or on:'
select count(*) from lost;
\echo 'cancel each of these, as nobody knows any more where it was to go:'
\pset tuples_only on
select order_id from orders where destination = 'ZZ' and state in (1, 2, 3);

commit;

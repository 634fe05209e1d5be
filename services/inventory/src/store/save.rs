//! Writes what a batch changed: one statement per table for new rows, one for those that were there,
//! in the order of their keys.

use chassis::Failure;
use chrono::{DateTime, Utc};
use events::{OrderId, Sku};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::load::{DEDUCTED, REJECTED, RELEASED, RESERVED, RETURNED};
use super::{Reservation, Rows, StockRow};
use crate::domain::{Lines, State};

/// Writes the rows of a batch.
pub async fn save(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let changed = rows.stock.rows.iter().filter(|(_, row)| row.is_changed);
    let (new, old): (Vec<_>, Vec<_>) = changed.partition(|(_, row)| row.is_new);
    write_stock(
        db,
        &new,
        "insert into stock (sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted,
                            sequence, changed_at)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::timestamptz[])",
    )
    .await?;
    // These rows are locked: nobody else can have changed them.
    write_stock(
        db,
        &old,
        "update stock s
         set name = v.name, unit_price_minor = v.unit_price_minor, currency = v.currency,
             free = v.free, reserved = v.reserved, shipped = v.shipped, adjusted = v.adjusted,
             sequence = v.sequence, changed_at = greatest(s.changed_at, v.changed_at)
         from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
             $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::timestamptz[])
             as v (sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted,
                   sequence, changed_at)
         where s.sku = v.sku",
    )
    .await?;
    save_reservations(db, rows).await?;
    insert_adjustments(db, rows).await
}

async fn write_stock(
    db: &mut PgConnection,
    rows: &[(&Sku, &StockRow)],
    statement: &'static str,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&StockRow) -> i64| rows.iter().map(|(_, r)| pick(r)).collect::<Vec<_>>();
    sqlx::query(statement)
        .bind(rows.iter().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.item.name.as_str()).collect::<Vec<_>>())
        .bind(column(|row| row.item.price.minor))
        .bind(rows.iter().map(|(_, row)| row.item.price.currency.as_str()).collect::<Vec<_>>())
        .bind(column(|row| row.item.free))
        .bind(column(|row| row.item.reserved))
        .bind(column(|row| row.item.shipped))
        .bind(column(|row| row.adjusted))
        .bind(column(|row| row.sequence))
        .bind(rows.iter().map(|(_, row)| time(row.changed_at_micros)).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

async fn save_reservations(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let mut changed: Vec<_> = rows
        .reservations
        .iter()
        .filter_map(|(id, row)| Some((*id, row, row.changed_at_micros?)))
        .collect();
    changed.sort_unstable_by_key(|(id, ..)| *id);
    let (new, old): (Vec<_>, Vec<_>) =
        changed.into_iter().partition(|(_, row, _)| row.version == 0);
    write_reservations(
        db,
        &new,
        "insert into reservations (order_id, state, lines, sequence, version, changed_at)
         select order_id, state, lines, sequence, version + 1, changed_at
         from unnest($1::uuid[], $2::smallint[], $3::jsonb[], $4::bigint[], $5::bigint[],
                     $6::timestamptz[])
              as v (order_id, state, lines, sequence, version, changed_at)",
    )
    .await?;
    write_reservations(
        db,
        &old,
        "update reservations r
         set state = v.state, lines = coalesce(v.lines, r.lines), sequence = v.sequence,
             version = r.version + 1, changed_at = v.changed_at
         from unnest($1::uuid[], $2::smallint[], $3::jsonb[], $4::bigint[], $5::bigint[],
                     $6::timestamptz[])
              as v (order_id, state, lines, sequence, version, changed_at)
         where r.order_id = v.order_id and r.version = v.version",
    )
    .await
}

async fn write_reservations(
    db: &mut PgConnection,
    rows: &[(OrderId, &Reservation, i64)],
    statement: &'static str,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = rows.iter().map(|(_, row, _)| columns_of(&row.state));
    let (states, lines): (Vec<i16>, Vec<Option<Json<&Lines>>>) = columns.unzip();
    let written = sqlx::query(statement)
        .bind(rows.iter().map(|(id, ..)| id.0).collect::<Vec<Uuid>>())
        .bind(states)
        .bind(lines)
        .bind(rows.iter().map(|(_, row, _)| row.sequence).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row, _)| row.version).collect::<Vec<_>>())
        .bind(rows.iter().map(|(.., at)| time(*at)).collect::<Vec<_>>())
        .execute(db)
        .await?;
    match written.rows_affected() == rows.len() as u64 {
        true => Ok(()),
        false => Err(Failure::conflict("reservations")),
    }
}

async fn insert_adjustments(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let made = &rows.new_adjustments;
    if made.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into adjustments (adjustment_id, sku, delta, note, adjusted_at)
         select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[])",
    )
    .bind(made.iter().map(|(adjustment, _)| adjustment.id).collect::<Vec<_>>())
    .bind(made.iter().map(|(adjustment, _)| adjustment.sku.as_str()).collect::<Vec<_>>())
    .bind(made.iter().map(|(adjustment, _)| adjustment.delta).collect::<Vec<_>>())
    .bind(made.iter().map(|(adjustment, _)| adjustment.note.as_str()).collect::<Vec<_>>())
    .bind(made.iter().map(|(_, at)| time(*at)).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

fn columns_of(state: &State) -> (i16, Option<Json<&Lines>>) {
    match state {
        State::New => unreachable!("nothing leads back to a state without a row"),
        State::Reserved { lines } => (RESERVED, Some(Json(lines))),
        State::Rejected => (REJECTED, None),
        State::Released => (RELEASED, None),
        State::Deducted { lines } => (DEDUCTED, Some(Json(lines))),
        State::Returned => (RETURNED, None),
    }
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

//! Writes what a batch changed: one statement per table for new rows, one for those that were there,
//! in the order of their keys.

use chassis::{Columns, Failure, Writes};
use chrono::{DateTime, Utc};
use events::Sku;

use super::{Figures, Rows, StockRow};

/// Writes the rows of a batch.
pub(crate) fn save(rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
    if rows.stock.rows.values().any(|row| row.unread && !row.is_changed) {
        return Err(Failure::unread("stock"));
    }
    save_stock(rows, writes);
    rows.reservations.save(writes)?;
    insert_adjustments(rows, writes);
    Ok(())
}

fn save_stock(rows: &Rows, writes: &mut Writes) {
    let changed = rows.stock.rows.iter().filter(|(_, row)| row.is_changed);
    let (mut new, mut old, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for (sku, row) in changed {
        match row.stored {
            None => new.push((sku, row)),
            Some(figures) => {
                old.push((sku, row));
                stored.push(figures);
            }
        }
    }
    if !new.is_empty() {
        let insert = writes.add(
            "insert into stock (sku, name, unit_price_minor, currency, free, reserved, shipped, adjusted,
                                sequence, changed_at)
             select * from {rows} v",
        );
        stock_columns(insert, &new).expect(new.len(), "stock");
    }
    if !old.is_empty() {
        let update = writes.add(
            "update stock s
             set name = v.name, unit_price_minor = v.unit_price_minor, currency = v.currency,
                 free = v.free, reserved = v.reserved, shipped = v.shipped, adjusted = v.adjusted,
                 sequence = v.sequence, changed_at = greatest(s.changed_at, v.changed_at)
             from {rows} v
             where s.sku = v.sku and s.reserved = v.stored_reserved and s.shipped = v.stored_shipped
               and s.adjusted = v.stored_adjusted and s.sequence = v.stored_sequence",
        );
        let column = |pick: fn(&Figures) -> i64| stored.iter().map(pick).collect::<Vec<_>>();
        stock_columns(update, &old)
            .column("stored_reserved", column(|figures| figures.reserved))
            .column("stored_shipped", column(|figures| figures.shipped))
            .column("stored_adjusted", column(|figures| figures.adjusted))
            .column("stored_sequence", column(|figures| figures.sequence))
            .expect(old.len(), "stock");
    }
}

fn stock_columns<'w>(columns: Columns<'w>, rows: &[(&Sku, &StockRow)]) -> Columns<'w> {
    let column = |pick: fn(&StockRow) -> i64| rows.iter().map(|(_, r)| pick(r)).collect::<Vec<_>>();
    columns
        .column("sku", rows.iter().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>())
        .column("name", rows.iter().map(|(_, row)| row.item.name.as_str()).collect::<Vec<_>>())
        .column("unit_price_minor", column(|row| row.item.price.minor))
        .column(
            "currency",
            rows.iter().map(|(_, row)| row.item.price.currency.as_str()).collect::<Vec<_>>(),
        )
        .column("free", column(|row| row.item.free))
        .column("reserved", column(|row| row.item.reserved))
        .column("shipped", column(|row| row.item.shipped))
        .column("adjusted", column(|row| row.adjusted))
        .column("sequence", column(|row| row.sequence))
        .column(
            "changed_at",
            rows.iter().map(|(_, row)| time(row.changed_at_micros)).collect::<Vec<_>>(),
        )
}

fn insert_adjustments(rows: &Rows, writes: &mut Writes) {
    let made = &rows.new_adjustments;
    if made.is_empty() {
        return;
    }
    writes
        .add(
            "insert into adjustments (adjustment_id, sku, delta, note, adjusted_at)
         select * from {rows} v",
        )
        .column(
            "adjustment_id",
            made.iter().map(|(adjustment, _)| adjustment.id).collect::<Vec<_>>(),
        )
        .column(
            "sku",
            made.iter().map(|(adjustment, _)| adjustment.sku.as_str()).collect::<Vec<_>>(),
        )
        .column("delta", made.iter().map(|(adjustment, _)| adjustment.delta).collect::<Vec<_>>())
        .column(
            "note",
            made.iter().map(|(adjustment, _)| adjustment.note.as_str()).collect::<Vec<_>>(),
        )
        .column("adjusted_at", made.iter().map(|(_, at)| time(*at)).collect::<Vec<_>>())
        .expect(made.len(), "adjustments");
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

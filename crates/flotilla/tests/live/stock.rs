//! `flotilla stock`.

use crate::program::Fleet;

pub(crate) fn is_listed_set_and_adjusted(fleet: &Fleet) {
    fleet.ok("stock set saucer Saucer 450").says("saucer");
    fleet.ok("stock set saucer Saucer,\u{a0}white 480 --currency EUR").says("480 EUR");
    fleet.ok("stock adjust saucer 30 --note delivered --key saucer-1").says("free 30");
    fleet.ok("stock adjust saucer 30 --note delivered --key saucer-1").says("free 30");
    fleet.ok("stock adjust saucer -4").says("free 26");
    fleet.run("stock adjust saucer -400").with_code(4).complains("26");
    fleet.run("stock set saucer Saucer 480 --currency Euro").with_code(4).complains("currency");

    // An item whose name would mean another address is refused, and the other one stays as it is.
    fleet.run("stock set saucer#1 Forged 1").with_code(4).complains("sku");
    fleet.run("stock set saucer?x Forged 1").with_code(4).complains("sku");
    fleet.run("stock adjust saucer/adjustments 1").with_code(4).complains("sku");
    fleet.run("stock set .. Forged 1").with_code(1).complains("'..'");
    fleet.ok("stock list").says("480 EUR").says("tea").says("scarce");
}

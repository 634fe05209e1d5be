//! What ids, SKUs and amounts accept, refuse and say.

use std::time::{SystemTime, UNIX_EPOCH};

use events::{Currency, InvalidCurrency, InvalidSku, Money, OrderId, Sku};
use uuid::Uuid;

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency.parse().unwrap())
}

#[test]
fn an_order_id_knows_when_it_was_made() {
    let micros = || {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(since_epoch.as_micros()).unwrap()
    };
    // The id holds whole milliseconds, so it may seem up to one older than it is.
    let earliest = micros() - 1_000;
    let made = OrderId::now().created_at_micros().unwrap();
    assert!((earliest..=micros()).contains(&made));

    assert_eq!(OrderId(Uuid::from_u128(1)).created_at_micros(), None);
}

#[test]
fn order_ids_sort_by_the_time_they_were_made() {
    let ids: Vec<_> = (0..1_000).map(|_| OrderId::now()).collect();
    assert!(ids.is_sorted());
}

#[test]
fn an_order_id_is_made_by_the_clock_that_is_given_and_sorts_to_the_microsecond() {
    let ids: Vec<_> = (1_790_000_000_000_000..).take(3_000).map(OrderId::made_at).collect();
    assert!(ids.is_sorted());
    let made = ids[2_500];
    assert_eq!(made.created_at_micros(), Some(1_790_000_000_002_000), "whole milliseconds");
    assert_eq!((made.0.get_version_num(), made.0.get_variant()), (7, uuid::Variant::RFC4122));
    assert_ne!(OrderId::made_at(1), OrderId::made_at(1), "the rest is drawn");
}

#[test]
fn an_order_id_reads_what_it_writes() {
    let id = OrderId::now();
    assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(json, format!("\"{id}\""));
    assert_eq!(serde_json::from_str::<OrderId>(&json).unwrap(), id);
    assert!("order-1".parse::<OrderId>().is_err());
}

#[test]
fn a_sku_is_a_short_code_of_plain_characters() {
    for good in ["A", "tea-earl.grey_250", &"x".repeat(64)] {
        assert_eq!(Sku::new(good).unwrap().as_str(), good);
    }
    assert_eq!(Sku::new(""), Err(InvalidSku::Empty));
    assert_eq!(Sku::new("x".repeat(65)), Err(InvalidSku::TooLong { length: 65 }));
    for dots in [".", "..", "....."] {
        assert_eq!(Sku::new(dots), Err(InvalidSku::OnlyDots), "{dots}");
    }
    for (bad, character) in [("a b", ' '), ("a/b", '/'), ("thé", 'é'), ("a\n", '\n'), ("a\0", '\0')]
    {
        assert_eq!(Sku::new(bad), Err(InvalidSku::Character { character }), "{bad:?}");
    }
}

#[test]
fn a_sku_is_checked_when_it_is_read() {
    assert_eq!(serde_json::from_str::<Sku>("\"TEA\"").unwrap(), Sku::new("TEA").unwrap());
    let refused = serde_json::from_str::<Sku>("\"TEA TIME\"").unwrap_err();
    assert!(refused.to_string().contains("' '"), "{refused}");
}

#[test]
fn a_currency_is_three_capital_letters() {
    assert_eq!("EUR".parse::<Currency>().unwrap().to_string(), "EUR");
    for bad in ["", "EU", "EURO", "eur", "E1R", "€", "ÄB"] {
        assert_eq!(bad.parse::<Currency>(), Err(InvalidCurrency), "{bad:?}");
    }
    assert!(serde_json::from_str::<Currency>("\"eur\"").is_err());
    // An escape makes serde hand over an owned text instead of a borrowed one.
    assert_eq!(serde_json::from_str::<Currency>("\"E\\u0055R\"").unwrap().as_str(), "EUR");
}

#[test]
fn money_adds_up_only_within_one_currency_and_range() {
    assert_eq!(money(150, "EUR").checked_add(money(50, "EUR")), Some(money(200, "EUR")));
    assert_eq!(money(150, "EUR").checked_add(money(50, "USD")), None);
    assert_eq!(money(i64::MAX, "EUR").checked_add(money(1, "EUR")), None);
    assert_eq!(money(150, "EUR").checked_mul(3), Some(money(450, "EUR")));
    assert_eq!(money(i64::MAX / 2, "EUR").checked_mul(3), None);
}

#[test]
fn money_is_shown_in_major_units() {
    assert_eq!(money(123_456, "EUR").to_string(), "1234.56 EUR");
    assert_eq!(money(5, "EUR").to_string(), "0.05 EUR");
    assert_eq!(money(-5, "EUR").to_string(), "-0.05 EUR");
    assert_eq!(money(i64::MIN, "EUR").to_string(), "-92233720368547758.08 EUR");
    assert_eq!(money(500, "JPY").to_string(), "500 JPY");
    assert_eq!(money(500, "KWD").to_string(), "0.500 KWD");
}

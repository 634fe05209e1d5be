use super::*;

fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn prices() -> HashMap<Sku, Price> {
    [("tea", 250, "EUR"), ("cup", 1_000, "EUR"), ("yen", 300, "JPY"), ("star", i64::MAX / 2, "EUR")]
        .into_iter()
        .map(|(name, minor, code)| {
            let unit = Money::new(minor, currency(code));
            (sku(name), Price { name: name.to_owned(), unit, sequence: 1 })
        })
        .collect()
}

fn place(lines: &[(&str, i32)]) -> PlaceOrder {
    PlaceOrder {
        order_id: OrderId::now(),
        customer_id: "c".into(),
        lines: lines
            .iter()
            .map(|(name, quantity)| Wanted { sku: sku(name), quantity: *quantity })
            .collect(),
        destination: "DE".into(),
        payment_token: "token".into(),
        currency: None,
        key: "key".into(),
        fingerprint: [0; 32],
    }
}

#[test]
fn lines_get_the_prices_of_the_list() {
    let (lines, total) = price(&place(&[("tea", 3), ("cup", 1)]), &prices()).unwrap();
    assert_eq!(total, Money::new(1_750, currency("EUR")));
    assert_eq!(lines.iter().map(|line| line.unit_price_minor).collect::<Vec<_>>(), [250, 1_000]);
}

#[test]
fn the_line_with_an_unknown_sku_is_named() {
    let rejection = price(&place(&[("tea", 1), ("ufo", 1)]), &prices()).unwrap_err();
    assert_eq!(rejection, Rejection::UnknownSku { line: 1, sku: sku("ufo") });
}

#[test]
fn an_order_is_in_one_currency() {
    let rejection = price(&place(&[("tea", 1), ("yen", 1)]), &prices()).unwrap_err();
    assert!(matches!(rejection, Rejection::MixedCurrencies { line: 1, .. }));
}

#[test]
fn an_asserted_currency_must_be_that_of_the_list() {
    let asserted = currency("USD");
    let listed = currency("EUR");
    let rejection =
        price(&PlaceOrder { currency: Some(asserted), ..place(&[("tea", 1)]) }, &prices());
    assert_eq!(rejection.unwrap_err(), Rejection::OtherCurrency { asserted, listed });
    price(&PlaceOrder { currency: Some(listed), ..place(&[("tea", 1)]) }, &prices()).unwrap();
}

#[test]
fn a_total_beyond_all_measure_is_refused() {
    let one_line = price(&place(&[("star", 3)]), &prices());
    assert_eq!(one_line.unwrap_err(), Rejection::TotalTooLarge { line: 0 });
    let two_lines = price(&place(&[("star", 2), ("cup", 2)]), &prices());
    assert_eq!(two_lines.unwrap_err(), Rejection::TotalTooLarge { line: 1 });
}

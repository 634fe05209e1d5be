//! The bytes of `POST /orders`: made once per connection; then only what differs from order to order is
//! overwritten.

use std::io::Write;
use std::ops::Range;

use rand::Rng;
use rand::rngs::SmallRng;
use uuid::Uuid;

use crate::http::find;
use crate::plan::Plan;

/// Digits of a SKU's number. All are equally long, so that one can overwrite another.
const SKU_DIGITS: usize = 6;
const KEY_DIGITS: usize = 12;

/// The name of one of the SKUs that are ordered.
pub fn sku(number: u32) -> String {
    format!("BENCH-{number:06}")
}

/// The JSON of an order of these SKUs, one of each.
pub fn order_json(skus: impl IntoIterator<Item = u32>) -> String {
    let line = |number| format!(r#"{{"sku":"{}","quantity":1}}"#, sku(number));
    let lines: Vec<String> = skus.into_iter().map(line).collect();
    format!(
        r#"{{"customer_id":"bench","lines":[{}],"destination":"DE","payment_token":"tok_visa"}}"#,
        lines.join(",")
    )
}

/// A request that is changed into the next order's.
pub struct OrderRequest {
    bytes: Vec<u8>,
    key: Range<usize>,
    skus: Vec<Range<usize>>,
    sku_count: u32,
}

impl OrderRequest {
    /// A request to the order service. Idempotency keys begin with `run`, so that no earlier
    /// run's orders are met.
    pub fn new(run: Uuid, plan: &Plan) -> Self {
        let body = order_json(0..plan.lines);
        let head = format!(
            "POST /orders HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             idempotency-key: {}-{}\r\ncontent-length: {}\r\n\r\n",
            run.simple(),
            "0".repeat(KEY_DIGITS),
            body.len()
        );
        let key_end = find(head.as_bytes(), b"\r\ncontent-length").expect("written above");
        let bytes = [head.into_bytes(), body.into_bytes()].concat();
        let mut skus = Vec::new();
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], b"BENCH-") {
            from += at + "BENCH-".len();
            skus.push(from..from + SKU_DIGITS);
        }
        OrderRequest { bytes, key: key_end - KEY_DIGITS..key_end, skus, sku_count: plan.skus }
    }

    /// Makes it the request for another order, the `number`th of the run.
    pub fn renew(&mut self, number: u64, random: &mut SmallRng) -> &[u8] {
        let mut key = &mut self.bytes[self.key.clone()];
        write!(key, "{number:012}").expect("a run places fewer than 10^12 orders");
        let first = random.random_range(0..self.sku_count);
        for (line, at) in (0..).zip(&self.skus) {
            let mut digits = &mut self.bytes[at.clone()];
            let number = (first + line) % self.sku_count;
            write!(digits, "{number:06}").expect("a plan has at most 1,000,000 SKUs");
        }
        &self.bytes
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The id in the answer to an order that was accepted.
pub fn order_id(body: &[u8]) -> Option<Uuid> {
    const FIELD: &[u8] = br#""order_id":""#;
    let at = find(body, FIELD)? + FIELD.len();
    Uuid::try_parse_ascii(body.get(at..at + 36)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;
    use crate::plan::Arrival;

    #[test]
    fn each_order_has_its_own_key_and_different_skus_in_its_lines() {
        let plan = Plan {
            arrival: Arrival::InFlight(1),
            warmup_seconds: 0.0,
            seconds: 1.0,
            skus: 4,
            lines: 3,
            connections: 1,
        };
        let mut request = OrderRequest::new(Uuid::nil(), &plan);
        let mut random = SmallRng::seed_from_u64(1);
        let mut keys = HashSet::new();
        let mut ordered = HashSet::new();
        for number in 0..100 {
            let text = std::str::from_utf8(request.renew(number, &mut random)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("\r\ncontent-length: {}", body.len())));
            let key = head.split("idempotency-key: ").nth(1).unwrap();
            keys.insert(key.split_once("\r\n").unwrap().0.to_owned());
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let lines = body["lines"].as_array().unwrap();
            let skus: HashSet<&str> = lines.iter().map(|l| l["sku"].as_str().unwrap()).collect();
            assert_eq!(skus.len(), 3);
            ordered.extend(skus.into_iter().map(str::to_owned));
        }
        assert_eq!(keys.len(), 100);
        assert_eq!(ordered, (0..4).map(sku).collect());
    }

    #[test]
    fn the_order_id_is_found_where_it_stands() {
        let id = Uuid::from_u128(0x0192_aabb_ccdd_7eef_8123_4567_89ab_cdef);
        let body = format!(r#"{{"order_id":"{id}","state":"placed"}}"#);
        assert_eq!(order_id(body.as_bytes()), Some(id));
        assert_eq!(order_id(&body.as_bytes()[..40]), None);
        assert_eq!(order_id(b"{}"), None);
    }
}

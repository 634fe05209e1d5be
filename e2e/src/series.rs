//! The metrics that services have, and those that an alert or a dashboard asks for. Separate from `members`, as it
//! reads what others wrote.

use std::collections::BTreeSet;

use crate::coverage::METRIC_PREFIXES;
use crate::members;

/// What a histogram's series end in.
const OF_HISTOGRAM: [&str; 3] = ["_bucket", "_count", "_sum"];

/// The metrics that services of the fleet say they have.
pub fn described() -> BTreeSet<String> {
    let own = members::ALL.iter().flat_map(|service| (service.describe)().metrics);
    own.chain(chassis::of_every_service().metrics).map(|metric| metric.name).collect()
}

/// The metrics of services that a text names, by the names under which services describe them. What a rule records
/// has colons in its name, and is none of them.
pub fn named_in(text: &str) -> BTreeSet<String> {
    let known = described();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let names = words.filter(|word| METRIC_PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    let metric = |name: &str| {
        let of_histogram = OF_HISTOGRAM.iter().find_map(|ending| name.strip_suffix(ending));
        of_histogram.filter(|metric| known.contains(*metric)).unwrap_or(name).to_owned()
    };
    names.map(metric).collect()
}

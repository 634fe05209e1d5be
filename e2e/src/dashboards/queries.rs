//! The queries that recur on dashboards. Figures that every replica reads from the same rows (× in docs/metrics.md)
//! are `shared`, all others add up.

/// A query, and what a series of its answer is called.
#[derive(Debug)]
pub struct Query {
    /// PromQL; for traces TraceQL. `$it` stands for the labels of what the dashboard is about.
    pub asks: String,
    /// The series' name, by its labels.
    pub legend: String,
}

impl Query {
    /// As it stands there.
    pub(super) fn plain(legend: &str, asks: &str) -> Self {
        Query { asks: asks.to_owned(), legend: legend.to_owned() }
    }

    /// The same under another name.
    pub(super) fn called(self, legend: &str) -> Self {
        Query { legend: legend.to_owned(), ..self }
    }

    fn by(labels: &[&str], asks: String) -> Self {
        let legend: Vec<String> = labels.iter().map(|label| format!("{{{{{label}}}}}")).collect();
        Query { asks, legend: legend.join(" ") }
    }
}

/// How often something is counted in a second.
pub(super) fn rate(metric: &str, by: &[&str]) -> Query {
    Query::by(by, format!("sum by ({}) ({})", by.join(", "), per_second(metric)))
}

/// The value that this share of a histogram's is below.
pub(super) fn quantile(share: f64, histogram: &str, by: &[&str]) -> Query {
    let buckets = per_second(&histogram.replacen("_seconds", "_seconds_bucket", 1));
    let labels = [by, &["le"]].concat().join(", ");
    Query::by(by, format!("histogram_quantile({share}, sum by ({labels}) ({buckets}))"))
}

/// What replicas have together.
pub(super) fn sum(metric: &str, by: &[&str]) -> Query {
    Query::by(by, format!("sum by ({}) ({})", by.join(", "), it(metric)))
}

/// What every replica shows of the same rows.
pub(super) fn shared(metric: &str, by: &[&str]) -> Query {
    Query::by(by, format!("max by ({}) ({})", by.join(", "), it(metric)))
}

/// The same, of parts (`of`) that add up.
pub(super) fn shared_sum(metric: &str, by: &[&str], of: &[&str]) -> Query {
    let parts = [by, of, &["namespace"]].concat().join(", ");
    Query::by(by, format!("sum by ({}) (max by ({parts}) ({}))", by.join(", "), it(metric)))
}

/// The metric of what the dashboard is about; it may have matchers of its own.
pub(super) fn it(metric: &str) -> String {
    match metric.split_once('{') {
        Some((name, matchers)) => format!("{name}{{$it,{matchers}"),
        None => format!("{metric}{{$it}}"),
    }
}

pub(super) fn per_second(metric: &str) -> String {
    format!("rate({}[$__rate_interval])", it(metric))
}

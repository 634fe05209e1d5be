//! What is on each dashboard.

#![allow(
    clippy::too_many_lines,
    reason = "a dashboard is a table: its panels are read in their order, and decide nothing"
)]

use super::Kind::{Lines, Number, Table, Traces};
use super::queries::{it, per_second, quantile, rate, shared, shared_sum, sum};
use super::{Board, Kind, Panel, Query, Row};

const HTTP: &str = "flotilla_http_request_duration_seconds";
const HTTP_COUNT: &str = "flotilla_http_request_duration_seconds_count";
const PLACED: &str = "{service='order',method='POST',route='/orders'}";
const STEP: &str = "flotilla_order_step_duration_seconds";
const TRANSACTION: &str = "flotilla_batch_duration_seconds";
const LAG: &str = "flotilla_consumer_lag";
/// The partitions of a topic, which its lag is the sum of.
const OF_TOPICS: [&str; 2] = ["topic", "partition"];

/// All of them.
pub fn all() -> [Board; 6] {
    [fleet(), service(), orders(), kafka(), postgres(), process()]
}

fn row<const N: usize>(title: &'static str, panels: [Panel; N]) -> Row {
    Row { title, panels: panels.into() }
}

fn panel<const N: usize>(
    kind: Kind,
    title: &'static str,
    unit: &'static str,
    queries: [Query; N],
) -> Panel {
    Panel { title, unit, kind, queries: queries.into() }
}

fn lines<const N: usize>(title: &'static str, unit: &'static str, queries: [Query; N]) -> Panel {
    panel(Lines, title, unit, queries)
}

fn fleet() -> Board {
    let placed = format!("{HTTP_COUNT}{PLACED}");
    let alerts = "sum by (alertname, severity, service) (ALERTS{alertname=~'Flotilla.+',alertstate='firing',\
                  namespace=~\"$namespace\"})";
    Board {
        name: "fleet",
        title: "fleet",
        about: "Whether the fleet works, and if not, where to look.",
        of_one_service: false,
        rows: vec![
            row(
                "Orders",
                [
                    lines(
                        "Requests for an order, by answer",
                        "reqps",
                        [rate(&placed, &["status"])],
                    ),
                    lines(
                        "Ends of orders",
                        "ops",
                        [rate("flotilla_orders_ended_total", &["state"])],
                    ),
                    lines(
                        "Open orders",
                        "short",
                        [shared_sum("flotilla_orders_open", &["state"], &[])],
                    ),
                ],
            ),
            row(
                "Trouble",
                [
                    panel(Table, "Alerts", "short", [Query::plain("", alerts)]),
                    panel(
                        Table,
                        "Parts that wait",
                        "short",
                        [sum("flotilla_waits_for", &["service", "part"])],
                    ),
                    lines(
                        "Stuck orders, by whom they wait for",
                        "short",
                        [shared_sum("flotilla_orders_stuck", &["waits_for"], &[])],
                    ),
                ],
            ),
            row(
                "Services",
                [
                    lines(
                        "Replicas that are ready",
                        "short",
                        [sum("flotilla_ready", &["service"])],
                    ),
                    lines("Lag", "short", [shared_sum(LAG, &["service"], &OF_TOPICS)]),
                    lines(
                        "Age of the outbox",
                        "s",
                        [shared("flotilla_outbox_age_seconds", &["service"])],
                    ),
                    lines(
                        "Open calls to the outside",
                        "short",
                        [sum("flotilla_calls_open", &["service", "provider"])],
                    ),
                    lines(
                        "Processor time",
                        "percentunit",
                        [rate("process_cpu_seconds_total", &["service"])],
                    ),
                    lines("Memory", "bytes", [sum("process_resident_memory_bytes", &["service"])]),
                ],
            ),
        ],
    }
}

fn service() -> Board {
    let replica = &["service", "instance"];
    let failed = format!("{HTTP_COUNT}{{status!~'2..'}}");
    Board {
        name: "service",
        title: "one service",
        about: "What a service is asked, what it makes of it, and whom it waits for.",
        of_one_service: true,
        rows: vec![
            row(
                "Asked over HTTP",
                [
                    lines("Requests", "reqps", [rate(HTTP_COUNT, &["method", "route"])]),
                    lines(
                        "Answers that are no success",
                        "reqps",
                        [rate(&failed, &["status", "method", "route"])],
                    ),
                    lines(
                        "Time until an answer begins: half, and 99 %",
                        "s",
                        [
                            quantile(0.5, HTTP, &["method", "route"])
                                .called("50 % {{method}} {{route}}"),
                            quantile(0.99, HTTP, &["method", "route"])
                                .called("99 % {{method}} {{route}}"),
                        ],
                    ),
                ],
            ),
            row(
                "Work",
                [
                    lines("Inputs", "ops", [rate("flotilla_batch_inputs_sum", replica)]),
                    lines(
                        "Messages published",
                        "ops",
                        [rate("flotilla_published_messages_total", &["service"])],
                    ),
                    lines("Lag", "short", [shared_sum(LAG, &["service", "topic"], &["partition"])]),
                ],
            ),
            row(
                "Calls to the outside",
                [
                    lines("Outcomes", "ops", [rate("flotilla_calls_total", &["provider"])]),
                    lines(
                        "Attempts without an outcome",
                        "ops",
                        [rate("flotilla_calls_unanswered_total", &["provider", "cause"])],
                    ),
                    lines(
                        "Age of the oldest open call",
                        "s",
                        [shared("flotilla_calls_oldest_age_seconds", &["provider"])],
                    ),
                ],
            ),
            row(
                "Replicas",
                [
                    lines("Ready", "short", [sum("flotilla_ready", replica)]),
                    lines("Partitions", "short", [sum("flotilla_partitions", replica)]),
                    panel(
                        Table,
                        "Parts that wait",
                        "short",
                        [sum("flotilla_waits_for", &["service", "instance", "part"])],
                    ),
                ],
            ),
        ],
    }
}

fn orders() -> Board {
    let objective = |name: &str, window: &str| {
        let asks = format!(
            "namespace:flotilla_orders_{name}:ratio_rate{window}{{namespace=~\"$namespace\"}}"
        );
        Query::plain(window, &asks)
    };
    // Used at a speed of 1, a budget lasts for the month.
    let speed = |name: &str, budget: &str| {
        let query = objective(name, "1h");
        panel(
            Number,
            "Speed at which the budget is used",
            "short",
            [Query::plain("{{namespace}}", &format!("{} / {budget}", query.asks))],
        )
    };
    let windows = |name: &str| ["5m", "1h", "6h"].map(|window| objective(name, window));
    Board {
        name: "orders",
        title: "orders and objectives",
        about: "Whether the two objectives are kept, where orders are on their way, and what became of one of them.",
        of_one_service: false,
        rows: vec![
            row(
                "Objective 1: 99.9 % of orders are accepted",
                [
                    lines("Not accepted, by window", "percentunit", windows("refused")),
                    speed("refused", "0.001"),
                    lines(
                        "Time until an order is accepted, 99 %",
                        "s",
                        [quantile(0.99, &format!("{HTTP}{PLACED}"), &["namespace"])],
                    ),
                ],
            ),
            row(
                "Objective 2: 99 % of orders end within 60 s",
                [
                    lines("Ended late, by window", "percentunit", windows("late")),
                    speed("late", "0.01"),
                    lines(
                        "Time from placing an order to each step, 99 %",
                        "s",
                        [quantile(0.99, STEP, &["step"])],
                    ),
                ],
            ),
            row(
                "On their way",
                [
                    lines("Steps", "ops", [rate(&format!("{STEP}_count"), &["step"])]),
                    lines(
                        "Compensations",
                        "ops",
                        [rate("flotilla_order_compensations_total", &["reason"])],
                    ),
                    lines(
                        "Age of the oldest open order",
                        "s",
                        [shared("flotilla_orders_oldest_open_age_seconds", &["namespace"])],
                    ),
                ],
            ),
            row(
                "One order",
                [panel(
                    Traces,
                    "Traces of the order whose id is above",
                    "short",
                    [Query::plain("", "{ span.messaging.message.conversation_id = \"$order\" }")],
                )],
            ),
        ],
    }
}

fn kafka() -> Board {
    let replica = &["service", "instance"];
    let processed = format!(
        "sum by (service, topic) (max by (namespace, service, topic, partition) \
         (deriv({}[$__rate_interval])))",
        it("flotilla_consumer_offset")
    );
    Board {
        name: "kafka",
        title: "Kafka and outbox",
        about: "What waits to be published, what waits to be heard, and what could not be processed.",
        of_one_service: true,
        rows: vec![
            row(
                "Publishing",
                [
                    lines(
                        "Messages in the outbox",
                        "short",
                        [shared("flotilla_outbox_messages", &["service"])],
                    ),
                    lines(
                        "Age of the outbox",
                        "s",
                        [shared("flotilla_outbox_age_seconds", &["service"])],
                    ),
                    lines(
                        "Messages set apart",
                        "short",
                        [shared("flotilla_outbox_set_apart", &["service", "topic"])],
                    ),
                    lines(
                        "Messages published",
                        "ops",
                        [rate("flotilla_published_messages_total", &["service"])],
                    ),
                    lines(
                        "Time of a flush, 99 %",
                        "s",
                        [quantile(0.99, "flotilla_relay_flush_duration_seconds", &["service"])],
                    ),
                    lines(
                        "Replica that publishes",
                        "short",
                        [sum("flotilla_relay_leader", replica)],
                    ),
                ],
            ),
            row(
                "Hearing",
                [
                    lines(
                        "Lag, by partition",
                        "short",
                        [shared(LAG, &["service", "topic", "partition"])],
                    ),
                    lines(
                        "Messages processed",
                        "ops",
                        [Query::plain("{{service}} {{topic}}", &processed)],
                    ),
                    lines(
                        "Requests to Kafka",
                        "reqps",
                        [rate("flotilla_kafka_requests_total", &["service", "api"])],
                    ),
                    lines(
                        "Stopped partitions",
                        "short",
                        [shared("flotilla_stopped_partitions", &["service", "topic", "reason"])],
                    ),
                    lines(
                        "Kept from hearing",
                        "short",
                        [sum("flotilla_consumer_hindered", &["service", "instance", "reason"])],
                    ),
                    lines("Partitions, by replica", "short", [sum("flotilla_partitions", replica)]),
                ],
            ),
            row(
                "Not processed",
                [
                    lines(
                        "Dead letters that wait",
                        "short",
                        [shared("flotilla_dead_letters_waiting", &["service", "reason"])],
                    ),
                    lines(
                        "Messages set aside",
                        "ops",
                        [rate("flotilla_dead_letters_total", &["service", "topic", "reason"])],
                    ),
                    lines(
                        "Records of unknown name",
                        "ops",
                        [rate("flotilla_unknown_records_total", &["service"])],
                    ),
                ],
            ),
        ],
    }
}

fn postgres() -> Board {
    let mean = |name: &str| {
        format!("sum by (service) ({})", per_second(&format!("flotilla_batch_inputs_{name}")))
    };
    Board {
        name: "postgres",
        title: "Postgres",
        about: "What services do with their databases, and how long they wait for them.",
        of_one_service: true,
        rows: vec![
            row(
                "Transactions",
                [
                    lines(
                        "Transactions",
                        "ops",
                        [rate(&format!("{TRANSACTION}_count"), &["service"])],
                    ),
                    lines(
                        "Time of a transaction: half, and 99 %",
                        "s",
                        [
                            quantile(0.5, TRANSACTION, &["service"]).called("50 % {{service}}"),
                            quantile(0.99, TRANSACTION, &["service"]).called("99 % {{service}}"),
                        ],
                    ),
                    lines(
                        "Inputs of a transaction, mean",
                        "short",
                        [Query::plain(
                            "{{service}}",
                            &format!("{} / {}", mean("sum"), mean("count")),
                        )],
                    ),
                ],
            ),
            row(
                "Trouble",
                [
                    lines(
                        "Transactions that ran again",
                        "ops",
                        [rate("flotilla_batch_retries_total", &["service", "reason"])],
                    ),
                    lines(
                        "Partitions read again as the database was set back",
                        "ops",
                        [rate("flotilla_partitions_set_back_total", &["service"])],
                    ),
                    lines(
                        "Waits for its database",
                        "short",
                        [sum(
                            "flotilla_waits_for{part=~'database|schema|executor|relay|sweep'}",
                            &["service", "instance", "part"],
                        )],
                    ),
                ],
            ),
            row(
                "Connections",
                [
                    lines(
                        "Replicas connected",
                        "short",
                        [shared("flotilla_replicas", &["service"])],
                    ),
                    lines(
                        "Connections that read for callers",
                        "short",
                        [sum("flotilla_reader_connections", &["service", "state"])],
                    ),
                ],
            ),
        ],
    }
}

fn process() -> Board {
    let replica = &["service", "instance"];
    let name = "{{service}} {{instance}}";
    let share = |part: &str, whole: &str| {
        Query::plain(
            name,
            &format!("{} / on (namespace, service, instance) {}", it(part), it(whole)),
        )
    };
    let starts = format!("changes({}[1h])", it("process_start_time_seconds"));
    Board {
        name: "process",
        title: "processes",
        about: "What each replica takes of its machine.",
        of_one_service: true,
        rows: vec![row(
            "By replica",
            [
                lines(
                    "Processor time",
                    "percentunit",
                    [rate("process_cpu_seconds_total", replica)],
                ),
                lines("Memory", "bytes", [sum("process_resident_memory_bytes", replica)]),
                lines(
                    "Memory, as a share of what it may use",
                    "percentunit",
                    [share("process_resident_memory_bytes", "flotilla_memory_limit_bytes")],
                ),
                lines(
                    "Open files and connections, as a share of what it may open",
                    "percentunit",
                    [share("process_open_fds", "process_max_fds")],
                ),
                lines("Threads", "short", [sum("process_threads", replica)]),
                lines("Restarts within an hour", "short", [Query::plain(name, &starts)]),
                panel(
                    Table,
                    "Versions",
                    "short",
                    [sum("flotilla_build_info", &["service", "version"])],
                ),
            ],
        )],
    }
}

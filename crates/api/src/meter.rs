//! What one process counts, and its text for Prometheus.
//!
//! | metric | labels | counts |
//! |---|---|---|
//! | `mainstay_http_requests_total` | method, route, status | answers |
//! | `mainstay_http_request_duration_seconds` | method, route | from the request's head to the answer's |
//! | `mainstay_predictions_total` | workspace, endpoint, outcome | rows that were answered, by whom |
//! | `mainstay_prediction_refusals_total` | code | inference requests that were not answered |
//! | `mainstay_prediction_receipts_total` | receipt | rows by how safe they were logged |
//!
//! Further ones come from [`MetricSource`]s. Source of the format: Prometheus, "Text-based format", 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;

/// Upper ends of the histogram's buckets, in microseconds.
const BUCKETS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// One route's counts.
#[derive(Debug)]
pub(crate) struct RouteMeter {
    method: Method,
    path: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    statuses: BTreeMap<u16, u64>,
    /// Requests by bucket, not cumulated; what is slower than the last is only in the count.
    buckets: [u64; BUCKETS.len()],
    micros: u64,
}

impl RouteMeter {
    /// Notes one answer.
    pub(crate) fn note(&self, status: u16, micros: i64) {
        let micros = u64::try_from(micros).unwrap_or_default();
        let mut seen = held(&self.seen);
        *seen.statuses.entry(status).or_default() += 1;
        seen.micros = seen.micros.saturating_add(micros);
        let bucket = BUCKETS.iter().position(|end| micros <= *end);
        if let Some(count) = bucket.and_then(|at| seen.buckets.get_mut(at)) {
            *count += 1;
        }
    }
}

/// A lock whose holders do not panic.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who answered rows, by workspace, endpoint and outcome.
type Predictions = BTreeMap<(Name, String, &'static str), u64>;

/// Everything that the protocols count.
#[derive(Debug, Default)]
pub struct Meter {
    routes: Mutex<Vec<Arc<RouteMeter>>>,
    predictions: Mutex<Predictions>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    receipts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Meter {
    /// The meter of a new route.
    pub(crate) fn route(&self, method: Method, path: String) -> Arc<RouteMeter> {
        let meter = Arc::new(RouteMeter { method, path, seen: Mutex::default() });
        held(&self.routes).push(Arc::clone(&meter));
        meter
    }

    /// Notes rows of an endpoint that there is.
    pub(crate) fn predicted(&self, workspace: &Name, endpoint: &str, outcome: &'static str, rows: u64) {
        let key = (workspace.clone(), endpoint.to_owned(), outcome);
        *held(&self.predictions).entry(key).or_default() += rows;
    }

    /// Notes a request for predictions that is not answered.
    pub(crate) fn refused(&self, code: ErrorCode) {
        *held(&self.refusals).entry(code.as_str()).or_default() += 1;
    }

    /// Notes how safely rows were logged.
    pub(crate) fn logged(&self, receipt: &'static str, rows: u64) {
        *held(&self.receipts).entry(receipt).or_default() += rows;
    }

    /// Writes all of it.
    pub(crate) fn write(&self, text: &mut Exposition) {
        let routes: Vec<_> = held(&self.routes).clone();
        text.family("mainstay_http_requests_total", "counter", "Answers.");
        for route in &routes {
            for (status, count) in &held(&route.seen).statuses {
                let status = status.to_string();
                let labels =
                    [("method", route.method.as_str()), ("route", &*route.path), ("status", &*status)];
                text.sample("mainstay_http_requests_total", &labels, *count);
            }
        }
        write_durations(&routes, text);
        text.family("mainstay_predictions_total", "counter", "Rows that were answered, by whom.");
        for ((workspace, endpoint, outcome), count) in &*held(&self.predictions) {
            let labels = [("workspace", workspace.as_str()), ("endpoint", endpoint), ("outcome", outcome)];
            text.sample("mainstay_predictions_total", &labels, *count);
        }
        text.family("mainstay_prediction_refusals_total", "counter", "Inference requests not answered.");
        for (code, count) in &*held(&self.refusals) {
            text.sample("mainstay_prediction_refusals_total", &[("code", code)], *count);
        }
        text.family("mainstay_prediction_receipts_total", "counter", "Rows by how safely they were logged.");
        for (receipt, count) in &*held(&self.receipts) {
            text.sample("mainstay_prediction_receipts_total", &[("receipt", receipt)], *count);
        }
    }
}

fn write_durations(routes: &[Arc<RouteMeter>], text: &mut Exposition) {
    let name = "mainstay_http_request_duration_seconds";
    text.family(name, "histogram", "From the head of a request to the head of its answer.");
    for route in routes {
        let seen = held(&route.seen);
        let count: u64 = seen.statuses.values().sum();
        if count == 0 {
            continue;
        }
        let (method, path) = (("method", route.method.as_str()), ("route", &*route.path));
        let mut below = 0;
        for (end, within) in BUCKETS.iter().zip(&seen.buckets) {
            below += within;
            let end = seconds(*end);
            text.sample(&format!("{name}_bucket"), &[method, path, ("le", &end)], below);
        }
        text.sample(&format!("{name}_bucket"), &[method, path, ("le", "+Inf")], count);
        text.sample(&format!("{name}_sum"), &[method, path], seconds(seen.micros));
        text.sample(&format!("{name}_count"), &[method, path], count);
    }
}

/// Microseconds in seconds, exactly: `0.00025`.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A part of the server that has numbers to show.
pub trait MetricSource: Send + Sync {
    /// Writes them.
    fn collect(&self, text: &mut Exposition);
}

/// Text in Prometheus' format, as it is written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a metric: its name, its type (`counter`, `gauge`, `histogram`), and one sentence about it.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Writes a sample of the metric that was begun last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{label}=\"{text}\"");
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_written_once_per_label() {
        let meter = Meter::default();
        let route = meter.route(Method::GET, "/a/{b}".to_owned());
        meter.route(Method::POST, "/unused".to_owned());
        for (status, micros) in [(200, 100), (200, 101), (404, 70_000_000), (200, -5)] {
            route.note(status, micros);
        }
        let workspace = mainstay_core::scope::default_workspace();
        meter.predicted(&workspace, "a\"b", "assigned", 3);
        meter.predicted(&workspace, "a\"b", "assigned", 2);
        meter.logged("written", 5);
        meter.refused(ErrorCode::Unavailable);
        let mut text = Exposition::default();
        meter.write(&mut text);
        let text = text.into_text();
        for line in [
            r#"mainstay_http_requests_total{method="GET",route="/a/{b}",status="200"} 3"#,
            r#"mainstay_http_requests_total{method="GET",route="/a/{b}",status="404"} 1"#,
            r#"mainstay_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="0.0001"} 2"#,
            r#"mainstay_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="0.00025"} 3"#,
            r#"mainstay_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="30"} 3"#,
            r#"mainstay_http_request_duration_seconds_bucket{method="GET",route="/a/{b}",le="+Inf"} 4"#,
            r#"mainstay_http_request_duration_seconds_sum{method="GET",route="/a/{b}"} 70.000201"#,
            r#"mainstay_http_request_duration_seconds_count{method="GET",route="/a/{b}"} 4"#,
            r#"mainstay_predictions_total{workspace="default",endpoint="a\"b",outcome="assigned"} 5"#,
            r#"mainstay_prediction_refusals_total{code="unavailable"} 1"#,
            r#"mainstay_prediction_receipts_total{receipt="written"} 5"#,
        ] {
            assert_eq!(text.lines().filter(|known| *known == line).count(), 1, "{line}\n{text}");
        }
        assert!(!text.contains("/unused"));
    }

    #[test]
    fn every_sample_belongs_to_the_family_above_it() {
        let mut text = Exposition::default();
        text.family("up", "gauge", "Whether it is up.");
        text.sample("up", &[], 1);
        assert_eq!(text.into_text(), "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n");
        assert_eq!(
            [0, 1, 100, 1_000_000, 30_000_000].map(seconds),
            ["0", "0.000001", "0.0001", "1", "30"].map(str::to_owned)
        );
    }
}

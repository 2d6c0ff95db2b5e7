//! The charts of a run's page as the server draws them, from what its metrics come to: never from all of their points.

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_tracking::metric::Point as Logged;
use mainstay_tracking::run::RunDetail;
use mainstay_tracking::series::axis::Axis;
use mainstay_tracking::series::bucket::Bucket;
use mainstay_tracking::series::drawing::Drawn as Came;
use mainstay_tracking::series::query::{Series as Answered, SeriesQuery, Wanted};

use crate::Console;
use crate::show::chart::{Chart, Point, Series, Size};
use crate::show::figure::{count, exact, logged};
use crate::show::link::segment;

/// Most charts that the server draws; further metrics stand in the table.
const CHARTS: usize = 12;
/// Most buckets of a chart that the server draws.
const BUCKETS: usize = 120;

/// A metric as a chart.
pub(super) struct Drawn {
    pub(super) key: String,
    pub(super) key_in_query: String,
    pub(super) latest: String,
    /// All digits of the latest value.
    pub(super) exact: String,
    pub(super) points: String,
    pub(super) chart: Chart,
}

/// The charts of metrics that have a history, and how many more have one.
pub(super) async fn charts(
    console: &Console,
    workspace: &Name,
    run: &RunDetail,
) -> Result<(Vec<Drawn>, usize), StorageError> {
    // A metric whose latest point is its first step is one number.
    let mut drawable: Vec<(&String, f64)> =
        run.metrics.iter().filter(|(_, latest)| latest.step > 0).map(|(key, l)| (key, l.value)).collect();
    drawable.sort_by_key(|(key, _)| rank(key));
    let shown = drawable.iter().take(CHARTS);
    let wanted = shown.clone().map(|(key, _)| Wanted { run: run.run.id, key: (*key).clone(), known: None });
    let query = SeriesQuery {
        wanted: wanted.collect(),
        axis: Axis::Step,
        from: None,
        to: None,
        buckets: BUCKETS,
        least_level: 0,
    };
    if query.wanted.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let answer = console.series.series(workspace, &query).await?;
    let width = 2_f64.powi(i32::try_from(answer.frame.level).unwrap_or(0));
    let drawn = shown.zip(answer.series).filter_map(|((key, latest), series)| {
        let Answered::Drawn { drawn, .. } = series else { return None };
        let (points, total) = line(&drawn, width);
        let label = format!("{key} by step, {total} points");
        let series = [Series { class: "l1", points }];
        let chart = Chart::draw(Size::Small, label, &series, &[], whole)?;
        let (key_in_query, exact, latest) = (segment(key), exact(*latest), logged(*latest));
        Some(Drawn { key: (*key).clone(), key_in_query, latest, exact, points: count(total), chart })
    });
    let drawn: Vec<Drawn> = drawn.collect();
    let more = drawable.len().saturating_sub(drawn.len());
    Ok((drawn, more))
}

/// What has no prefix first, what the machine says of itself last.
fn rank(key: &str) -> u8 {
    if key.starts_with("system/") { 2 } else { u8::from(key.contains('/')) }
}

/// A step at the axis: between two there is none.
fn whole(step: f64) -> String {
    if step.fract() == 0.0 { logged(step) } else { String::new() }
}

/// The line, and of how many points it is. A bucket is drawn from its least to its greatest value, so that no spike
/// is lost.
fn line(drawn: &Came, width: f64) -> (Vec<Point>, u64) {
    match drawn {
        Came::Points(points) => (points.iter().map(point_of).collect(), points.len() as u64),
        Came::Buckets(buckets) => {
            let total = buckets.iter().map(|(_, bucket)| bucket.count).sum();
            (buckets.iter().flat_map(|(start, bucket)| ends(*start, bucket, width)).collect(), total)
        }
    }
}

fn point_of(point: &Logged) -> Point {
    let says = format!("step {}: {}", point.step, logged(point.value));
    Point { x: point.step as f64, y: point.value, says }
}

fn ends(start: i64, bucket: &Bucket, width: f64) -> [Point; 2] {
    let (low, high) = (bucket.min().unwrap_or(f64::NAN), bucket.max().unwrap_or(f64::NAN));
    let says = format!("from step {start}: {} to {}", logged(low), logged(high));
    // The way from the first value to the last: up, or down.
    let (first, last) = if bucket.first.value <= bucket.last.value { (low, high) } else { (high, low) };
    let at = |part: f64| start as f64 + part * (width - 1.0);
    [Point { x: at(0.25), y: first, says: says.clone() }, Point { x: at(0.75), y: last, says }]
}

#[cfg(test)]
mod tests {
    use mainstay_tracking::series::axis::Coordinate;

    use super::*;

    #[test]
    fn a_bucket_is_drawn_from_its_least_to_its_greatest_value() {
        let point = |step: i64, value: f64| Logged { step, timestamp_ms: step, value };
        let mut bucket = Bucket::of(point(0, 0.5));
        for other in [point(1, 9.0), point(2, 0.1), point(3, 0.4)] {
            bucket.add(&Bucket::of(other), Coordinate::Step);
        }
        let (points, total) = line(&Came::Buckets(vec![(0, bucket)]), 4.0);
        assert_eq!((total, points[0].y, points[1].y), (4, 9.0, 0.1), "it falls from 0.5 to 0.4");
        assert!(points[0].x < points[1].x && points[1].x < 4.0);
        let (points, total) = line(&Came::Points(vec![point(7, 0.5)]), 1.0);
        assert_eq!((points[0].x, total), (7.0, 1));
    }
}

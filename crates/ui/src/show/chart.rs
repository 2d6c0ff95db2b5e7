//! Line charts as SVG, drawn by the server: complete without JavaScript, their points reachable by
//! keyboard, each with its exact values.

use askama::Template;

use super::figure::ticks as texts;

/// How large a chart is drawn, in the pixels that its text is set in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    /// As wide as a card beside another.
    Wide,
    /// One of several side by side.
    Small,
}

impl Size {
    const fn pixels(self) -> (f64, f64) {
        match self {
            Self::Wide => (620.0, 210.0),
            Self::Small => (390.0, 190.0),
        }
    }
}

/// Free space at the left for labels, where they do not need more, and below for the axis.
const LEFT: f64 = 52.0;
/// The width of a letter of a label.
const LETTER: f64 = 6.7;
const RIGHT: f64 = 12.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 26.0;
/// Most points that can be stepped through.
const MOST_DOTS: usize = 80;

/// One point: where it is, and what it says on hover.
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) says: String,
}

/// A line through points.
pub(crate) struct Series {
    /// The class of its stroke: `l1`, `l2`, `l3`.
    pub(crate) class: &'static str,
    pub(crate) points: Vec<Point>,
}

/// A horizontal line with its meaning.
pub(crate) struct Level {
    pub(crate) y: f64,
    pub(crate) name: String,
    pub(crate) class: &'static str,
}

struct Tick {
    at: String,
    label: String,
}

struct Dot {
    x: String,
    y: String,
    class: &'static str,
    says: String,
}

struct Drawn {
    class: &'static str,
    path: String,
}

struct DrawnLevel {
    y: String,
    name: String,
    class: &'static str,
    above: bool,
}

/// A chart, ready to be put into a page.
#[derive(Template)]
#[template(path = "chart.svg", ext = "svg", escape = "html")]
pub(crate) struct Chart {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    label: String,
    rows: Vec<Tick>,
    columns: Vec<Tick>,
    lines: Vec<Drawn>,
    levels: Vec<DrawnLevel>,
    dots: Vec<Dot>,
}

// Rendered by its own template, which escapes.
impl askama::filters::HtmlSafe for Chart {}

impl Chart {
    /// Draws finite points; `None` if there are none. `x_label` names a position on the lower axis.
    pub(crate) fn draw(
        size: Size,
        label: impl Into<String>,
        series: &[Series],
        levels: &[Level],
        x_label: impl Fn(f64) -> String,
    ) -> Option<Self> {
        let (width, height) = size.pixels();
        let finite =
            || series.iter().flat_map(|line| &line.points).filter(|p| p.x.is_finite() && p.y.is_finite());
        let xs = Scale::over(finite().map(|point| point.x), LEFT, width - RIGHT)?;
        let heights = finite().map(|point| point.y).chain(levels.iter().map(|level| level.y));
        let ys = Scale::over(heights, height - BOTTOM, TOP)?.padded();
        let (step, values) = ys.ticks(4);
        let labels = texts(&values, step);
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let left = LEFT.max(longest as f64 * LETTER + 10.0);
        let xs = Scale { from: left, ..xs };
        let rows =
            values.iter().zip(labels).map(|(value, label)| Tick { at: coordinate(ys.at(*value)), label });
        let columns =
            xs.ends_and_middle().map(|value| Tick { at: coordinate(xs.at(value)), label: x_label(value) });
        let place = |point: &Point| (coordinate(xs.at(point.x)), coordinate(ys.at(point.y)));
        let lines = series.iter().map(|line| Drawn {
            class: line.class,
            path: path(
                line.points
                    .iter()
                    .map(|point| (point.x.is_finite() && point.y.is_finite()).then(|| place(point))),
            ),
        });
        // So many that each is a stop for whoever goes by keyboard; a longer line is drawn as a line only.
        let few = finite().count() <= MOST_DOTS;
        let dots = series.iter().filter(|_| few).flat_map(|line| {
            line.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).map(|point| {
                let (x, y) = place(point);
                Dot { x, y, class: line.class, says: point.says.clone() }
            })
        });
        let levels = levels.iter().map(|level| DrawnLevel {
            y: coordinate(ys.at(level.y)),
            name: level.name.clone(),
            class: level.class,
            above: ys.at(level.y) > TOP + 14.0,
        });
        Some(Self {
            width,
            height,
            left,
            right: width - RIGHT,
            label: label.into(),
            rows: rows.collect(),
            columns: columns.collect(),
            lines: lines.collect(),
            levels: levels.collect(),
            dots: dots.collect(),
        })
    }
}

/// A path through points; a gap where there is none.
fn path(points: impl Iterator<Item = Option<(String, String)>>) -> String {
    let mut text = String::new();
    let mut pen_down = false;
    for point in points {
        match point {
            None => pen_down = false,
            Some((x, y)) => {
                text.push_str(if pen_down { "L" } else { "M" });
                text.push_str(&x);
                text.push(' ');
                text.push_str(&y);
                pen_down = true;
            }
        }
    }
    text
}

/// A tenth of a pixel is enough.
fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}

/// A linear scale from values to pixels.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let ends = values.filter(|value| value.is_finite()).fold(None, |ends, value| match ends {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        });
        let (low, high) = ends?;
        Some(Self { low, high, from, to })
    }

    /// With a little room around.
    fn padded(self) -> Self {
        let room = match self.high {
            high if high > self.low => high * 0.08 - self.low * 0.08,
            0.0 => 0.1,
            high => high.abs() * 0.1,
        };
        Self { low: self.low - room, high: self.high + room, ..self }
    }

    fn at(&self, value: f64) -> f64 {
        // By halves, as the span of the greatest numbers is none.
        let span = self.high / 2.0 - self.low / 2.0;
        let part = if span > 0.0 { (value / 2.0 - self.low / 2.0) / span } else { 0.5 };
        self.from + part * (self.to - self.from)
    }

    /// About `wanted` round values: steps of 1, 2 or 5 times a power of ten (Heckbert, "Nice Numbers for
    /// Graph Labels", Graphics Gems, 1990). With the step between them.
    fn ticks(&self, wanted: u32) -> (f64, Vec<f64>) {
        let wanted = f64::from(wanted);
        let raw = (self.high / wanted - self.low / wanted).max(f64::MIN_POSITIVE);
        let power = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= raw).unwrap_or(10.0) * power;
        let first = (self.low / step).ceil();
        let high = self.high;
        (step, (0..20).map(|n| (first + f64::from(n)) * step).take_while(|value| *value <= high).collect())
    }

    fn ends_and_middle(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        let all = if high > low { vec![low, f64::midpoint(low, high), high] } else { vec![low] };
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y, says: format!("{x}: {y}") }
    }

    fn chart(points: Vec<Point>, levels: &[Level]) -> Option<String> {
        let series = [Series { class: "l1", points }];
        Chart::draw(Size::Wide, "loss <by> step", &series, levels, |x| x.to_string())
            .map(|chart| chart.render().unwrap())
    }

    #[test]
    fn points_lie_inside_and_say_their_values() {
        let svg = chart(vec![point(0.0, 1.0), point(10.0, 3.0)], &[]).unwrap();
        assert!(svg.contains("aria-label=\"loss &#60;by&#62; step\""), "{svg}");
        assert!(svg.contains("M52.0 ") && svg.contains("L608.0 "), "{svg}");
        assert!(svg.contains("<title>10: 3</title>"), "{svg}");
    }

    #[test]
    fn what_is_not_finite_is_a_gap() {
        let svg = chart(vec![point(0.0, 1.0), point(1.0, f64::NAN), point(2.0, 2.0)], &[]).unwrap();
        assert_eq!(svg.matches('M').count(), svg.matches("<path d=\"M52 ").count() + 2, "two strokes");
        assert!(!svg.contains("NaN"), "{svg}");
        assert!(chart(vec![point(0.0, f64::INFINITY)], &[]).is_none());
    }

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale { low: 0.13, high: 0.87, from: 0.0, to: 1.0 };
        let (step, ticks) = scale.ticks(4);
        assert_eq!(texts(&ticks, step), ["0.2", "0.4", "0.6", "0.8"]);
        let flat = Scale { low: 5.0, high: 5.0, from: 0.0, to: 1.0 };
        assert!(flat.ticks(4).1.len() <= 20);
        let widest = Scale { low: f64::MIN, high: f64::MAX, from: 0.0, to: 1.0 };
        assert!((widest.at(0.0) - 0.5).abs() < 1e-9 && widest.ticks(4).1.contains(&0.0));
        assert!((flat.at(5.0) - 0.5).abs() < 1e-9);
    }
}

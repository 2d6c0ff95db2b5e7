//! `/endpoints/{name}/monitor`: how far each watched series has moved, day by day, and the alarms.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::ResourceKind;
use mainstay_monitoring::alarm::{Series as Watched, SeriesKind, Signal, Statistic, Window};
use mainstay_monitoring::port::AlarmFilter;
use mainstay_monitoring::record::{Cause, Ending, RecordedAlarm, RecordedLook};
use mainstay_monitoring::reference::Family;

use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::chart::{Chart, Level, Point, Series, Size};
use crate::show::figure::{count, number, words};
use crate::show::link;
use crate::show::moment::{Moment, day_label};
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Looks of a family on the page, the newest.
const LOOKS: usize = 60;
/// Alarms on the page, the newest.
const ALARMS: usize = 30;
/// Series that are drawn large: those that moved most.
const DRAWN: usize = 6;

pub(super) fn routes() -> Vec<Row> {
    let endpoint = RouteScope::Path(ResourceKind::Endpoint, "name");
    vec![reads("/endpoints/{name}/monitor", Action::MonitorRead, endpoint, show)]
}

/// One look at one series.
struct Cell {
    class: &'static str,
    is_open: bool,
    says: String,
}

struct SeriesRow {
    name: String,
    about: &'static str,
    cells: Vec<Cell>,
    newest: String,
    is_open: bool,
}

struct Watch {
    name: &'static str,
    about: &'static str,
    first: String,
    last: String,
    rows: Vec<SeriesRow>,
    coverage: Option<String>,
}

struct Drawn {
    name: String,
    about: &'static str,
    is_open: bool,
    chart: Chart,
}

struct Evidence {
    name: String,
    statistic: &'static str,
    value: String,
    floor: String,
    critical: String,
    adjusted_p: String,
    rows: String,
}

struct AlarmCard {
    heading: String,
    raised: Moment,
    version: u64,
    version_href: String,
    state: String,
    class: &'static str,
    window: String,
    evidence: Vec<Evidence>,
    sentence: String,
}

#[derive(Template)]
#[template(path = "monitor.html")]
struct MonitorPage {
    shell: Shell,
    name: String,
    here: String,
    open: usize,
    /// How many predictions came too late; empty if none did.
    late: String,
    watches: Vec<Watch>,
    drawn: Vec<Drawn>,
    alarms: Vec<AlarmCard>,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(name): Path<String>) -> Page {
    let name = Name::new(name)?;
    let workspace = &caller.workspace;
    let found = console.served.endpoint(workspace, &name).await?;
    let (endpoint, _) = found.ok_or_else(|| Missing(format!("endpoint {name}")))?;
    let filter = AlarmFilter { endpoint: Some(name.clone()), open_only: false };
    let alarms = console.monitored.alarms(workspace, &filter, &PageRequest::first(ALARMS)).await?.items;
    let mut watches = Vec::new();
    let mut tracks = Vec::new();
    for family in Family::WATCHED {
        let looks = looks(&console, workspace, &name, family).await?;
        if looks.is_empty() {
            continue;
        }
        let of = tracks_of(&looks);
        watches.push(watch(family, &looks, &of));
        tracks.extend(of);
    }
    let late = console.progress.progress(workspace, &name).map_or(0, |progress| progress.late);
    page(&MonitorPage {
        shell: Shell::new(format!("{name} monitor"), Section::Endpoints)
            .seen_by(&caller)
            .under("Endpoints", "/endpoints")
            .under(name.to_string(), link::endpoint(&name)),
        here: link::endpoint(&name),
        name: name.to_string(),
        open: alarms.iter().filter(|alarm| alarm.resolution.is_none()).count(),
        late: if late == 0 { String::new() } else { count(late) },
        watches,
        drawn: drawn(tracks),
        alarms: alarms.iter().map(|alarm| card(alarm, &endpoint.model)).collect(),
    })
}

/// The looks at a family, oldest first.
async fn looks(
    console: &Console,
    workspace: &Name,
    endpoint: &Name,
    family: Family,
) -> Result<Vec<RecordedLook>, StorageError> {
    let page = console.monitored.looks(workspace, endpoint, family, &PageRequest::first(LOOKS)).await?;
    let mut looks = page.items;
    looks.reverse();
    Ok(looks)
}

/// One series over the looks: absent where a look did not have it.
struct Track {
    series: Watched,
    signals: Vec<Option<(Window, Signal)>>,
}

impl Track {
    fn newest(&self) -> Option<&(Window, Signal)> {
        self.signals.iter().flatten().next_back()
    }

    /// The greatest multiple of its floor.
    fn reach(&self) -> f64 {
        self.signals.iter().flatten().map(|(_, signal)| multiple(signal)).fold(0.0, f64::max)
    }
}

/// By name and kind, in the order of the newest look.
fn tracks_of(looks: &[RecordedLook]) -> Vec<Track> {
    let key = |series: &Watched| (series.name.clone(), format!("{:?}", series.kind));
    let mut tracks: Vec<Track> = Vec::new();
    let mut known = BTreeMap::new();
    for recorded in looks.iter().rev() {
        for signal in &recorded.look.signals {
            known.entry(key(&signal.series)).or_insert_with(|| {
                tracks.push(Track { series: signal.series.clone(), signals: vec![None; looks.len()] });
                tracks.len() - 1
            });
        }
    }
    for (at, recorded) in looks.iter().enumerate() {
        for signal in &recorded.look.signals {
            let track = known.get(&key(&signal.series)).and_then(|index| tracks.get_mut(*index));
            if let Some(slot) = track.and_then(|track| track.signals.get_mut(at)) {
                *slot = Some((recorded.look.window, signal.clone()));
            }
        }
    }
    tracks
}

/// The value as a multiple of the least effect that matters.
fn multiple(signal: &Signal) -> f64 {
    let floor = signal.series.floor;
    if floor > 0.0 { signal.value.unwrap_or(0.0).max(0.0) / floor } else { 0.0 }
}

const fn statistic(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Psi => "PSI",
        Statistic::TotalVariation => "total variation",
        Statistic::RateChange => "change of the rate",
        Statistic::RelativeIncrease => "increase",
        Statistic::RelativeDecrease => "decrease",
    }
}

const fn about(kind: SeriesKind) -> &'static str {
    match kind {
        SeriesKind::FeatureDrift => "distribution",
        SeriesKind::MissingRate => "missing rate",
        SeriesKind::PredictionShift => "scores",
        SeriesKind::Performance => "on matured labels",
    }
}

fn days(window: Window) -> String {
    if window.first_day == window.last_day {
        day_label(window.last_day)
    } else {
        format!("{} to {}", day_label(window.first_day), day_label(window.last_day))
    }
}

fn told(window: Window, signal: &Signal) -> String {
    let value = signal.value.map_or_else(|| "no rows".to_owned(), number);
    let judged = if signal.is_judged {
        format!("adjusted p {}", number(signal.adjusted_p))
    } else {
        "too few rows to judge".to_owned()
    };
    let open = if signal.is_open { ", alarm open" } else { "" };
    format!(
        "{}: {} {value} (matters from {}), {judged}, {} rows{open}",
        days(window),
        statistic(signal.series.statistic),
        number(signal.series.floor),
        count(signal.rows),
    )
}

fn cell(seen: Option<&(Window, Signal)>) -> Cell {
    let Some((window, signal)) = seen else {
        return Cell { class: "none", is_open: false, says: "not looked at".to_owned() };
    };
    let class = match (signal.is_judged, multiple(signal)) {
        (false, _) => "few",
        (true, part) if part < 0.25 => "d0",
        (true, part) if part < 0.5 => "d1",
        (true, part) if part < 1.0 => "d2",
        (true, part) if part < 1.5 => "d3",
        (true, part) if part < 2.5 => "d4",
        (true, _) => "d5",
    };
    Cell { class, is_open: signal.is_open, says: told(*window, signal) }
}

fn watch(family: Family, looks: &[RecordedLook], tracks: &[Track]) -> Watch {
    let (name, about_family) = match family {
        Family::Features => ("What came in", "features against the champion's training data"),
        Family::Predictions => ("What the model said", "its scores against those of its training data"),
        Family::Quality => ("How right it was", "log loss on matured labels"),
        Family::Age => ("How old it is", "its training data against the watermark"),
    };
    let row = |track: &Track| SeriesRow {
        name: track.series.name.clone(),
        about: about(track.series.kind),
        cells: track.signals.iter().map(|seen| cell(seen.as_ref())).collect(),
        newest: track.newest().map_or_else(String::new, |(_, signal)| {
            let value = signal.value.map_or_else(|| "–".to_owned(), number);
            format!("{} {value}", statistic(signal.series.statistic))
        }),
        is_open: track.newest().is_some_and(|(_, signal)| signal.is_open),
    };
    let edge = |look: Option<&RecordedLook>| {
        look.map_or_else(String::new, |look| day_label(look.look.window.last_day))
    };
    Watch {
        name,
        about: about_family,
        first: edge(looks.first()),
        last: edge(looks.last()),
        rows: tracks.iter().map(row).collect(),
        coverage: looks.last().and_then(|look| look.coverage).map(|part| format!("{:.1} %", part * 100.0)),
    }
}

/// Charts of the series that moved most, or stand in an alarm.
fn drawn(mut tracks: Vec<Track>) -> Vec<Drawn> {
    let open = |track: &Track| track.newest().is_some_and(|(_, signal)| signal.is_open);
    tracks.retain(|track| open(track) || track.reach() >= 1.0);
    tracks.sort_by(|a, b| b.reach().total_cmp(&a.reach()));
    tracks.truncate(DRAWN);
    let draw = |track: &Track| {
        let points = track.signals.iter().flatten().filter_map(|(window, signal)| {
            Some(Point { x: window.last_day as f64, y: signal.value?, says: told(*window, signal) })
        });
        let series = [Series { class: "l1", points: points.collect() }];
        let critical = track.newest().map(|(_, signal)| signal.critical).filter(|value| value.is_finite());
        let mut levels =
            vec![Level { y: track.series.floor, name: "matters from here".to_owned(), class: "floor" }];
        levels.extend(critical.map(|y| Level {
            y,
            name: "chance stays below".to_owned(),
            class: "critical",
        }));
        let name = track.series.name.clone();
        let label = format!("{} of {name} by day", statistic(track.series.statistic));
        let chart = Chart::draw(Size::Small, label, &series, &levels, day_of)?;
        Some(Drawn { name, about: about(track.series.kind), is_open: open(track), chart })
    };
    tracks.iter().filter_map(draw).collect()
}

/// The day of a chart's position.
fn day_of(day: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a float that was made of a day's number")]
    let day = day as i64;
    day_label(day)
}

/// What an alarm is about, in a few words.
pub(super) fn heading(alarm: &RecordedAlarm) -> String {
    match &alarm.cause {
        Cause::Changed(changed) => {
            let mut names: Vec<&str> =
                changed.signals.iter().map(|signal| signal.series.name.as_str()).collect();
            names.dedup();
            names.join(", ")
        }
        Cause::Aged(aged) => format!("{} days old", aged.age_days),
    }
}

fn card(alarm: &RecordedAlarm, model: &Name) -> AlarmCard {
    let (state, class) = match alarm.resolution.map(|resolution| resolution.ending) {
        None => ("open", "warn"),
        Some(Ending::Recovered) => ("recovered", "ok"),
        Some(Ending::Replaced) => ("over: another champion", "ok"),
        Some(Ending::Closed) => ("closed by a person", "idle"),
    };
    let (window, evidence, sentence) = match &alarm.cause {
        Cause::Changed(changed) => {
            let sentence = format!("held to {} after correction over all series", number(changed.alpha));
            (days(changed.window), changed.signals.iter().map(line).collect(), sentence)
        }
        Cause::Aged(aged) => {
            let sentence = format!(
                "its training data ends {} days before the data that it serves; the rule says {}",
                aged.age_days, aged.limit_days
            );
            (String::new(), Vec::new(), sentence)
        }
    };
    AlarmCard {
        heading: format!("{}: {}", words(alarm.finding.family.as_str()), heading(alarm)),
        raised: Moment::of_data(alarm.data_time),
        version: alarm.finding.version,
        version_href: link::version(model, alarm.finding.version),
        state: state.to_owned(),
        class,
        window,
        evidence,
        sentence,
    }
}

fn line(signal: &Signal) -> Evidence {
    Evidence {
        name: format!("{}, {}", signal.series.name, about(signal.series.kind)),
        statistic: statistic(signal.series.statistic),
        value: signal.value.map_or_else(|| "–".to_owned(), number),
        floor: number(signal.series.floor),
        critical: number(signal.critical),
        adjusted_p: number(signal.adjusted_p),
        rows: count(signal.rows),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_monitoring::alarm::Look;
    use mainstay_monitoring::watch::FindingKey;

    use super::*;

    fn signal(name: &str, value: f64, is_judged: bool) -> Signal {
        Signal {
            series: Watched::feature_drift(name),
            value: Some(value),
            critical: 0.3,
            p_value: 0.01,
            adjusted_p: 0.02,
            rows: 980,
            reference_rows: 50_000,
            expected: Some(0.01),
            is_judged,
            is_open: value > 0.3,
        }
    }

    fn look(day: i64, signals: Vec<Signal>) -> RecordedLook {
        let window = Window { first_day: day - 6, last_day: day };
        let finding = FindingKey { champion: Digest::of(b"m"), version: 1, family: Family::Features, day };
        let look = Look { window, signals, alarm: None, recovered: Vec::new() };
        RecordedLook { finding, look, coverage: None }
    }

    #[test]
    fn each_series_keeps_its_days_apart() {
        let looks = [
            look(15_900, vec![signal("visib", 0.05, true)]),
            look(15_901, vec![signal("visib", 0.5, true), signal("temp", 0.01, false)]),
        ];
        let tracks = tracks_of(&looks);
        let row = |name: &str| tracks.iter().find(|track| track.series.name == name).unwrap();
        let classes =
            |name: &str| row(name).signals.iter().map(|seen| cell(seen.as_ref()).class).collect::<Vec<_>>();
        assert_eq!((classes("visib"), classes("temp")), (vec!["d1", "d5"], vec!["none", "few"]));
        assert_eq!(
            cell(row("visib").signals[1].as_ref()).says,
            "Jul 9 to Jul 15: PSI 0.5 (matters from 0.2), adjusted p 0.02, 980 rows, alarm open"
        );
        let drawn = drawn(tracks);
        assert_eq!(drawn.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["visib"]);
    }
}

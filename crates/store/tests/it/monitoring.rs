//! Alarms on the record, and the figures beside it.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::DataTime;
use mainstay_monitoring::alarm::{AgeAlarm, Alarm, Look, Series, Signal, Window};
use mainstay_monitoring::command::{RaiseAlarm, RecordLooks, ResolveAlarm};
use mainstay_monitoring::port::{AlarmFilter, MonitoringReader as _, MonitoringTx};
use mainstay_monitoring::record::{Cause, Ending, RecordedLook};
use mainstay_monitoring::reference::Family;
use mainstay_monitoring::watch::FindingKey;
use serde_json::json;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn endpoint(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn key(family: Family, day: i64) -> FindingKey {
    FindingKey { champion: Digest::of(b"model"), version: 3, family, day }
}

fn look(day: i64) -> Look {
    let signal = Signal {
        series: Series::loss("log_loss"),
        value: Some(0.25),
        critical: 0.125,
        p_value: 0.001,
        adjusted_p: 0.001,
        rows: 900,
        reference_rows: 50_000,
        expected: None,
        is_judged: true,
        is_open: true,
    };
    let window = Window { first_day: day - 13, last_day: day };
    Look { window, signals: vec![signal], alarm: None, recovered: Vec::new() }
}

fn raise(name: &str, family: Family, day: i64, id: u8) -> RaiseAlarm {
    let look = look(day);
    RaiseAlarm {
        workspace: default_workspace(),
        id: AlarmId::from_bytes([id; 16]),
        endpoint: endpoint(name),
        finding: key(family, day),
        cause: Cause::Changed(Alarm { window: look.window, alpha: 0.005, signals: look.signals }),
        data_time: DataTime::from_micros(day * 1_000),
    }
}

both!(an_alarm_is_raised_and_resolved_once, async |fresh: Fresh| {
    let writer = Arc::new(fresh.database.writer.clone());
    let commands: Commands<dyn MonitoringTx> = Commands::new(writer, Arc::new(AllowAll));
    let (caller, reader) = (Principal::system("watch"), &fresh.database.reader);
    let first = commands.run(&caller, raise("delays", Family::Quality, 40, 1)).await.unwrap();
    // Found anew after a restart, under another id and a later watermark.
    let mut again = raise("delays", Family::Quality, 40, 2);
    again.data_time = DataTime::from_micros(i64::MAX);
    assert_eq!(commands.run(&caller, again).await.unwrap(), first);

    let resolve = |day| ResolveAlarm {
        workspace: default_workspace(),
        endpoint: endpoint("delays"),
        finding: key(Family::Quality, day),
        ending: Ending::Recovered,
        data_time: DataTime::from_micros(55_000),
    };
    let ended = commands.run(&caller, resolve(40)).await.unwrap();
    assert_eq!(ended.resolution.unwrap().ending, Ending::Recovered);
    let later = ResolveAlarm { ending: Ending::Replaced, ..resolve(40) };
    assert_eq!(commands.run(&caller, later).await.unwrap(), ended, "it stays as it ended");
    let unknown = commands.run(&caller, resolve(41)).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    assert_eq!(reader.alarm(&default_workspace(), &first.id).await.unwrap(), Some(ended));
    assert_eq!(reader.alarm(&default_workspace(), &AlarmId::from_bytes([2; 16])).await.unwrap(), None);

    let events = fresh.database.read(&EventQuery::after(EventSeq(0), 100)).await.unwrap();
    let alarms: Vec<_> = events.iter().filter(|event| event.kind.starts_with("alarm.")).collect();
    assert_eq!(
        alarms.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>(),
        ["alarm.raised", "alarm.resolved"]
    );
    assert!(alarms.iter().all(|event| event.subject.to_string() == "endpoint:delays"));
    let body = alarms[0].body.as_ref().unwrap();
    assert_eq!(body["alarm"], json!("01".repeat(16)));
    assert_eq!(body["family"], json!("quality"));
    assert_eq!(body["champion"], json!({ "version": 3, "digest": Digest::of(b"model") }));
    assert_eq!(body["cause"]["window"], json!({ "first_day": 27, "last_day": 40 }));
    assert_eq!(body["cause"]["signals"][0]["value"], json!(0.25));
    assert_eq!(body["data_time"], json!(40_000));
    let body = alarms[1].body.as_ref().unwrap();
    assert_eq!((&body["ending"], &body["data_time"]), (&json!("recovered"), &json!(55_000)));
});

both!(alarms_and_looks_are_listed_newest_first, async |fresh: Fresh| {
    let writer = Arc::new(fresh.database.writer.clone());
    let commands: Commands<dyn MonitoringTx> = Commands::new(writer, Arc::new(AllowAll));
    let (caller, reader) = (Principal::system("watch"), &fresh.database.reader);
    let aged = AgeAlarm {
        trained_through: DataTime::from_micros(0),
        watermark: DataTime::from_micros(1),
        age_days: 60,
        limit_days: 60,
    };
    let raised = [
        raise("delays", Family::Features, 10, 1),
        RaiseAlarm { cause: Cause::Aged(aged), ..raise("delays", Family::Age, 60, 2) },
        raise("prices", Family::Features, 10, 3),
        raise("delays", Family::Features, 9, 4),
    ];
    for raise in raised {
        commands.run(&caller, raise).await.unwrap();
    }
    let (workspace, finding) = (default_workspace(), key(Family::Age, 60));
    let (data_time, ending) = (DataTime::from_micros(7), Ending::Replaced);
    let resolve = ResolveAlarm { workspace, endpoint: endpoint("delays"), finding, ending, data_time };
    commands.run(&caller, resolve).await.unwrap();
    let list = async |name: Option<&str>, open_only: bool| {
        let filter = AlarmFilter { endpoint: name.map(endpoint), open_only };
        let (mut ids, mut page) = (Vec::new(), PageRequest::first(2));
        loop {
            let found = reader.alarms(&default_workspace(), &filter, &page).await.unwrap();
            ids.extend(found.items.iter().map(|alarm| alarm.id.as_bytes()[0]));
            match found.next {
                None => return ids,
                next => page.after = next,
            }
        }
    };
    assert_eq!(list(None, false).await, [4, 3, 2, 1]);
    assert_eq!(list(Some("delays"), false).await, [4, 2, 1]);
    assert_eq!(list(Some("delays"), true).await, [4, 1]);
    assert!(list(Some("nothing"), false).await.is_empty());

    let recorded = |day, coverage| RecordedLook {
        finding: key(Family::Quality, day),
        look: look(day),
        coverage: Some(coverage),
    };
    let record = |looks| RecordLooks { workspace: default_workspace(), endpoint: endpoint("delays"), looks };
    let events = async || fresh.database.read(&EventQuery::after(EventSeq(0), 100)).await.unwrap().len();
    let before = events().await;
    commands.run(&caller, record((20..25).map(|day| recorded(day, 0.5)).collect())).await.unwrap();
    commands.run(&caller, record(vec![recorded(22, 0.75)])).await.unwrap();
    assert_eq!(events().await, before, "figures that can be found anew are no fact of the record");
    let (mut looks, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let found =
            reader.looks(&default_workspace(), &endpoint("delays"), Family::Quality, &page).await.unwrap();
        looks.extend(found.items);
        match found.next {
            None => break,
            next => page.after = next,
        }
    }
    let coverage = |day| if day == 22 { 0.75 } else { 0.5 };
    let expected: Vec<_> = (20..25).rev().map(|day| recorded(day, coverage(day))).collect();
    assert_eq!(looks, expected);
    let (family, first) = (Family::Features, PageRequest::first(2));
    let none = reader.looks(&default_workspace(), &endpoint("delays"), family, &first).await.unwrap();
    assert!(none.items.is_empty());
});

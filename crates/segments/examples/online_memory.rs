//! Measures the online store: `online_memory DIR KEYS FEATURES` puts one row of doubles per key, and prints
//! resident memory per key, CPU time per put and per read, and CPU time of opening it again.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs;
use std::path::Path;

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_features::online::{EntityKey, OnlineRow, Stamp, Value};
use mainstay_features::plan::Coverage;
use mainstay_segments::online::{Durability, OnlineStore, Options, ViewSpec};

type Failure = Box<dyn Error>;

const BATCH: i64 = 1_000;
const READS: i64 = 1_000_000;

fn key(number: i64) -> Result<EntityKey, Failure> {
    EntityKey::of(&[Value::Int(number)])?.ok_or_else(|| "a key is never null".into())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, keys, features] = arguments.as_slice() else { return Err("DIR KEYS FEATURES".into()) };
    let (dir, keys, features): (&Path, i64, i64) = (Path::new(dir), keys.parse()?, features.parse()?);
    let (store, _) = OnlineStore::open(dir, Options::default())?;
    store.define(&ViewSpec { name: "view".to_owned(), definition: Digest::of(b"view"), ttl: None })?;
    let (before, started) = (resident_kib()?, cpu_seconds()?);
    let at = DataTime::from_micros(1);
    for from in (0..keys).step_by(usize::try_from(BATCH)?) {
        let row = |number: i64| {
            let values = (0..features).map(|f| Value::Float((number * 100 + f) as f64)).collect();
            let stamp = Stamp { ts: at, created: at };
            Ok(OnlineRow { view: "view".to_owned(), key: key(number)?, stamp, values })
        };
        let rows = (from..keys.min(from + BATCH)).map(row).collect::<Result<Vec<_>, Failure>>()?;
        store.put_batch(&rows, Durability::Written)?;
    }
    store.cover("view", Coverage { horizon: at, until: at })?;
    let put = cpu_seconds()?;
    let per_key = (resident_kib()? - before) * 1024 / keys;
    let view = store.view("view").ok_or("view")?;
    let mut found = 0;
    for read in 0..READS {
        found += usize::from(!view.get(&key(read * 7_919 % keys)?, at)?.values.is_empty());
    }
    let read = cpu_seconds()?;
    drop(view);
    drop(store);
    let closed = cpu_seconds()?;
    let (store, _) = OnlineStore::open(dir, Options::default())?;
    let opened = cpu_seconds()?;
    println!(
        "{{\"keys\":{keys},\"found\":{found},\"bytes_per_key\":{per_key},\"put_us\":{:.2},\"get_us\":{:.2},\"open_s\":{:.2},\"rows\":{}}}",
        (put - started) * 1e6 / keys as f64,
        (read - put) * 1e6 / READS as f64,
        opened - closed,
        store.view("view").map_or(0, |view| view.stats().rows),
    );
    Ok(())
}

/// User and system time of this process, in ticks of 10 ms (proc(5), stat, fields 14 and 15).
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("stat")?.1;
    let ticks: Vec<&str> = after.split_whitespace().skip(11).take(2).collect();
    let ticks: u32 = ticks.iter().map(|ticks| ticks.parse::<u32>()).sum::<Result<_, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}

/// Resident memory now (proc(5), status, `VmRSS`).
fn resident_kib() -> Result<i64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("status")?;
    Ok(line.split_whitespace().next().ok_or("status")?.parse()?)
}

//! Measures point-in-time retrieval: `generate DIR VIEWS ENTITY_ROWS FEATURE_ROWS` draws Parquet files
//! (feature rows divided among views of ten doubles, 100,000 entities, 90 days, ttl 30 days), and
//! `join DIR MEMORY_MIB [OUT]` joins them, and prints CPU seconds and peak memory; with `OUT` the frame is
//! written there, for `tests/reference/features.py compare`.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::entropy::{Entropy as _, SeededEntropy};
use mainstay_core::time::DAY;
use mainstay_data::schema::{Column, DataType, Schema};
use mainstay_features::definition::{Definitions, FeatureRef};
use mainstay_features::rule::CreatedCutoff;
use mainstay_query::features::{JoinedView, point_in_time, view_schema};
use mainstay_query::scan::{LocalFile, Table, frame};
use mainstay_query::session::{SessionOptions, open};
use parquet::arrow::ArrowWriter;

const ENTITIES: i64 = 100_000;
const CHUNK: usize = 65_536;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", dir, views, entities, rows] => {
            generate(Path::new(dir), views.parse()?, entities.parse()?, rows.parse()?)
        }
        ["join", dir, memory] => join(Path::new(dir), memory.parse()?, None),
        ["join", dir, memory, out] => join(Path::new(dir), memory.parse()?, Some(Path::new(out))),
        _ => Err("usage: generate DIR VIEWS ENTITY_ROWS FEATURE_ROWS | join DIR MEMORY_MIB [OUT]".into()),
    }
}

fn definitions(views: usize) -> Result<Definitions, Failure> {
    let mut text = String::from(
        "entities: [{name: user, join_keys: ['user:int64']}]\n\
         sources: [{name: s, dataset: s, timestamp: ts}]\nfeature_views:\n",
    );
    let features: Vec<String> = (0..10).map(|f| format!("{{name: f{f}, dtype: float64}}")).collect();
    for view in 0..views {
        let line = format!(
            "  - {{name: v{view}, entities: [user], source: s, ttl: 30d, features: [{}]}}\n",
            features.join(", ")
        );
        text.push_str(&line);
    }
    Ok(Definitions::parse(&text)?)
}

/// Numbers below a bound, eight random bytes each.
fn draw(entropy: &SeededEntropy, count: usize, bound: i64) -> Vec<i64> {
    let mut bytes = vec![0; 8 * count];
    entropy.fill(&mut bytes);
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| (u64::from_le_bytes(*word) >> 1).cast_signed() % bound).collect()
}

fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

fn write(
    path: &Path,
    rows: usize,
    mut chunk: impl FnMut(usize, usize) -> Result<RecordBatch, Failure>,
) -> Result<(), Failure> {
    let mut writer: Option<ArrowWriter<File>> = None;
    for from in (0..rows).step_by(CHUNK) {
        let batch = chunk(from, CHUNK.min(rows - from))?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?),
        };
        writer.write(&batch)?;
    }
    writer.map(ArrowWriter::close).transpose()?;
    Ok(())
}

fn generate(dir: &Path, views: usize, entities: usize, rows: usize) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    let entropy = SeededEntropy::new(7);
    write(&dir.join("entities.parquet"), entities, |from, count| {
        let ids: Vec<i64> = (0..).skip(from).take(count).collect();
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("row_id", Arc::new(Int64Array::from(ids)) as ArrayRef, true),
            ("user", Arc::new(Int64Array::from(draw(&entropy, count, ENTITIES))), true),
            ("event_timestamp", times(draw(&entropy, count, 90 * DAY)), true),
        ])?)
    })?;
    for view in 0..views {
        write(&dir.join(format!("v{view}.parquet")), rows / views, |_, count| {
            let at = draw(&entropy, count, 90 * DAY);
            let mut columns: Vec<(String, ArrayRef, bool)> = vec![
                ("user".to_owned(), Arc::new(Int64Array::from(draw(&entropy, count, ENTITIES))), true),
                ("event_timestamp".to_owned(), times(at.clone()), true),
                ("created_timestamp".to_owned(), times(at), true),
            ];
            for feature in 0..10 {
                let values = draw(&entropy, count, 1 << 40).into_iter().map(|v| v as f64 / 1024.0);
                columns.push((format!("f{feature}"), Arc::new(Float64Array::from_iter_values(values)), true));
            }
            Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
        })?;
    }
    Ok(())
}

fn local(path: PathBuf, schema: Schema) -> Table {
    let object_key = path.display().to_string();
    Table { schema, files: vec![LocalFile { path, object_key, sha256: Digest::of(b""), rows: 0 }] }
}

fn join(dir: &Path, memory: usize, out: Option<&Path>) -> Result<(), Failure> {
    let views = (0..64).take_while(|view| dir.join(format!("v{view}.parquet")).exists()).count();
    let definitions = definitions(views)?;
    let spill = dir.join("spill");
    let session = open(&SessionOptions { memory: memory << 20, ..SessionOptions::spilling_to(&spill) })?;
    let entity_schema = Schema::new(vec![
        Column::new("row_id", DataType::Int64),
        Column::new("user", DataType::Int64),
        Column::new("event_timestamp", DataType::Timestamp),
    ])?;
    let entities = frame(&session, &local(dir.join("entities.parquet"), entity_schema))?;
    let tables: Vec<Table> = definitions
        .views()
        .map(|view| Ok(local(dir.join(format!("{}.parquet", view.name)), view_schema(view)?)))
        .collect::<Result<_, Failure>>()?;
    let joined: Vec<JoinedView<'_>> =
        definitions.views().zip(&tables).map(|(view, rows)| JoinedView { view, rows }).collect();
    let of = |view: &str| (0..10).map(move |f| (view.to_owned(), format!("f{f}"))).collect::<Vec<_>>();
    let features: Vec<FeatureRef> = definitions
        .views()
        .flat_map(|view| of(&view.name))
        .map(|(view, feature)| FeatureRef { view, feature })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let rows = runtime.block_on(async {
        let mut frame = point_in_time(&session, entities, &joined, &features, CreatedCutoff::On).await?;
        let mut writer = match out {
            Some(out) => Some(ArrowWriter::try_new(File::create(out)?, Arc::clone(&frame.schema), None)?),
            None => None,
        };
        let mut rows = 0;
        while let Some(batch) = frame.batches.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            if let Some(writer) = &mut writer {
                writer.write(&batch)?;
            }
        }
        writer.map(ArrowWriter::close).transpose()?;
        Ok::<_, Failure>(rows)
    })?;
    println!("{{\"rows\":{rows},\"cpu_s\":{:.2},\"peak_rss_mib\":{}}}", cpu_seconds()?, peak_rss_mib()?);
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

/// The high-water mark of resident memory (proc(5), status, `VmHWM`).
fn peak_rss_mib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("status")?;
    let kib: u64 = line.split_whitespace().next().ok_or("status")?.parse()?;
    Ok(kib / 1024)
}

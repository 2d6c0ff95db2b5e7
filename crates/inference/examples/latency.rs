//! Measures the evaluator on a directory of models: `latency DIRECTORY [--seconds S]`.
//!
//! The directory holds `<name>/model.onnx` and `<name>/rows.json` (64 rows of inputs in the shape of
//! Open Inference Protocol tensors, and one expected float32 output). For each model it prints one JSON
//! line: the greatest difference from the expected output, and for one and for 64 rows the median wall
//! time of a run and the mean CPU time, both in microseconds.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use mainstay_inference::{Data, Limits, Model, Scratch, Tensor};
use serde::Deserialize;

#[derive(Deserialize)]
struct Rows {
    inputs: Vec<Input>,
    check: String,
    expected: Vec<f32>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    datatype: String,
    tail: Vec<usize>,
    data: Vec<serde_json::Value>,
}

impl Input {
    /// The first `rows` rows.
    fn tensor(&self, rows: usize) -> Result<Tensor, Box<dyn Error>> {
        let count = rows * self.tail.iter().product::<usize>();
        let cells = self.data.iter().take(count);
        #[expect(clippy::cast_possible_truncation, reason = "the file holds the digits of float32 numbers")]
        let data = match self.datatype.as_str() {
            "FP32" => Data::F32(cells.map(|cell| cell.as_f64().unwrap_or(f64::NAN) as f32).collect()),
            "INT64" => Data::I64(cells.filter_map(serde_json::Value::as_i64).collect()),
            _ => Data::Str(cells.filter_map(|cell| cell.as_str().map(Arc::from)).collect()),
        };
        let shape: Vec<usize> = std::iter::once(rows).chain(self.tail.iter().copied()).collect();
        Ok(Tensor::new(&shape, data)?)
    }
}

/// Seconds since an arbitrary instant, and CPU seconds of this process.
fn clocks() -> (f64, f64) {
    #[expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64());
    // utime and stime of /proc/self/stat are too coarse; schedstat counts nanoseconds on a CPU.
    let ran = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let cpu = ran.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (wall, cpu / 1e9)
}

/// Median wall time and mean CPU time of a run, in microseconds.
fn measure(model: &Model, request: &[&Tensor], seconds: f64) -> Result<(f64, f64), Box<dyn Error>> {
    let mut scratch = Scratch::default();
    for _ in 0..50 {
        model.run_ordered(request, &mut scratch)?;
    }
    let mut walls = Vec::new();
    let (start, cpu_start) = clocks();
    loop {
        #[expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
        let before = std::time::Instant::now();
        std::hint::black_box(model.run_ordered(std::hint::black_box(request), &mut scratch)?);
        walls.push(before.elapsed().as_secs_f64());
        if walls.len().is_multiple_of(100) && clocks().0 - start > seconds {
            break;
        }
    }
    let cpu = (clocks().1 - cpu_start) / walls.len() as f64;
    walls.sort_by(f64::total_cmp);
    let median = walls.get(walls.len() / 2).copied().unwrap_or(0.0);
    Ok((median * 1e6, cpu * 1e6))
}

fn report(directory: &Path, seconds: f64) -> Result<serde_json::Value, Box<dyn Error>> {
    let model = Model::load(&fs::read(directory.join("model.onnx"))?, &Limits::default())?;
    let rows: Rows = serde_json::from_slice(&fs::read(directory.join("rows.json"))?)?;
    let request = |count: usize| {
        let tensors = model.inputs().iter().map(|spec| {
            let input =
                rows.inputs.iter().find(|input| input.name == spec.name).ok_or("an input has no rows")?;
            input.tensor(count)
        });
        tensors.collect::<Result<Vec<_>, Box<dyn Error>>>()
    };
    let (one, batch) = (request(1)?, request(64)?);
    let (one, batch) = (one.iter().collect::<Vec<_>>(), batch.iter().collect::<Vec<_>>());
    let answers = model.run_ordered(&batch, &mut Scratch::default())?;
    let checked =
        answers.iter().find(|(name, _)| *name == rows.check).ok_or("the checked output is missing")?;
    let Data::F32(given) = checked.1.data() else { return Err("the checked output is not float32".into()) };
    let difference = given.iter().zip(&rows.expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let (p50, cpu) = measure(&model, &one, seconds)?;
    let (batch_p50, batch_cpu) = measure(&model, &batch, seconds)?;
    let round = |value: f64| (value * 100.0).round() / 100.0;
    Ok(serde_json::json!({
        "same_length": given.len() == rows.expected.len(), "max_difference": difference,
        "one_row": {"p50_us": round(p50), "cpu_us": round(cpu)},
        "64_rows": {"p50_us": round(batch_p50), "cpu_us": round(batch_cpu)},
    }))
}

#[expect(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("usage: latency DIRECTORY [--seconds S]")?;
    let seconds = if arguments.next().as_deref() == Some("--seconds") {
        arguments.next().ok_or("--seconds needs a number")?.parse()?
    } else {
        1.0
    };
    let mut directories: Vec<_> =
        fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    directories.sort();
    for directory in directories.iter().filter(|directory| directory.join("rows.json").exists()) {
        let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let report = report(directory, seconds)
            .unwrap_or_else(|error| serde_json::json!({"refused": error.to_string()}));
        println!("{}", serde_json::json!({"model": name, "report": report}));
    }
    Ok(())
}

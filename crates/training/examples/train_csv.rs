//! Trains on a CSV file whose rows are in the order of time and prints the report as JSON.
//!
//! Usage: `train_csv FILE LABEL-COLUMN TRAIN-ROWS VALIDATION-ROWS [MODEL.onnx] [PARAMS-JSON]`
//!
//! A column is numeric if every value in it is a number or empty. The rows after the validation rows are the
//! test rows. The parameters default to binary classification with seed 0 and two threads.
#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;

use mainstay_training::{Column, Dataset, Params, Split, Task, train};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, label, train_rows, validation_rows, rest @ ..] = arguments.as_slice() else {
        return Err(
            "usage: train_csv FILE LABEL-COLUMN TRAIN-ROWS VALIDATION-ROWS [MODEL.onnx] [PARAMS-JSON]".into(),
        );
    };
    let data = read(file, label)?;
    let train_end: usize = train_rows.parse()?;
    let validation_end = train_end + validation_rows.parse::<usize>()?;
    let test = (validation_end < data.rows()).then(|| validation_end..data.rows());
    let split = Split { train: 0..train_end, validation: train_end..validation_end, test };
    let params = match rest.get(1) {
        Some(json) => serde_json::from_str(json)?,
        None => Params::new(Task::BinaryClassification, 0, 2),
    };
    let trained = train(&data, &split, &params)?;
    if let Some(path) = rest.first() {
        std::fs::write(path, &trained.onnx)?;
    }
    println!("{}", serde_json::to_string_pretty(&trained.report)?);
    Ok(())
}

fn read(file: &str, label_name: &str) -> Result<Dataset, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let names: Vec<String> = reader.headers()?.iter().map(ToOwned::to_owned).collect();
    let mut texts: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, value) in texts.iter_mut().zip(&record?) {
            column.push(value.to_owned());
        }
    }
    let mut features = Vec::new();
    let mut label = None;
    for (name, column) in names.into_iter().zip(texts) {
        if name == label_name {
            label = Some(column.iter().map(|v| v.parse()).collect::<Result<Vec<f32>, _>>()?);
        } else {
            features.push(to_column(name, column));
        }
    }
    Ok(Dataset { features, label: label.ok_or("there is no such label column")? })
}

fn to_column(name: String, texts: Vec<String>) -> Column {
    let number = |text: &String| if text.is_empty() { Ok(f32::NAN) } else { text.parse::<f32>() };
    match texts.iter().map(number).collect() {
        Ok(numbers) => Column::numeric(name, numbers),
        Err(_) => {
            Column::categorical(name, texts.into_iter().map(|v| (!v.is_empty()).then_some(v)).collect())
        }
    }
}

//! What lies in the folder of a model: its files, and what the one says that describes it (`MLmodel`, as MLflow's
//! clients write it).

use futures::StreamExt as _;
use mainstay_core::error::StorageError;
use mainstay_core::object::ObjectPath;
use serde_json::{Map, Value};

use super::run_artifacts::{Grid, logged_table};
use crate::Console;
use crate::frame::Error;
use crate::show::figure::bytes;

/// Most files that are listed.
const FILES: usize = 500;
/// Most files of one folder that are looked at.
const ENTRIES: usize = 10_000;
/// Most folders that are looked into.
const FOLDERS: usize = 50;
/// Most bytes that are read of a file that describes the model.
const READ: usize = 256 * 1024;
/// Most characters of an example.
const SHOWN: usize = 8_000;
/// How deep a type is told.
const DEEPEST: usize = 4;

/// What lies there.
#[derive(Debug, Default)]
pub(super) struct ModelFiles {
    /// Some of them, by path, with their sizes in bytes.
    pub(super) files: Vec<(String, u64)>,
    /// How many were found.
    pub(super) count: usize,
    /// How many bytes those have together.
    size: u64,
    /// Whether there are more than were looked for.
    has_more: bool,
    /// What `MLmodel` says.
    pub(super) described: Option<Described>,
    /// What `requirements.txt` says.
    pub(super) requirements: Option<String>,
}

impl ModelFiles {
    /// Looks into a folder.
    pub(super) async fn read(console: &Console, root: &ObjectPath) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut folders = vec![String::new()];
        let mut looked = 0;
        while let Some(folder) = folders.pop() {
            looked += 1;
            let place = if folder.is_empty() { root.clone() } else { root.join(&folder)? };
            let listing = console.objects.list(Some(&place), ENTRIES).await?;
            found.has_more |= listing.has_more;
            for entry in listing.entries {
                let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
                match entry.size {
                    Some(size) => {
                        found.size = found.size.saturating_add(size);
                        found.count += 1;
                        if found.files.len() < FILES {
                            found.files.push((path, size));
                        }
                    }
                    None if looked + folders.len() < FOLDERS => folders.push(path),
                    None => found.has_more = true,
                }
            }
        }
        found.files.sort();
        if found.count > 0 {
            let text = text_of(console, &root.join("MLmodel")?).await?;
            found.described = text.as_deref().and_then(Described::read);
            found.requirements = text_of(console, &root.join("requirements.txt")?).await?;
        }
        Ok(found)
    }

    /// How large they are together.
    pub(super) fn whole_size(&self) -> String {
        let known = bytes(self.size);
        if self.has_more { format!("over {known}") } else { known }
    }

    /// The example of an input that lies beside the model.
    pub(super) async fn example(
        &self,
        console: &Console,
        root: &ObjectPath,
    ) -> Result<Option<Example>, Error> {
        let path = self.described.as_ref().and_then(|described| described.example.as_deref());
        let path = path.and_then(|path| root.join(path).ok());
        let Some(path) = path else { return Ok(None) };
        Ok(text_of(console, &path).await?.map(|text| Example::read(&text)))
    }
}

/// A file's text, if it is there and not too long to be one of these.
async fn text_of(console: &Console, path: &ObjectPath) -> Result<Option<String>, StorageError> {
    let Some(mut content) = console.objects.get(path, None).await? else { return Ok(None) };
    let mut read = Vec::new();
    while let Some(part) = content.bytes.next().await {
        read.extend_from_slice(&part.map_err(StorageError::Failed)?);
        if read.len() > READ {
            return Ok(None);
        }
    }
    Ok(String::from_utf8(read).ok())
}

/// An example of an input.
pub(super) enum Example {
    /// A table, as pandas writes one.
    Table(Grid),
    /// Anything else.
    Text(String),
}

impl Example {
    fn read(text: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return Self::Text(cut(text)) };
        match logged_table(&value) {
            Some(grid) => Self::Table(grid),
            None => {
                Self::Text(cut(&serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned())))
            }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A column, a tensor or a parameter of a signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_optional: bool,
    /// Of a parameter.
    pub(super) default: Option<String>,
}

/// One side of a signature, or of a dataset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// `inputs`, `outputs` or `params`; of datasets `columns`, `features` or `targets`.
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
}

impl Side {
    /// One of these columns, tensors or parameters; nothing if there are none.
    pub(super) fn of(name: &'static str, columns: &[Value]) -> Option<Self> {
        let fields: Vec<Field> = columns.iter().enumerate().map(|(at, column)| field(at, column)).collect();
        (!fields.is_empty()).then_some(Self { name, fields })
    }

    /// What the third column tells of its fields, if it tells anything.
    pub(super) fn remark(&self) -> Option<&'static str> {
        match self.name {
            "params" => Some("Default"),
            _ => self.fields.iter().any(|field| field.is_optional).then_some("May be missing"),
        }
    }
}

/// What `MLmodel` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    /// The sides of its signature that say something.
    pub(super) sides: Vec<Side>,
    /// What it was made with, by flavor.
    pub(super) flavors: Vec<(String, String)>,
    /// The version of the client.
    pub(super) client: Option<String>,
    /// Where its example lies.
    example: Option<String>,
}

impl Described {
    /// Reads it. A text that cannot be read says nothing.
    pub(super) fn read(text: &str) -> Option<Self> {
        let model = serde_saphyr::from_str::<Value>(text).ok()?;
        let signature = model.get("signature");
        let side = |name: &'static str| {
            let json = signature.and_then(|signature| signature.get(name)).and_then(Value::as_str)?;
            Side::of(name, &serde_json::from_str::<Vec<Value>>(json).ok()?)
        };
        let flavors = model.get("flavors").and_then(Value::as_object).into_iter().flatten();
        Some(Self {
            sides: ["inputs", "outputs", "params"].into_iter().filter_map(side).collect(),
            flavors: flavors.map(|(flavor, of)| (flavor.clone(), made_with(of))).collect(),
            client: model.get("mlflow_version").map(plain),
            example: model
                .get("saved_input_example_info")
                .and_then(|info| info.get("artifact_path")?.as_str().map(str::to_owned)),
        })
    }

    /// Whether any client can load it as a function of Python.
    pub(super) fn is_function(&self) -> bool {
        self.flavors.iter().any(|(flavor, _)| flavor == "python_function")
    }

    /// The library whose own model it is.
    pub(super) fn own_flavor(&self) -> Option<&str> {
        self.flavors.iter().map(|(flavor, _)| flavor.as_str()).find(|flavor| *flavor != "python_function")
    }
}

/// Which version of a library a flavor is of.
fn made_with(flavor: &Value) -> String {
    let version = flavor.as_object().into_iter().flatten().find(|(key, _)| key.ends_with("_version"));
    version.map_or_else(|| "yes".to_owned(), |(key, value)| format!("{key} {}", plain(value)))
}

fn field(at: usize, column: &Value) -> Field {
    let name = column.get("name").and_then(Value::as_str);
    Field {
        name: name.map_or_else(|| at.to_string(), str::to_owned),
        kind: kind_of(column, 0),
        is_optional: column.get("required").and_then(Value::as_bool) == Some(false),
        default: column.get("default").map(plain),
    }
}

/// The type of a column, tensor or parameter.
fn kind_of(column: &Value, depth: usize) -> String {
    if let Some(spec) = column.get("tensor-spec") {
        let (kind, shape) = (spec.get("dtype").map(plain), spec.get("shape").map(plain));
        return format!("{} {}", kind.unwrap_or_default(), shape.unwrap_or_default());
    }
    let kind = column.get("type").or_else(|| column.get("dtype")).map(plain).unwrap_or_default();
    if depth == DEEPEST {
        return kind;
    }
    let below = |name: &str| column.get(name).map(|of| kind_of(of, depth + 1));
    let whole = match kind.as_str() {
        "array" => below("items").map(|items| format!("array of {items}")),
        "map" => below("values").map(|values| format!("map of {values}")),
        "object" => column.get("properties").and_then(Value::as_object).map(|all| properties(all, depth)),
        _ => None,
    };
    let shape = column.get("shape").filter(|shape| !shape.is_null()).map(plain);
    let whole = whole.unwrap_or(kind);
    shape.map_or(whole.clone(), |shape| format!("{whole} {shape}"))
}

fn properties(all: &Map<String, Value>, depth: usize) -> String {
    let told: Vec<String> =
        all.iter().map(|(name, of)| format!("{name}: {}", kind_of(of, depth + 1))).collect();
    format!("object {{{}}}", told.join(", "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The packages of a `requirements.txt`, each with what it asks of its version (PEP 508).
pub(super) fn needed(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let packages = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])).map(|line| {
        let at = line.find(|c: char| "=<>!~;@ ".contains(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(at);
        let rest = rest.trim();
        (name.to_owned(), if rest.is_empty() { "any" } else { rest }.to_owned())
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MLMODEL: &str = r#"
flavors:
  python_function: {env: conda.yaml, python_version: 3.12.1}
  sklearn: {pickled_model: model.pkl, sklearn_version: 1.5.0}
mlflow_version: 3.18.0
saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "string", "name": "y", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: '[{"name": "k", "type": "long", "default": 3, "shape": null}, {"name": "w", "type": "double", "default": [1.0], "shape": [-1]}]'
"#;

    #[test]
    fn a_description_is_read() {
        let described = Described::read(MLMODEL).unwrap();
        let sides: Vec<(&str, Vec<String>)> = described
            .sides
            .iter()
            .map(|side| {
                let told = side.fields.iter().map(|field| {
                    format!("{} {} {} {:?}", field.name, field.kind, field.is_optional, field.default)
                });
                (side.name, told.collect())
            })
            .collect();
        assert_eq!(sides.len(), 3);
        assert_eq!(sides[0].1, ["x double false None", "y string true None"]);
        assert_eq!(sides[1].1, ["0 int64 [-1] false None"]);
        assert_eq!(sides[2].1, ["k long false Some(\"3\")", "w double [-1] false Some(\"[1.0]\")"]);
        let remarks: Vec<Option<&str>> = described.sides.iter().map(Side::remark).collect();
        assert_eq!(remarks, [Some("May be missing"), None, Some("Default")]);
        assert!(described.is_function());
        assert_eq!(described.own_flavor(), Some("sklearn"));
        assert_eq!(described.example.as_deref(), Some("input_example.json"));
        assert_eq!(Described::read("a: ["), None);
        assert_eq!(Described::read("a: b"), Some(Described::default()));
    }

    #[test]
    fn a_folder_that_is_too_large_to_be_looked_through_says_so() {
        let found = |has_more| ModelFiles { count: 3, size: 2_000_000, has_more, ..ModelFiles::default() };
        assert_eq!(found(true).whole_size(), format!("over {}", found(false).whole_size()));
    }

    #[test]
    fn types_within_types_are_told() {
        let json = r#"{"type": "array", "items": {"type": "object", "properties": {
            "a": {"type": "string"}, "b": {"type": "map", "values": {"type": "long"}}}}}"#;
        let column: Value = serde_json::from_str(json).unwrap();
        assert_eq!(kind_of(&column, 0), "array of object {a: string, b: map of long}");
    }

    #[test]
    fn an_example_is_a_table_or_a_text() {
        let table = Example::read(r#"{"columns": ["a"], "data": [[1]]}"#);
        assert!(matches!(table, Example::Table(grid) if grid.heads.iter().map(|head| &head.name).eq(["a"])));
        assert!(matches!(Example::read("[1]"), Example::Text(text) if text == "[\n  1\n]"));
        assert!(matches!(Example::read("no json"), Example::Text(text) if text == "no json"));
        assert_eq!(cut(&"é".repeat(SHOWN + 1)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn packages_are_told_from_what_is_asked_of_them() {
        let told: Vec<String> =
            needed("# made by mlflow\nmlflow==3.18.0\nnumpy >=1,<3 # both\n--extra-index-url x\npandas\n")
                .into_iter()
                .map(|(name, asked)| format!("{name} {asked}"))
                .collect();
        assert_eq!(told, ["mlflow ==3.18.0", "numpy >=1,<3", "pandas any"]);
    }
}

//! What the conventions of other instrumentations say, in `MLflow`'s words: the type of a span, what went in
//! and came out, tokens, model, provider, tools, and how its messages are written. What is said in `MLflow`'s own
//! words already stays (`mlflow/tracing/otel/translation` of 3.18, but for prices: a server knows none).

mod claude_code;
mod convention;
mod events;
mod gemini;
mod vercel;

use serde::Deserialize;
use serde_json::{Value, json};

use self::convention::{CONVENTIONS, Convention, Key};
use super::span::{Attribute, Span, TYPE_ATTRIBUTE as TYPE};
use super::usage::{Amounts, USAGE_ATTRIBUTE, Usage};

const INPUTS: &str = "mlflow.spanInputs";
const OUTPUTS: &str = "mlflow.spanOutputs";
const FORMAT: &str = "mlflow.message.format";
const TOOLS: &str = "mlflow.chat.tools";
const MODEL: &str = "mlflow.llm.model";
const PROVIDER: &str = "mlflow.llm.provider";

/// Adds to a span what it says in the words of others.
pub fn translate(span: &mut Span) {
    let added = {
        let view = View::new(span);
        // Most spans come from MLflow's own client, which leaves nothing to translate but the model.
        if view.is_foreign() {
            translated(span, &view)
        } else {
            model_of_messages(&view).into_iter().collect()
        }
    };
    for attribute in added {
        match span.attributes.iter_mut().find(|known| known.key == attribute.key) {
            Some(known) => *known = attribute,
            None => span.attributes.push(attribute),
        }
    }
}

/// The attributes of a span, by key.
pub(super) struct View<'a> {
    sorted: Vec<&'a Attribute>,
    /// The [marks](mark) of all keys. A span is asked for a hundred keys, of which it has a few; most that it lacks
    /// are told by their marks alone.
    marks: u128,
}

/// One bit of many for a key: equal keys have the same one, different ones mostly different ones.
fn mark(key: &str) -> u128 {
    let bytes = key.as_bytes();
    let (Some(first), Some(middle), Some(last)) = (bytes.first(), bytes.get(bytes.len() / 2), bytes.last())
    else {
        return 1;
    };
    let weighed = usize::from(*first) * 31 + usize::from(*last) * 7 + usize::from(*middle) * 3;
    1 << ((weighed + bytes.len() * 13) % 128)
}

impl<'a> View<'a> {
    fn new(span: &'a Span) -> Self {
        let mut sorted: Vec<&Attribute> = span.attributes.iter().collect();
        sorted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let marks = sorted.iter().fold(0, |marks, attribute| marks | mark(&attribute.key));
        Self { sorted, marks }
    }

    fn is_foreign(&self) -> bool {
        self.sorted.iter().any(|attribute| !attribute.key.starts_with("mlflow."))
    }

    /// The JSON text of an attribute.
    fn json(&self, key: &str) -> Option<&'a str> {
        if self.marks & mark(key) == 0 {
            return None;
        }
        let at = self.sorted.binary_search_by(|attribute| attribute.key.as_str().cmp(key)).ok()?;
        self.sorted.get(at).map(|attribute| attribute.value.as_str())
    }

    fn has(&self, key: &str) -> bool {
        self.json(key).is_some()
    }

    /// The JSON text of an attribute that is neither nothing nor empty.
    fn telling(&self, key: &str) -> Option<&'a str> {
        self.json(key).filter(|json| is_telling(json))
    }

    /// The text that an attribute holds.
    fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.json(key)?).ok()
    }

    /// The whole number that an attribute holds, as a number or a text.
    fn number(&self, key: &str) -> Option<i64> {
        match serde_json::from_str(self.json(key)?).ok()? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The first of these attributes that tells something.
    fn first(&self, keys: &[Key]) -> Option<&'a str> {
        keys.iter().find_map(|key| match key {
            Key::Named(name) => self.telling(name),
            Key::Numbered(parts) => {
                let mut matching = self.sorted.iter().filter(|attribute| is_numbered(&attribute.key, parts));
                matching
                    .find(|attribute| is_telling(&attribute.value))
                    .map(|attribute| attribute.value.as_str())
            }
        })
    }

    /// All attributes whose keys begin so, with what follows in their keys.
    fn below<'b>(&'b self, prefix: &'b str) -> impl Iterator<Item = (&'a str, &'a str)> + 'b {
        self.sorted.iter().filter_map(move |attribute| {
            Some((attribute.key.strip_prefix(prefix)?, attribute.value.as_str()))
        })
    }
}

/// Whether a JSON text says something: what Python takes for false says nothing.
fn is_telling(json: &str) -> bool {
    !matches!(json.trim(), "null" | "false" | "0" | "0.0" | "\"\"" | "[]" | "{}")
}

/// Whether a key begins with these parts, with a number between each two of them.
fn is_numbered(key: &str, parts: &[&str]) -> bool {
    let mut rest = key;
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let Some((number, after)) = rest.split_at_checked(digits) else { return false };
            if number.is_empty() {
                return false;
            }
            rest = after;
        }
        let Some(after) = rest.strip_prefix(part) else { return false };
        rest = after;
    }
    true
}

fn translated(span: &Span, view: &View<'_>) -> Vec<Attribute> {
    let mut added = Vec::new();
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|_| !view.has(key) || key == TYPE) {
            added.push(Attribute { key: key.to_owned(), value });
        }
    };
    let is_typed = view.telling(TYPE).is_some_and(|kind| kind != "\"UNKNOWN\"");
    if !is_typed {
        add(TYPE, CONVENTIONS.iter().find_map(|convention| convention.span_type(view)).map(quoted));
    }
    if !view.has(INPUTS) {
        let told = CONVENTIONS.iter().find_map(|convention| (convention.input)(convention, view));
        add(INPUTS, told.or_else(|| events::input(span, view)));
    }
    if !view.has(OUTPUTS) {
        let told = CONVENTIONS.iter().find_map(|convention| (convention.output)(convention, view));
        add(OUTPUTS, told.or_else(|| events::output(span, view)));
    }
    if !view.has(USAGE_ATTRIBUTE) {
        add(USAGE_ATTRIBUTE, CONVENTIONS.iter().find_map(|convention| usage(convention, view)));
    }
    add(FORMAT, CONVENTIONS.iter().find_map(|convention| (convention.format)(view)).map(quoted));
    let keyed = |keys: fn(&Convention) -> &'static [Key]| {
        CONVENTIONS.iter().find_map(|convention| view.first(keys(convention))).map(str::to_owned)
    };
    add(TOOLS, keyed(|convention| convention.tools));
    add(PROVIDER, keyed(|convention| convention.providers));
    let model = keyed(|convention| convention.models);
    let of_messages = || {
        let told = |key| added.iter().find(|one: &&Attribute| one.key == key).map(|one| one.value.as_str());
        model_in(told(INPUTS).or_else(|| view.json(INPUTS)))
            .or_else(|| model_in(told(OUTPUTS).or_else(|| view.json(OUTPUTS))))
    };
    if !view.has(MODEL)
        && let Some(value) = model.or_else(of_messages)
    {
        added.push(Attribute { key: MODEL.to_owned(), value });
    }
    added
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn usage(convention: &Convention, view: &View<'_>) -> Option<String> {
    let tokens = (convention.tokens)(convention, view);
    let total = tokens.total.or_else(|| tokens.input?.checked_add(tokens.output?));
    tokens.input.or(tokens.output).or(total)?;
    let counted = json!({
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "total_tokens": total,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write,
    });
    let usage: Usage = Amounts::parse(&counted.to_string())?;
    Some(usage.to_text())
}

/// The model that is named in what went in or came out.
fn model_of_messages(view: &View<'_>) -> Option<Attribute> {
    if view.has(MODEL) {
        return None;
    }
    let value = model_in(view.json(INPUTS)).or_else(|| model_in(view.json(OUTPUTS)))?;
    Some(Attribute { key: MODEL.to_owned(), value })
}

fn model_in(json: Option<&str>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        model: Option<Value>,
    }
    // Most name none, and need not be read for it.
    let json = json.filter(|json| json.starts_with('{') && json.contains("\"model\""))?;
    match serde_json::from_str::<Named>(json).ok()?.model? {
        Value::String(model) if !model.is_empty() => Some(Value::String(model).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

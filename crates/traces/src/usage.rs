//! Tokens used and what they cost: of a span, and of a trace.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::id::SpanId;

/// The attribute of a span that holds its usage.
pub const USAGE_ATTRIBUTE: &str = "mlflow.chat.tokenUsage";
/// The attribute of a span that holds its cost.
pub const COST_ATTRIBUTE: &str = "mlflow.llm.cost";

/// What is counted under the keys of a usage, or of a cost.
pub trait Amount: Copy + PartialEq + Send + Sync {
    /// The keys, in the order in which they are written. The first three are in every sum.
    const KEYS: &'static [&'static str];
    /// Nothing.
    const ZERO: Self;
    /// Reads one; nothing if it is of another type.
    fn read(value: &Value) -> Option<Self>;
    /// Both together.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// As JSON has it.
    fn json(self) -> Value;
}

impl Amount for i64 {
    const KEYS: &'static [&'static str] = &[
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_input_tokens_above_1hr",
    ];
    const ZERO: Self = 0;

    fn read(value: &Value) -> Option<Self> {
        value.as_i64()
    }

    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }

    fn json(self) -> Value {
        self.into()
    }
}

impl Amount for f64 {
    const KEYS: &'static [&'static str] = &["input_cost", "output_cost", "total_cost"];
    const ZERO: Self = 0.0;

    fn read(value: &Value) -> Option<Self> {
        value.as_f64().filter(|value| value.is_finite())
    }

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn json(self) -> Value {
        self.into()
    }
}

/// How many keys are in every sum, as zero if no span has them.
const ALWAYS: usize = 3;

/// Amounts by key; at least one is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amounts<T>([Option<T>; 6]);

/// Tokens used.
pub type Usage = Amounts<i64>;
/// What they cost.
pub type Cost = Amounts<f64>;

impl<T: Amount> Amounts<T> {
    /// Reads a JSON object. Unknown keys and amounts of another type are left out; nothing if none is left.
    pub fn parse(text: &str) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut amounts = [None; 6];
        for (amount, key) in amounts.iter_mut().zip(T::KEYS) {
            *amount = object.get(*key).and_then(T::read);
        }
        amounts.iter().any(Option::is_some).then_some(Self(amounts))
    }

    /// The amount of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<T> {
        let at = T::KEYS.iter().position(|known| *known == key)?;
        self.0.get(at).copied().flatten()
    }

    /// The JSON text, as Python spaces it: what a client reads, and what a filter is compared with.
    pub fn to_text(&self) -> String {
        let pairs = T::KEYS.iter().zip(self.0).filter_map(|(key, amount)| Some((key, amount?)));
        let pairs: Vec<String> = pairs.map(|(key, amount)| format!("\"{key}\": {}", amount.json())).collect();
        format!("{{{}}}", pairs.join(", "))
    }

    /// These, with those that `newer` has in place of its own.
    #[must_use]
    pub fn overridden_by(mut self, newer: &Self) -> Self {
        for (mine, newer) in self.0.iter_mut().zip(newer.0) {
            *mine = newer.or(*mine);
        }
        self
    }

    const fn nothing() -> Self {
        Self([None; 6])
    }

    fn add(&mut self, other: &Self) {
        for (at, (mine, other)) in self.0.iter_mut().zip(other.0).enumerate().take(T::KEYS.len()) {
            let other = other.or((at < ALWAYS).then_some(T::ZERO));
            *mine = match (*mine, other) {
                (Some(mine), Some(other)) => Some(mine.plus(other)),
                (mine, other) => mine.or(other),
            };
        }
    }
}

/// A span, as far as sums go.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The span.
    pub span: SpanId,
    /// What it is part of.
    pub parent: Option<SpanId>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What that cost.
    pub cost: Option<Cost>,
}

/// The usage and the cost of a trace of these spans, of which the last of two with one id counts. What a span
/// says of itself covers all that is below it, so a span counts only if nothing above it says anything
/// (`aggregate_usage_from_spans` of 3.18; versions before 3.13 added all up). Spans whose parent is not there
/// are roots.
pub fn aggregate(nodes: &[Node]) -> (Option<Usage>, Option<Cost>) {
    let mut by_id: HashMap<SpanId, &Node> = HashMap::with_capacity(nodes.len());
    by_id.extend(nodes.iter().map(|node| (node.span, node)));
    let mut children: HashMap<SpanId, Vec<&Node>> = HashMap::new();
    // What is left to visit, and whether something above it told its usage, and its cost.
    let mut left: Vec<(&Node, bool, bool)> = Vec::new();
    // In the order in which they came, so that sums of fractions come out the same each time.
    for node in
        nodes.iter().filter(|node| by_id.get(&node.span).is_some_and(|last| std::ptr::eq(*last, *node)))
    {
        match node.parent.filter(|parent| by_id.contains_key(parent)) {
            Some(parent) => children.entry(parent).or_default().push(node),
            None => left.push((node, false, false)),
        }
    }
    let (mut usage, mut cost) = (None, None);
    while let Some((node, used, paid)) = left.pop() {
        if let Some(own) = node.usage.filter(|_| !used) {
            usage.get_or_insert(Usage::nothing()).add(&own);
        }
        if let Some(own) = node.cost.filter(|_| !paid) {
            cost.get_or_insert(Cost::nothing()).add(&own);
        }
        let (used, paid) = (used || node.usage.is_some(), paid || node.cost.is_some());
        left.extend(children.get(&node.span).into_iter().flatten().map(|child| (*child, used, paid)));
    }
    (usage, cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: i64, output: i64) -> Usage {
        let total = input + output;
        let text = format!(
            r#"{{"input_tokens":{input},"output_tokens":{output},"total_tokens":{total},"other":1}}"#
        );
        Usage::parse(&text).unwrap()
    }

    fn node(id: u8, parent: Option<u8>, usage: Option<Usage>) -> Node {
        Node { span: SpanId([id; 8]), parent: parent.map(|id| SpanId([id; 8])), usage, cost: None }
    }

    #[test]
    fn what_is_above_covers_what_is_below() {
        let children = [node(2, Some(1), Some(usage(200, 75))), node(3, Some(1), Some(usage(150, 100)))];
        assert_eq!(aggregate(&children).0, Some(usage(350, 175)));
        let all = [&children[..], &[node(1, None, Some(usage(100, 50)))]].concat();
        assert_eq!(aggregate(&all).0, Some(usage(100, 50)));
        let silent = [&children[..], &[node(1, None, None)]].concat();
        assert_eq!(aggregate(&silent).0, Some(usage(350, 175)));
        assert_eq!(aggregate(&[node(1, None, None)]), (None, None));
    }

    #[test]
    fn the_last_of_two_counts_and_a_circle_ends() {
        let twice = [node(1, None, Some(usage(1, 1))), node(1, None, Some(usage(5, 5)))];
        assert_eq!(aggregate(&twice).0, Some(usage(5, 5)));
        let circle = [node(1, Some(2), Some(usage(1, 1))), node(2, Some(1), None), node(3, Some(3), None)];
        assert_eq!(aggregate(&circle).0, None);
    }

    #[test]
    fn sums_of_fractions_come_out_the_same_each_time() {
        let cost = |total: f64| Cost::parse(&format!(r#"{{"total_cost": {total}}}"#));
        let nodes: Vec<Node> =
            (1..100).map(|id| Node { cost: cost(0.1 * f64::from(id)), ..node(id, None, None) }).collect();
        let sum = aggregate(&nodes).1;
        for _ in 0..20 {
            assert_eq!(aggregate(&nodes).1, sum);
        }
    }

    #[test]
    fn caches_are_summed_only_where_they_are() {
        let cached = Usage::parse(r#"{"input_tokens": 7, "cache_read_input_tokens": 3}"#).unwrap();
        let (sum, _) = aggregate(&[node(1, None, Some(cached)), node(2, None, Some(usage(1, 2)))]);
        let text =
            r#"{"input_tokens": 8, "output_tokens": 2, "total_tokens": 3, "cache_read_input_tokens": 3}"#;
        assert_eq!(sum.unwrap().to_text(), text);
    }

    #[test]
    fn amounts_of_another_type_are_left_out() {
        assert_eq!(Usage::parse(r#"{"input_tokens": true, "output_tokens": 1.5}"#), None);
        assert_eq!(Usage::parse("[1]"), None);
        assert_eq!(Cost::parse(r#"{"input_cost": 1, "total_cost": 0.5}"#).unwrap().to_text(), {
            r#"{"input_cost": 1.0, "total_cost": 0.5}"#
        });
        let newer = Usage::parse(r#"{"output_tokens": 9}"#).unwrap();
        assert_eq!(usage(1, 2).overridden_by(&newer).to_text(), {
            r#"{"input_tokens": 1, "output_tokens": 9, "total_tokens": 3}"#
        });
    }
}

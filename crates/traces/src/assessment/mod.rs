//! Assessments: what people, judges and code say of a trace, with the semantics of `MLflow` 3.18
//! (`mlflow/store/tracking/sqlalchemy_store.py`). Their ids are a trace's own: another trace may have the same.

mod value;

use std::fmt;

use mainstay_core::entropy::Entropy;
use mainstay_core::text::{clip, exceeds};
use serde::{Deserialize, Serialize};

pub(crate) use value::quoted;
pub use value::{AssessmentValue, MAX_VALUE};

use super::error::TraceError;
use super::id::TraceId;
use super::info::{MAX_PAIRS, Pairs, TraceInfo, at_most, few, storable};

/// Longest id, in characters (`SqlAssessments.assessment_id`); also that of a span.
pub const MAX_ID: usize = 50;
/// Longest name, and longest name of a source, in characters.
pub const MAX_NAME: usize = 250;
/// Longest text that says why, or what went wrong, in characters.
pub const MAX_TEXT: usize = 65_536;
/// How much of a stack trace is kept, in characters: its end.
pub const MAX_STACK: usize = 10_000;
/// Most assessments of one trace.
pub const MAX_ASSESSMENTS: usize = 1_000;
/// Metadata: it is of the whole conversation that its trace belongs to.
const OF_SESSION: &str = super::info::key::SESSION;
/// What a stack trace that was cut begins with.
const CUT: &str = "[Stack trace is truncated]\n...\n";

/// The name of an assessment within its trace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssessmentId(Box<str>);

impl AssessmentId {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        if text.is_empty() || text.contains(char::is_control) || exceeds(text, MAX_ID).is_some() {
            return Err(TraceError::InvalidAssessmentId(clip(text)));
        }
        Ok(Self(text.into()))
    }

    /// A new one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(format!("a-{}", hex::encode(entropy.bytes16())).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssessmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceType {
    /// Nobody said.
    #[default]
    Unspecified,
    /// A person.
    Human,
    /// A model.
    LlmJudge,
    /// A program.
    Code,
}

impl SourceType {
    /// Every type, in the order of their numbers in the protocol.
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::Human, Self::LlmJudge, Self::Code];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "SOURCE_TYPE_UNSPECIFIED",
            Self::Human => "HUMAN",
            Self::LlmJudge => "LLM_JUDGE",
            Self::Code => "CODE",
        }
    }

    /// The type of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// Where an assessment comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Who judges.
    pub kind: SourceType,
    /// Its name, such as an address or the name of a judge.
    pub id: Option<String>,
}

/// Why there is no feedback.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of thing went wrong.
    #[serde(rename = "error_code")]
    pub code: String,
    /// What went wrong.
    #[serde(rename = "error_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where.
    #[serde(rename = "stack_trace", skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

impl fmt::Display for Failure {
    /// `ValueError: the judge gave no number`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        self.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

impl Failure {
    /// Made storable: of a long stack trace its end is kept.
    fn checked(self) -> Result<Self, TraceError> {
        at_most("error_code", &self.code, MAX_NAME)?;
        at_most("error_message", self.message.as_deref().unwrap_or_default(), MAX_TEXT)?;
        let cut = |stack: String| {
            let length = stack.chars().count();
            if length <= MAX_STACK {
                return stack;
            }
            let kept = stack.chars().skip(length + CUT.len() - MAX_STACK);
            CUT.chars().chain(kept).collect()
        };
        Ok(Self {
            code: storable(self.code),
            message: self.message.map(storable),
            stack: self.stack.map(storable).map(cut),
        })
    }
}

/// The kind of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// How good it was.
    Feedback,
    /// What it should have been.
    Expectation,
    /// A problem that it has.
    Issue,
}

impl Kind {
    /// The name, as `MLflow` stores it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Expectation => "expectation",
            Self::Issue => "issue",
        }
    }

    /// The kind of that name.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Feedback, Self::Expectation, Self::Issue].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// How good it was; `null` with a failure if that could not be told.
    Feedback(AssessmentValue, Option<Failure>),
    /// What it should have been.
    Expectation(AssessmentValue),
    /// A problem that it has, whose id is the assessment's name; the value is the problem's own name, a text.
    Issue(AssessmentValue),
}

impl Judgement {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Feedback(..) => Kind::Feedback,
            Self::Expectation(_) => Kind::Expectation,
            Self::Issue(_) => Kind::Issue,
        }
    }

    /// Its value.
    pub const fn value(&self) -> &AssessmentValue {
        match self {
            Self::Feedback(value, _) | Self::Expectation(value) | Self::Issue(value) => value,
        }
    }

    /// Why it could not be told, if that is so.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Feedback(_, failure) => failure.as_ref(),
            Self::Expectation(_) | Self::Issue(_) => None,
        }
    }
}

/// What somebody says of a trace, or of a span of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Its name within the trace.
    pub id: AssessmentId,
    /// The trace.
    pub trace: TraceId,
    /// What is judged: several of one trace may have the same name.
    pub name: String,
    /// The span, if it is of one.
    pub span: Option<String>,
    /// Who judges.
    pub source: Source,
    /// The judgement.
    pub judgement: Judgement,
    /// Why; an expectation has none.
    pub rationale: Option<String>,
    /// More about it.
    pub metadata: Pairs,
    /// The one that it takes the place of; only feedback does.
    pub overrides: Option<AssessmentId>,
    /// Whether no other takes its place.
    pub valid: bool,
    /// When it was made: milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// When it was changed last, likewise.
    pub updated_ms: i64,
}

impl Assessment {
    /// Checks what a client says, and makes it storable. What its kind has not is left out.
    pub fn checked(self) -> Result<Self, TraceError> {
        let kind = self.judgement.kind();
        if self.name.is_empty() {
            return Err(TraceError::NoAssessmentName);
        }
        at_most("assessment_name", &self.name, MAX_NAME)?;
        at_most("source_id", self.source.id.as_deref().unwrap_or_default(), MAX_NAME)?;
        at_most("span_id", self.span.as_deref().unwrap_or_default(), MAX_ID)?;
        at_most("rationale", self.rationale.as_deref().unwrap_or_default(), MAX_TEXT)?;
        let judgement = match self.judgement {
            Judgement::Feedback(value, failure) => {
                Judgement::Feedback(value, failure.map(Failure::checked).transpose()?)
            }
            other => other,
        };
        Ok(Self {
            name: storable(self.name),
            span: self.span.map(storable),
            source: Source { id: self.source.id.map(storable), ..self.source },
            judgement,
            rationale: self.rationale.map(storable).filter(|_| kind != Kind::Expectation),
            overrides: self.overrides.filter(|_| kind == Kind::Feedback),
            metadata: few(self.metadata)?,
            ..self
        })
    }

    /// Whether it is of the whole conversation that its trace belongs to.
    pub fn is_of_session(&self) -> bool {
        self.metadata.contains_key(OF_SESSION)
    }

    /// The same with a change.
    pub fn changed(mut self, change: &Change, now_ms: i64) -> Result<Self, TraceError> {
        match (&change.feedback, &change.expectation, &mut self.judgement) {
            (Some(_), Some(_), _) => return Err(TraceError::AssessedTwice),
            (_, _, Judgement::Issue(_)) => return Err(TraceError::IssueChanged),
            (Some(_), _, Judgement::Expectation(_)) => return Err(TraceError::NotFeedback),
            (_, Some(_), Judgement::Feedback(..)) => return Err(TraceError::NotExpectation),
            (Some((value, failure)), None, judgement) => {
                *judgement = Judgement::Feedback(value.clone(), failure.clone());
            }
            (None, Some(value), judgement) => *judgement = Judgement::Expectation(value.clone()),
            (None, None, _) => {}
        }
        if let Some(name) = &change.name {
            self.name.clone_from(name);
        }
        if change.rationale.is_some() {
            self.rationale.clone_from(&change.rationale);
        }
        self.metadata.extend(change.metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
        if self.metadata.len() > MAX_PAIRS {
            return Err(TraceError::TooManyPairs { limit: MAX_PAIRS });
        }
        self.updated_ms = now_ms;
        self.checked()
    }
}

/// What changes about an assessment; nothing stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: Option<String>,
    /// The feedback, with its failure.
    pub feedback: Option<(AssessmentValue, Option<Failure>)>,
    /// The expectation.
    pub expectation: Option<AssessmentValue>,
    /// Why.
    pub rationale: Option<String>,
    /// Metadata that is added, or takes the place of what was there.
    pub metadata: Pairs,
}

/// A trace with what is said of it, in the order in which it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessedTrace {
    /// The trace.
    pub info: TraceInfo,
    /// What is said of it.
    pub assessments: Vec<Assessment>,
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Feedback of a person.
    pub(crate) fn feedback(trace: &str, name: &str, value: &Value) -> Assessment {
        Assessment {
            id: AssessmentId::parse(&format!("a-{name}")).unwrap(),
            trace: TraceId::parse(trace).unwrap(),
            name: name.to_owned(),
            span: None,
            source: Source { kind: SourceType::Human, id: Some("ann".into()) },
            judgement: Judgement::Feedback(AssessmentValue::new(value).unwrap(), None),
            rationale: None,
            metadata: Pairs::new(),
            overrides: None,
            valid: true,
            created_ms: 1,
            updated_ms: 1,
        }
    }

    fn expectation(value: &Value) -> Assessment {
        let value = AssessmentValue::new(value).unwrap();
        Assessment { judgement: Judgement::Expectation(value), ..feedback("tr-1", "e", &json!(1)) }
    }

    #[test]
    fn what_a_kind_has_not_is_left_out() {
        let full = |assessment| Assessment {
            rationale: Some("r".into()),
            overrides: Some(AssessmentId::parse("a-0").unwrap()),
            ..assessment
        };
        let kept = full(feedback("tr-1", "q", &json!(1))).checked().unwrap();
        assert!(kept.rationale.is_some() && kept.overrides.is_some());
        let bare = full(expectation(&json!(1))).checked().unwrap();
        assert!(bare.rationale.is_none() && bare.overrides.is_none());
        let nameless = Assessment { name: String::new(), ..feedback("tr-1", "q", &json!(1)) };
        assert!(matches!(nameless.checked(), Err(TraceError::NoAssessmentName)));
        let long = Assessment { name: "n".repeat(MAX_NAME + 1), ..feedback("tr-1", "q", &json!(1)) };
        assert!(matches!(long.checked(), Err(TraceError::TooLong { .. })));
    }

    #[test]
    fn of_a_long_stack_trace_the_end_is_kept() {
        let stack = format!("{}end", "é".repeat(MAX_STACK));
        let failure = Failure { code: "E".into(), message: None, stack: Some(stack) };
        let kept = failure.checked().unwrap().stack.unwrap();
        assert_eq!(kept.chars().count(), MAX_STACK);
        assert!(kept.starts_with(CUT) && kept.ends_with("éend"));
        let short = Failure { code: "E".into(), message: None, stack: Some("s".repeat(MAX_STACK)) };
        assert_eq!(short.clone().checked().unwrap(), short);
    }

    #[test]
    fn changes_keep_what_they_do_not_speak_of() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Pairs>()
        };
        let before =
            Assessment { metadata: pairs(&[("a", "1"), ("b", "1")]), ..feedback("tr-1", "q", &json!(1)) };
        let value = AssessmentValue::new(&json!("good")).unwrap();
        let change = Change {
            feedback: Some((value.clone(), None)),
            rationale: Some("r".into()),
            metadata: pairs(&[("b", "2"), ("c", "2")]),
            ..Change::default()
        };
        let after = before.clone().changed(&change, 9).unwrap();
        let expected = Assessment {
            judgement: Judgement::Feedback(value, None),
            rationale: Some("r".into()),
            metadata: pairs(&[("a", "1"), ("b", "2"), ("c", "2")]),
            updated_ms: 9,
            ..before.clone()
        };
        assert_eq!(after, expected);
        assert!(matches!(expectation(&json!(1)).changed(&change, 9), Err(TraceError::NotFeedback)));
        let expected =
            Change { expectation: Some(AssessmentValue::new(&json!(2)).unwrap()), ..Change::default() };
        assert!(matches!(before.clone().changed(&expected, 9), Err(TraceError::NotExpectation)));
        let both = Change { expectation: expected.expectation.clone(), ..change };
        assert!(matches!(before.changed(&both, 9), Err(TraceError::AssessedTwice)));
        assert_eq!(expectation(&json!(1)).changed(&expected, 9).unwrap().judgement.value().as_str(), "2");
    }
}

//! Two ways to find passages for a question.

use std::collections::{BTreeMap, BTreeSet};

use crate::passage::Passage;

/// The words of a text: its runs of letters and digits, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// By what passages are scored. Each word of the question counts once, however often it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// How many words of the question the passage has, each counted once: the baseline.
    SharedWords,
    /// BM25.
    ///
    /// The score of a passage is the sum over the words w of the question of
    /// idf(w) · f(k1 + 1) / (f + k1(1 − b + b·l/m)), where f is how often the passage has w, l is how many words it
    /// has, and m is the mean of that over all passages. idf(w) = ln(1 + (N − n + ½) / (n + ½)) with N passages, n of
    /// which have w; the 1 keeps words of more than half of the passages from counting against one that has them.
    ///
    /// Source: Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", section 3.2 to
    /// 3.4; the 1 in the logarithm is Lucene's.
    Bm25(Bm25),
}

impl Method {
    /// BM25 as it is used here.
    pub const BM25: Self = Self::Bm25(Bm25 { k1: 1.2, b: 0.75 });

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SharedWords => "shared words",
            Self::Bm25(_) => "BM25",
        }
    }
}

/// What of BM25 is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25 {
    /// How soon further occurrences of a word count less.
    pub k1: f64,
    /// How much long passages are held back, 0 to 1.
    pub b: f64,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<'a> {
    /// The passage.
    pub passage: &'a Passage,
    /// Its score; above 0.
    pub score: f64,
}

struct Entry {
    passage: Passage,
    /// How often it has each word.
    counts: BTreeMap<String, u32>,
    /// How many words it has.
    length: u32,
}

/// Passages, with their words counted.
pub struct Library {
    entries: Vec<Entry>,
    /// How many passages have a word.
    holding: BTreeMap<String, u32>,
    mean_length: f64,
}

impl Library {
    /// Counts the words of passages, those of their headings and of their page's with them.
    pub fn new(passages: Vec<Passage>) -> Self {
        let (mut entries, mut holding) = (Vec::with_capacity(passages.len()), BTreeMap::<String, u32>::new());
        let (mut total, mut number) = (0.0, 0.0);
        for passage in passages {
            let title = if passage.title == passage.heading { "" } else { passage.title.as_str() };
            let (mut counts, mut length) = (BTreeMap::<String, u32>::new(), 0_u32);
            for word in [title, &passage.heading, &passage.text].into_iter().flat_map(words) {
                let count = counts.entry(word).or_default();
                *count = count.saturating_add(1);
                length = length.saturating_add(1);
            }
            for word in counts.keys() {
                let count = holding.entry(word.clone()).or_default();
                *count = count.saturating_add(1);
            }
            total += f64::from(length);
            number += 1.0;
            entries.push(Entry { passage, counts, length });
        }
        let mean_length = if number > 0.0 { total / number } else { 0.0 };
        Self { entries, holding, mean_length }
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The passages that have a word of the question: the highest score first, of equal ones the first in the library.
    pub fn search(&self, question: &str, method: Method) -> Vec<Hit<'_>> {
        let asked: BTreeSet<String> = words(question).collect();
        let score = |entry: &Entry| match method {
            Method::SharedWords => {
                asked.iter().filter(|word| entry.counts.contains_key(*word)).map(|_| 1.0).sum()
            }
            Method::Bm25(chosen) => asked.iter().map(|word| self.bm25(word, entry, chosen)).sum(),
        };
        let mut hits: Vec<Hit<'_>> = self
            .entries
            .iter()
            .map(|entry| Hit { passage: &entry.passage, score: score(entry) })
            .filter(|hit| hit.score > 0.0)
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits
    }

    /// What one word adds to the score of a passage: see [`Method::Bm25`].
    fn bm25(&self, word: &str, entry: &Entry, Bm25 { k1, b }: Bm25) -> f64 {
        let (Some(count), Some(holding)) = (entry.counts.get(word), self.holding.get(word)) else {
            return 0.0;
        };
        let (count, holding) = (f64::from(*count), f64::from(*holding));
        let all = f64::from(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let rarity = (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln();
        let norm = 1.0 - b + b * f64::from(entry.length) / self.mean_length;
        rarity * count * (k1 + 1.0) / (count + k1 * norm)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A passage whose words are these alone.
    fn passage(text: &str) -> Passage {
        Passage { page: "p", title: String::new(), heading: String::new(), text: text.to_owned() }
    }

    /// The scores are those that `tests/reference/bm25.py` computed, and the order is that of the scores.
    #[test]
    fn scores_are_those_of_an_independent_reference() {
        let reference: Value = serde_json::from_str(include_str!("../tests/reference/bm25.json")).unwrap();
        let texts = reference["passages"].as_array().unwrap();
        let library = Library::new(texts.iter().map(|text| passage(text.as_str().unwrap())).collect());
        for asked in reference["questions"].as_array().unwrap() {
            for (method, key) in [(Method::BM25, "bm25"), (Method::SharedWords, "shared_words")] {
                let hits = library.search(asked["question"].as_str().unwrap(), method);
                let expected = asked[key].as_array().unwrap();
                assert_eq!(hits.len(), expected.len(), "{asked}");
                for (hit, expected) in hits.iter().zip(expected) {
                    let text =
                        texts[usize::try_from(expected[0].as_u64().unwrap()).unwrap()].as_str().unwrap();
                    let score = expected[1].as_f64().unwrap();
                    assert_eq!(hit.passage.text, text, "{asked}");
                    assert!((hit.score - score).abs() < 1e-12, "{} {score}", hit.score);
                }
            }
        }
    }

    #[test]
    fn words_are_letters_and_digits() {
        let found: Vec<String> = words("`quota-exceeded`: HTTP/1.1, Größe.").collect();
        assert_eq!(found, ["quota", "exceeded", "http", "1", "1", "größe"]);
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        assert!(Library::new(Vec::new()).search("key", Method::BM25).is_empty());
        assert!(Library::new(vec![passage("a key")]).search("?", Method::BM25).is_empty());
    }
}

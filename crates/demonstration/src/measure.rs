//! How good a search was, by the page that should have been found.

use crate::search::Hit;

/// The place of the first passage of a page among those that were found, from 1; `None` if none of them is of it.
pub fn rank(hits: &[Hit<'_>], page: &str) -> Option<u32> {
    let at = hits.iter().position(|hit| hit.passage.page == page)?;
    u32::try_from(at.saturating_add(1)).ok()
}

/// One over the [`rank`]; 0 where the page was not found.
pub fn reciprocal(rank: Option<u32>) -> f64 {
    rank.map_or(0.0, |rank| 1.0 / f64::from(rank))
}

/// Whether the [`rank`] is among the first so many.
pub fn is_within(rank: Option<u32>, first: u32) -> bool {
    rank.is_some_and(|rank| rank <= first)
}

/// What searches came to together. Each question has one page that answers it, so that recall is the share of
/// questions whose page is among the first.
///
/// Source: Manning, Raghavan & Schütze 2008, "Introduction to Information Retrieval", chapter 8; of the reciprocal
/// rank: Voorhees 1999, "The TREC-8 Question Answering Track Report".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The share of questions whose page is that of the first passage.
    pub recall_at_1: f64,
    /// The share of questions whose page is that of one of the first three passages.
    pub recall_at_3: f64,
    /// The mean of the reciprocal ranks.
    pub mrr: f64,
}

impl Quality {
    /// Of the ranks of all questions; of none, all is 0.
    pub fn of(ranks: &[Option<u32>]) -> Self {
        let number = f64::from(u32::try_from(ranks.len()).unwrap_or(u32::MAX)).max(1.0);
        let share =
            |first| ranks.iter().filter(|rank| is_within(**rank, first)).map(|_| 1.0).sum::<f64>() / number;
        let mrr = ranks.iter().map(|rank| reciprocal(*rank)).sum::<f64>() / number;
        Self { recall_at_1: share(1), recall_at_3: share(3), mrr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PAGES;
    use crate::passage::passages;
    use crate::question::QUESTIONS;
    use crate::search::{Library, Method};

    #[test]
    fn quality_is_that_of_the_ranks() {
        let quality = Quality::of(&[Some(1), Some(2), Some(4), None]);
        assert_eq!(quality, Quality { recall_at_1: 0.25, recall_at_3: 0.5, mrr: 1.75 / 4.0 });
        assert_eq!(Quality::of(&[]), Quality { recall_at_1: 0.0, recall_at_3: 0.0, mrr: 0.0 });
    }

    /// What is demonstrated is worth showing: BM25 finds more than the baseline, and most of what is asked.
    #[test]
    fn the_documentation_answers_most_questions() {
        let library = Library::new(passages(PAGES));
        let quality = |method| {
            let ranks: Vec<_> =
                QUESTIONS.iter().map(|one| rank(&library.search(one.text, method), one.page)).collect();
            println!("{method:?}: {ranks:?}");
            Quality::of(&ranks)
        };
        let (baseline, bm25) = (quality(Method::SharedWords), quality(Method::BM25));
        assert!(bm25.mrr > baseline.mrr, "{bm25:?} {baseline:?}");
        assert!(bm25.recall_at_3 >= 0.5, "{bm25:?}");
    }
}

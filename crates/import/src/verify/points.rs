//! Points are compared one by one, as they stream.

use mainstay_core::name::Name;
use mainstay_store::reader::Reader;
use mainstay_tracking::import::Series;
use mainstay_tracking::metric::Point;
use sha2::{Digest as _, Sha256};

use super::{Pair, Verifier};
use crate::error::ImportError;
use crate::finding::Finding;

/// How many blocks of points are read at once.
const BLOCKS: usize = 8;

impl Verifier<'_> {
    pub(super) async fn points(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        let mut ours: Option<Ours> = None;
        loop {
            let page = self.stock.points(workspace, after).await?;
            let Some(last) = page.last else { break };
            after = Some(last);
            for there in &page.items {
                if ours.as_ref().is_none_or(|ours| !ours.is_of(there)) {
                    self.exhausted(ours.take(), pair).await?;
                }
                let of = ours.get_or_insert_with(|| Ours::new(there));
                let mut is_same = true;
                for point in &there.points {
                    pair.counts.0 += 1;
                    add_point(&mut pair.there, there, point);
                    let here = of.next(self.reader).await?;
                    if let Some(here) = here {
                        pair.counts.1 += 1;
                        add_point(&mut pair.here, there, &here);
                    }
                    is_same &= here == Some(*point);
                }
                if !is_same {
                    let of = format!("metric {:?} of run {}", there.key, there.run);
                    let reason = "its points are others here";
                    self.comparison.differences.extend([Finding::new(of, reason)]);
                }
            }
            let compared = page.items.iter().map(|series| series.points.len() as u64).sum();
            (self.tell)("metric points", compared);
        }
        self.exhausted(ours, pair).await
    }

    /// There must be no points behind the last.
    async fn exhausted(&mut self, ours: Option<Ours>, pair: &mut Pair) -> Result<(), ImportError> {
        let Some(mut ours) = ours else { return Ok(()) };
        let mut more = 0;
        while ours.next(self.reader).await?.is_some() {
            more += 1;
        }
        if more > 0 {
            pair.counts.1 += more;
            let of = format!("metric {:?} of run {}", ours.key, ours.run);
            self.comparison
                .differences
                .extend([Finding::new(of, format!("there are {more} points more here"))]);
        }
        Ok(())
    }
}

/// The points of one of our metrics, a few blocks at a time.
struct Ours {
    run: mainstay_core::id::RunId,
    key: String,
    after: u64,
    left: std::vec::IntoIter<Point>,
}

impl Ours {
    fn new(series: &Series) -> Self {
        Self { run: series.run, key: series.key.clone(), after: 0, left: Vec::new().into_iter() }
    }

    fn is_of(&self, series: &Series) -> bool {
        self.run == series.run && self.key == series.key
    }

    async fn next(&mut self, reader: &Reader) -> Result<Option<Point>, ImportError> {
        if let Some(point) = self.left.next() {
            return Ok(Some(point));
        }
        let chunk = reader.points_after(self.run, &self.key, self.after, BLOCKS).await?;
        self.after = chunk.after;
        self.left = chunk.points.into_iter();
        Ok(self.left.next())
    }
}

fn add_point(hasher: &mut Sha256, series: &Series, point: &Point) {
    hasher.update(series.run.as_bytes());
    hasher.update((series.key.len() as u64).to_le_bytes());
    hasher.update(series.key.as_bytes());
    hasher.update(point.step.to_le_bytes());
    hasher.update(point.timestamp_ms.to_le_bytes());
    hasher.update(point.value.to_bits().to_le_bytes());
}

//! Is the candidate no worse, or harmful? Paired losses, folded a data day at a time.

use serde::{Deserialize, Serialize};

use super::{Alternative, BettingTest, Bounds, Interval, SequentialError, confidence_sequence};

/// What is tested and how surely. All differences are *candidate less incumbent* in mean loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedPlan {
    /// A mean difference below this is "no worse": the candidate may be promoted. Positive.
    pub margin: f64,
    /// A mean difference above this is harm: the candidate is rolled back. At least 0. **Take
    /// `margin`**, so that the two verdicts divide the scale between them: two models are never exactly
    /// equal, and with 0 a difference that is certain but tiny rolls back.
    pub harm_margin: f64,
    /// A block's mean difference beyond `±bound` counts as `±bound`. The smaller it is, the quicker
    /// the evidence grows and the less one extreme day weighs: four margins are a good choice.
    pub bound: f64,
    /// Chance of promoting a candidate that is worse by `margin` or more.
    pub promote_alpha: f64,
    /// Chance of rolling back a candidate that is no worse than `harm_margin`.
    pub harm_alpha: f64,
    /// Days are put together until a block holds this many pairs, so that no handful of rows
    /// weighs as much as a full day.
    pub min_rows: u64,
}

impl PairedPlan {
    fn check(&self) -> Result<(), SequentialError> {
        let level = |alpha: f64| alpha > 0.0 && alpha < 1.0;
        if !(self.margin > 0.0 && self.harm_margin >= 0.0) {
            return Err(SequentialError::Plan("margin must be positive and harm_margin not negative"));
        }
        if !(self.bound.is_finite() && self.bound > self.margin && self.bound > self.harm_margin) {
            return Err(SequentialError::Plan("bound must be greater than both margins"));
        }
        if !(level(self.promote_alpha) && level(self.harm_alpha)) {
            return Err(SequentialError::Plan("promote_alpha and harm_alpha lie between 0 and 1"));
        }
        Ok(())
    }
}

/// Where the evidence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Neither is shown yet; at the end of the plan this is *inconclusive*.
    Open,
    /// The candidate is shown to be no worse by the margin.
    NonInferior,
    /// The candidate is shown to be worse.
    Harmful,
}

/// The figures of a [`PairedQuality`] at one look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QualityReading {
    /// Where it stands.
    pub standing: Standing,
    /// Blocks folded.
    pub blocks: u64,
    /// Pairs folded.
    pub rows: u64,
    /// Mean of the winsorised block means; absent before the first block.
    pub mean: Option<f64>,
    /// Confidence sequence for it at `promote_alpha` a side.
    pub interval: Interval,
    /// Greatest log e-value for "no worse" so far.
    pub log_e_non_inferior: f64,
    /// Greatest log e-value for "harmful" so far.
    pub log_e_harm: f64,
}

/// Two e-processes over the same blocks: non-inferiority and harm.
///
/// The unit is the **data day**: rows of one day share their weather, so a day's mean difference is
/// one observation however many rows it has. Days weigh equally: the figure is the average day's mean
/// difference. The first of the two to be shown stands; on one day, harm goes first.
///
/// How many days it takes is a matter of the mean difference `d`, the day-to-day standard deviation
/// `s` of the daily mean difference, and the margin `M`; see the table at [`Self::fold`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedQuality {
    plan: PairedPlan,
    non_inferior: BettingTest,
    harm: BettingTest,
    blocks: Vec<f64>,
    pending_sum: f64,
    pending_rows: u64,
    rows: u64,
    newest_day: Option<i64>,
    standing: Standing,
}

impl PairedQuality {
    /// No evidence yet.
    ///
    /// # Errors
    /// [`SequentialError::Plan`].
    pub fn new(plan: PairedPlan) -> Result<Self, SequentialError> {
        plan.check()?;
        let bounds = Bounds { lower: -plan.bound, upper: plan.bound };
        Ok(Self {
            plan,
            non_inferior: BettingTest::new(plan.margin, bounds, Alternative::Below)?,
            harm: BettingTest::new(plan.harm_margin, bounds, Alternative::Above)?,
            blocks: Vec::new(),
            pending_sum: 0.0,
            pending_rows: 0,
            rows: 0,
            newest_day: None,
            standing: Standing::Open,
        })
    }

    /// Folds the paired loss differences of one matured data day, and says where the evidence stands.
    ///
    /// Median days until the verdict, by simulation of normal days with mean `d` and standard deviation
    /// `s`, both in margins; bound 4 margins, harm margin half a margin, levels 0.05:
    ///
    /// | verdict | `d` | `s` = 0.5 | `s` = 1 | `s` = 2 |
    /// |---|---|---|---|---|
    /// | no worse | 0 | 14 | 15 | 26 |
    /// | no worse | −1 | 8 | 8 | 9 |
    /// | harmful | 1 | | 42 | |
    /// | harmful | 2 | 13 | 14 | 16 |
    /// | harmful | 4 | | | 8 |
    /// | harmful | 20 | | | 7 |
    ///
    /// # Errors
    /// [`SequentialError::OutOfOrder`] if the day is not after all folded ones,
    /// [`SequentialError::NotFinite`]; then nothing was folded.
    pub fn fold(&mut self, day: i64, differences: &[f64]) -> Result<Standing, SequentialError> {
        if let Some(folded) = self.newest_day.filter(|folded| day <= *folded) {
            return Err(SequentialError::OutOfOrder { got: day, folded });
        }
        let sum: f64 = differences.iter().sum();
        if !sum.is_finite() {
            return Err(SequentialError::NotFinite);
        }
        self.newest_day = Some(day);
        self.pending_sum += sum;
        self.pending_rows += differences.len() as u64;
        self.rows += differences.len() as u64;
        if self.pending_rows < self.plan.min_rows.max(1) {
            return Ok(self.standing);
        }
        let mean = self.pending_sum / self.pending_rows as f64;
        (self.pending_sum, self.pending_rows) = (0.0, 0);
        self.non_inferior.fold(mean)?;
        self.harm.fold(mean)?;
        self.blocks.push(mean);
        if self.standing == Standing::Open {
            if self.harm.rejects(self.plan.harm_alpha) {
                self.standing = Standing::Harmful;
            } else if self.non_inferior.rejects(self.plan.promote_alpha) {
                self.standing = Standing::NonInferior;
            }
        }
        Ok(self.standing)
    }

    /// The newest day that was folded, whether or not it completed a block.
    pub fn newest_day(&self) -> Option<i64> {
        self.newest_day
    }

    /// The figures now.
    ///
    /// # Errors
    /// None after a successful [`Self::new`]; the type says so because the interval is computed anew.
    pub fn reading(&self) -> Result<QualityReading, SequentialError> {
        let bounds = Bounds { lower: -self.plan.bound, upper: self.plan.bound };
        let count = self.blocks.len() as f64;
        let sum: f64 = self.blocks.iter().map(|mean| bounds.winsorise(*mean)).sum();
        Ok(QualityReading {
            standing: self.standing,
            blocks: self.blocks.len() as u64,
            rows: self.rows,
            mean: (count > 0.0).then(|| sum / count),
            interval: confidence_sequence(&self.blocks, bounds, self.plan.promote_alpha)?,
            log_e_non_inferior: self.non_inferior.peak_log_e(),
            log_e_harm: self.harm.peak_log_e(),
        })
    }
}

//! Revisions: which versions an endpoint serves, and in what part.

use std::collections::HashSet;
use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most arms of one revision.
pub const MAX_ARMS: usize = 8;

/// A share in hundredths of a percent: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const WHOLE: Self = Self(10_000);

    /// A share; `None` above 10,000.
    pub const fn new(points: u16) -> Option<Self> {
        if points <= Self::WHOLE.0 { Some(Self(points)) } else { None }
    }

    /// The number of hundredths of a percent.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for BasisPoints {
    type Error = InvalidRevision;

    fn try_from(points: u16) -> Result<Self, Self::Error> {
        Self::new(points).ok_or(InvalidRevision::Weight(points.into()))
    }
}

impl From<BasisPoints> for u16 {
    fn from(share: BasisPoints) -> Self {
        share.0
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 100.0)
    }
}

/// A version of the endpoint's model, held fast by the digest of its artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pinned {
    /// The version's number.
    pub version: u64,
    /// The digest that gates and approvals name.
    pub digest: Digest,
}

/// What an arm is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Role {
    /// Answers whatever no canary answers.
    Champion,
    /// Scores, and never answers.
    Shadow,
    /// Answers a share of the keys.
    Canary {
        /// The share.
        weight: BasisPoints,
    },
}

/// One version at work on an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Arm {
    /// Which version.
    #[serde(flatten)]
    pub pinned: Pinned,
    /// What for.
    #[serde(flatten)]
    pub role: Role,
}

impl Arm {
    /// A version in a role.
    pub const fn new(pinned: Pinned, role: Role) -> Self {
        Self { pinned, role }
    }

    /// Whether it may answer a request.
    pub const fn answers(&self) -> bool {
        !matches!(self.role, Role::Shadow)
    }

    /// The share that is its own; the champion's is what the canaries leave.
    pub const fn weight(&self) -> BasisPoints {
        match self.role {
            Role::Canary { weight } => weight,
            Role::Champion | Role::Shadow => BasisPoints::ZERO,
        }
    }
}

/// Why a draft is no revision.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidRevision {
    /// Not exactly one champion.
    #[error("a revision has exactly one champion; this one has {0}")]
    Champions(usize),
    /// More than [`MAX_ARMS`].
    #[error("a revision has at most {MAX_ARMS} arms; this one has {0}")]
    Arms(usize),
    /// A version in two arms.
    #[error("version {0} stands in two arms; give it one role")]
    DuplicateVersion(u64),
    /// Shares beyond the whole.
    #[error("the canaries' weights are basis points and add up to at most 10000; these give {0}")]
    Weight(u64),
}

impl Coded for InvalidRevision {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// The arms that somebody wants, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionDraft {
    /// The arms.
    pub arms: Vec<Arm>,
}

impl RevisionDraft {
    /// One champion and nothing else.
    pub fn champion(pinned: Pinned) -> Self {
        Self { arms: vec![Arm::new(pinned, Role::Champion)] }
    }

    /// A champion and one other arm.
    pub fn pair(champion: Pinned, other: Arm) -> Self {
        Self { arms: vec![Arm::new(champion, Role::Champion), other] }
    }

    /// Checks the arms against each other.
    pub fn validate(&self) -> Result<(), InvalidRevision> {
        if self.arms.len() > MAX_ARMS {
            return Err(InvalidRevision::Arms(self.arms.len()));
        }
        let champions = self.arms.iter().filter(|arm| arm.role == Role::Champion).count();
        if champions != 1 {
            return Err(InvalidRevision::Champions(champions));
        }
        let mut versions = HashSet::new();
        if let Some(twice) = self.arms.iter().find(|arm| !versions.insert(arm.pinned.version)) {
            return Err(InvalidRevision::DuplicateVersion(twice.pinned.version));
        }
        let sum: u64 = self.arms.iter().map(|arm| u64::from(arm.weight().get())).sum();
        if sum > u64::from(BasisPoints::WHOLE.get()) {
            return Err(InvalidRevision::Weight(sum));
        }
        Ok(())
    }
}

/// What an endpoint serves, from one change to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Of which endpoint.
    pub endpoint: Name,
    /// 1, 2, 3 … on its endpoint.
    pub number: u64,
    /// Who is at work; none in the first revision, before a champion is set.
    pub arms: Vec<Arm>,
    /// The champion before this one: answers when the present one cannot, and is what a rollback
    /// goes back to.
    pub fallback: Option<Pinned>,
    /// The rollout that this revision is a stage of.
    pub rollout: Option<RolloutId>,
    /// The digest of the endpoint's definition.
    pub policy: Digest,
}

impl Revision {
    /// The first revision of an endpoint, which serves nothing yet.
    pub const fn first(endpoint: Name, policy: Digest) -> Self {
        Self { endpoint, number: 1, arms: Vec::new(), fallback: None, rollout: None, policy }
    }

    /// The champion; `None` before one is set.
    pub fn champion(&self) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.role == Role::Champion)
    }

    /// The revision after this one, with other arms. A champion that goes becomes the fallback.
    pub fn with_arms(
        &self,
        draft: RevisionDraft,
        rollout: Option<RolloutId>,
    ) -> Result<Self, InvalidRevision> {
        draft.validate()?;
        let mut next =
            Self { number: self.number.saturating_add(1), arms: draft.arms, rollout, ..self.clone() };
        let before = self.champion().map(|arm| arm.pinned);
        if before.is_some() && before != next.champion().map(|arm| arm.pinned) {
            next.fallback = before;
        }
        Ok(next)
    }

    /// The revision after this one, under another definition.
    #[must_use]
    pub fn with_policy(&self, policy: Digest) -> Self {
        Self { number: self.number.saturating_add(1), policy, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(version: u64) -> Pinned {
        Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
    }

    fn canary(version: u64, points: u16) -> Arm {
        Arm::new(pinned(version), Role::Canary { weight: BasisPoints::new(points).unwrap() })
    }

    fn first() -> Revision {
        Revision::first(Name::new("e").unwrap(), Digest::of(b"policy"))
    }

    #[test]
    fn drafts_that_cannot_serve_are_refused() {
        let check = |arms: &[Arm]| RevisionDraft { arms: arms.to_vec() }.validate();
        let champion = Arm::new(pinned(1), Role::Champion);
        assert_eq!(check(&[champion, canary(2, 10_000)]), Ok(()));
        assert_eq!(check(&[]), Err(InvalidRevision::Champions(0)));
        assert_eq!(
            check(&[champion, Arm::new(pinned(2), Role::Champion)]),
            Err(InvalidRevision::Champions(2))
        );
        assert_eq!(check(&[champion, canary(1, 5)]), Err(InvalidRevision::DuplicateVersion(1)));
        assert_eq!(
            check(&[champion, canary(2, 6_000), canary(3, 4_001)]),
            Err(InvalidRevision::Weight(10_001))
        );
        let many: Vec<Arm> = (0..9).map(|version| canary(version, 1)).collect();
        assert_eq!(check(&many), Err(InvalidRevision::Arms(9)));
    }

    #[test]
    fn a_champion_that_goes_becomes_the_fallback() {
        let one = first().with_arms(RevisionDraft::champion(pinned(1)), None).unwrap();
        assert_eq!((one.number, one.fallback), (2, None));
        let still_one = one.with_arms(RevisionDraft::pair(pinned(1), canary(2, 500)), None).unwrap();
        assert_eq!(still_one.fallback, None);
        let two = still_one.with_arms(RevisionDraft::champion(pinned(2)), None).unwrap();
        assert_eq!(two.fallback, Some(pinned(1)));
        assert_eq!(two.with_policy(Digest::of(b"other")).fallback, Some(pinned(1)));
    }

    #[test]
    fn the_json_of_an_arm_is_flat_and_shares_are_bounded() {
        let json = serde_json::to_value(canary(2, 500)).unwrap();
        assert_eq!((json["version"].as_u64(), json["role"].as_str()), (Some(2), Some("canary")));
        assert_eq!(serde_json::from_value::<Arm>(json.clone()).unwrap(), canary(2, 500));
        let mut beyond = json;
        beyond["weight"] = 10_001.into();
        assert!(serde_json::from_value::<Arm>(beyond).is_err());
    }
}

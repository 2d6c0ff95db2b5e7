//! Which arm answers a request, which others score it too, and who steps in when one fails.

use std::hash::Hasher;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PredictionId;
use siphasher::sip::SipHasher24;
use thiserror::Error;

use crate::revision::{Arm, BasisPoints, Pinned, Revision, Role};

/// The endpoint has no champion yet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the endpoint serves no model yet; set a champion first")]
pub struct NothingServed;

impl Coded for NothingServed {
    fn code(&self) -> ErrorCode {
        ErrorCode::Unavailable
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment<'r> {
    revision: &'r Revision,
    champion: &'r Arm,
    answering: &'r Arm,
}

/// Who gave, or could give, an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The arm that the request was assigned to.
    Assigned,
    /// The champion, in place of a canary that failed.
    Champion,
    /// The champion before, in place of one that failed.
    Previous,
}

/// One link of the fallback chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Which version.
    pub pinned: Pinned,
    /// In whose stead.
    pub source: Source,
}

/// Assigns a request to an arm.
///
/// A request with a sticky key goes wherever its key goes, for as long as the shares stand; one
/// without goes by its own id. The point of a key is SipHash-2-4 (Aumasson and Bernstein 2012) of
/// its bytes under the rollout's id as the 128-bit key, scaled to 0..10,000. Canaries take
/// consecutive intervals from 0 in the order of the arms, so as the weight of a rollout's one canary
/// grows, every key that was in it stays in it; another rollout has another id and thus draws other
/// keys. Outside a rollout the hash is of the endpoint's
/// name, a zero byte and the key, under the zero key.
pub fn route<'r>(
    revision: &'r Revision,
    sticky_key: Option<&str>,
    request: &PredictionId,
) -> Result<Assignment<'r>, NothingServed> {
    let champion = revision.champion().ok_or(NothingServed)?;
    let mut answering = champion;
    // Most requests meet no canary, and then nothing needs hashing.
    if revision.arms.iter().any(|arm| arm.weight() > BasisPoints::ZERO) {
        let key = sticky_key.map_or(&request.as_bytes()[..], str::as_bytes);
        let point = point(revision, key);
        let mut reach = 0_u32;
        for arm in revision.arms.iter().filter(|arm| matches!(arm.role, Role::Canary { .. })) {
            reach += u32::from(arm.weight().get());
            if point < reach {
                answering = arm;
                break;
            }
        }
    }
    Ok(Assignment { revision, champion, answering })
}

/// The point of a key, from 0 to 9,999: the hash, scaled by multiplication, which spreads evenly.
fn point(revision: &Revision, key: &[u8]) -> u32 {
    let mut hasher = if let Some(rollout) = &revision.rollout {
        SipHasher24::new_with_key(rollout.as_bytes())
    } else {
        let mut hasher = SipHasher24::new();
        hasher.write(revision.endpoint.as_str().as_bytes());
        // No name holds this byte, so name and key cannot run into each other.
        hasher.write(&[0]);
        hasher
    };
    hasher.write(key);
    let scaled = (u128::from(hasher.finish()) * u128::from(BasisPoints::WHOLE.get())) >> 64;
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

impl<'r> Assignment<'r> {
    /// The arm that answers, unless it fails.
    pub const fn answering(&self) -> &'r Arm {
        self.answering
    }

    /// The arms that score the request: the answering one and all shadows; every arm while a rollout
    /// runs, so that its quality is a paired difference.
    pub fn scoring(&self) -> impl Iterator<Item = &'r Arm> + use<'r> {
        let (answering, all) = (self.answering, self.revision.rollout.is_some());
        let wanted = move |arm: &&Arm| all || !arm.answers() || **arm == *answering;
        self.revision.arms.iter().filter(wanted)
    }

    /// Who is asked for the answer, in order, no version twice: the assigned arm, the champion, the
    /// champion before.
    pub fn chain(&self) -> impl Iterator<Item = Link> + use<'r> {
        let (assigned, champion) = (self.answering.pinned, self.champion.pinned);
        let second = (champion != assigned).then_some(champion);
        let third = self.revision.fallback.filter(|f| *f != assigned && *f != champion);
        let links = [
            Some((assigned, Source::Assigned)),
            second.map(|pinned| (pinned, Source::Champion)),
            third.map(|pinned| (pinned, Source::Previous)),
        ];
        links.into_iter().flatten().map(|(pinned, source)| Link { pinned, source })
    }

    /// The first link of the chain for which `answer` has one: an arm that errs or times out has
    /// none. The answer comes back with the link that gave it.
    pub fn answer<T>(&self, mut answer: impl FnMut(&Link) -> Option<T>) -> Option<(Link, T)> {
        self.chain().find_map(|link| answer(&link).map(|given| (link, given)))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::digest::Digest;
    use mainstay_core::id::RolloutId;
    use mainstay_core::name::Name;
    use proptest::prelude::*;

    use super::*;
    use crate::revision::RevisionDraft;

    fn pinned(version: u64) -> Pinned {
        Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
    }

    fn revision(role: Role, rollout: Option<[u8; 16]>) -> Revision {
        let first = Revision::first(Name::new("e").unwrap(), Digest::of(b"policy"));
        let draft = RevisionDraft::pair(pinned(1), Arm::new(pinned(2), role));
        let mut made = first.with_arms(draft, rollout.map(RolloutId::from_bytes)).unwrap();
        made.fallback = Some(pinned(9));
        made
    }

    fn canary(points: u16) -> Role {
        Role::Canary { weight: BasisPoints::new(points).unwrap() }
    }

    const REQUEST: PredictionId = PredictionId::from_bytes([7; 16]);

    fn version(revision: &Revision, key: &str) -> u64 {
        route(revision, Some(key), &REQUEST).unwrap().answering().pinned.version
    }

    /// Reference: the first test vector of the `SipHash` paper's appendix A (key 00..0f, message
    /// 00..0e gives 0xa129ca6149be45e5); scaled, floor(0xa129ca6149be45e5 * 10,000 / 2^64) = 6295.
    #[test]
    fn the_point_of_a_key_is_fixed_for_ever() {
        let salt: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let message: [u8; 15] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(point(&revision(canary(1), Some(salt)), &message), 6295);
    }

    #[test]
    fn shares_are_kept_over_many_keys() {
        for points in [0, 500, 2_500, 10_000] {
            let revision = revision(canary(points), Some([3; 16]));
            let keys = 40_000_u32;
            let hits = (0..keys).filter(|key| version(&revision, &format!("key-{key}")) == 2).count();
            let share = hits as f64 / f64::from(keys);
            let expected = f64::from(points) / 10_000.0;
            let five_sigma = 5.0 * (expected * (1.0 - expected) / f64::from(keys)).sqrt();
            assert!((share - expected).abs() <= five_sigma, "{share} for {expected}");
        }
    }

    #[test]
    fn requests_without_a_key_go_by_their_id() {
        let revision = revision(canary(2_500), Some([3; 16]));
        let hit = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_le_bytes());
            route(&revision, None, &PredictionId::from_bytes(id)).unwrap().answering().pinned.version == 2
        };
        let share = f64::from(u32::try_from((0..40_000).filter(|n| hit(*n)).count()).unwrap()) / 40_000.0;
        assert!((share - 0.25).abs() < 0.011, "{share}");
    }

    proptest! {
        #[test]
        fn a_key_in_the_canary_stays_as_it_grows(key in ".{0,40}", salt: [u8; 16], low in 0..=10_000_u16, high in 0..=10_000_u16) {
            let (low, high) = (low.min(high), low.max(high));
            let small = version(&revision(canary(low), Some(salt)), &key);
            let large = version(&revision(canary(high), Some(salt)), &key);
            prop_assert!(small == 1 || large == 2);
        }

        #[test]
        fn a_request_is_scored_by_whom_it_is_answered(key in ".{0,40}", points in 0..=10_000_u16, rolling: bool) {
            let revision = revision(canary(points), rolling.then_some([5; 16]));
            let assignment = route(&revision, Some(&key), &REQUEST).unwrap();
            let scoring: Vec<&Arm> = assignment.scoring().collect();
            prop_assert!(scoring.contains(&assignment.answering()));
            prop_assert_eq!(scoring.len(), if rolling { 2 } else { 1 });
        }
    }

    #[test]
    fn a_canary_set_by_hand_keeps_its_keys_whatever_else_changes() {
        let before = revision(canary(2_500), None);
        let after = before.with_policy(Digest::of(b"another policy"));
        let keys: Vec<_> = (0..1_000).map(|n| n.to_string()).collect();
        assert!(keys.iter().all(|key| version(&before, key) == version(&after, key)));
        let hits = keys.iter().filter(|key| version(&before, key) == 2).count();
        assert!((180..320).contains(&hits), "{hits}");
    }

    #[test]
    fn other_rollouts_draw_other_keys() {
        let (a, b) = (revision(canary(5_000), Some([1; 16])), revision(canary(5_000), Some([2; 16])));
        let keys = (0..1_000).map(|n| n.to_string());
        let same = keys.filter(|key| version(&a, key) == version(&b, key)).count();
        assert!((400..600).contains(&same), "{same}");
    }

    #[test]
    fn shadows_score_and_never_answer() {
        let revision = revision(Role::Shadow, None);
        let assignment = route(&revision, Some("k"), &REQUEST).unwrap();
        assert_eq!(assignment.answering().pinned.version, 1);
        assert_eq!(assignment.scoring().count(), 2);
        assert!(assignment.chain().all(|link| link.pinned.version != 2));
    }

    #[test]
    fn failures_fall_back_in_order_and_answers_are_marked() {
        let revision = revision(canary(10_000), Some([1; 16]));
        let assignment = route(&revision, Some("k"), &REQUEST).unwrap();
        let order: Vec<_> = assignment.chain().map(|link| (link.pinned.version, link.source)).collect();
        assert_eq!(order, [(2, Source::Assigned), (1, Source::Champion), (9, Source::Previous)]);
        let (link, answer) = assignment.answer(|link| (link.pinned.version != 2).then_some(0.5)).unwrap();
        assert_eq!((link.source, answer), (Source::Champion, 0.5));
        assert_eq!(assignment.answer(|_| None::<f64>), None);
    }

    #[test]
    fn nothing_is_answered_before_a_champion_is_set() {
        let first = Revision::first(Name::new("e").unwrap(), Digest::of(b"policy"));
        assert_eq!(route(&first, None, &REQUEST), Err(NothingServed));
    }
}

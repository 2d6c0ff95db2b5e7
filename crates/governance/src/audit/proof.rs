//! Proofs that a leaf is in a tree, and that one tree continues another.

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use super::frontier::{empty_root, node};

/// The proof does not lead to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the proof does not lead to the given root")]
pub struct InvalidProof;

impl Coded for InvalidProof {
    fn code(&self) -> ErrorCode {
        ErrorCode::Corrupt
    }
}

/// The largest power of two smaller than `n`, for `n > 1`.
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// The Merkle tree hash of a slice of leaves, in O(n).
fn root_of(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root_of(left), &root_of(right))
        }
    }
}

/// The audit path of leaf number `index` (from 0) in the tree of `leaves`: `PATH(m, D[n])` of RFC
/// 6962 §2.1.1. `None` if there is no such leaf.
pub fn inclusion_path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut leaves, mut index, mut path) = (leaves, index, Vec::new());
    while leaves.len() > 1 {
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        if index < k {
            path.push(root_of(right));
            leaves = left;
        } else {
            path.push(root_of(left));
            (leaves, index) = (right, index - k);
        }
    }
    path.reverse();
    Some(path)
}

/// Checks that `leaf` is number `index` (from 0) of the tree of `size` leaves with that root: RFC
/// 9162 §2.1.3.2.
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof);
    }
    let (mut fn_, mut sn, mut hash) = (index, size - 1, leaf);
    for step in path {
        if sn == 0 {
            return Err(InvalidProof);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            hash = node(step, &hash);
            while fn_ & 1 == 0 && fn_ != 0 {
                (fn_, sn) = (fn_ >> 1, sn >> 1);
            }
        } else {
            hash = node(&hash, step);
        }
        (fn_, sn) = (fn_ >> 1, sn >> 1);
    }
    if sn == 0 && hash == *root { Ok(()) } else { Err(InvalidProof) }
}

/// The proof that the tree of `leaves` continues the tree of its first `old` ones: `PROOF(m, D[n])`
/// of RFC 6962 §2.1.2. `None` unless `0 < old <= leaves.len()`.
pub fn consistency_path(leaves: &[Digest], old: usize) -> Option<Vec<Digest>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let (mut leaves, mut old, mut whole, mut path) = (leaves, old, true, Vec::new());
    while old != leaves.len() {
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        if old <= k {
            path.push(root_of(right));
            leaves = left;
        } else {
            path.push(root_of(left));
            (leaves, old, whole) = (right, old - k, false);
        }
    }
    if !whole {
        path.push(root_of(leaves));
    }
    path.reverse();
    Some(path)
}

/// Checks that the tree (`size`, `root`) continues the tree (`old_size`, `old_root`): RFC 9162
/// §2.1.4.2. The empty tree is continued by every tree, with an empty proof.
pub fn verify_consistency(
    (old_size, old_root): (u64, &Digest),
    (size, root): (u64, &Digest),
    path: &[Digest],
) -> Result<(), InvalidProof> {
    if old_size > size {
        return Err(InvalidProof);
    }
    if old_size == 0 || old_size == size {
        let same = if old_size == size { old_root == root } else { *old_root == empty_root() };
        return if same && path.is_empty() { Ok(()) } else { Err(InvalidProof) };
    }
    // A complete old tree is itself the first node of the path.
    let (first, rest) = if old_size.is_power_of_two() {
        (*old_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(InvalidProof)?;
        (*first, rest)
    };
    let shift = (old_size - 1).trailing_ones();
    let (mut fn_, mut sn) = ((old_size - 1) >> shift, (size - 1) >> shift);
    let (mut old_hash, mut hash) = (first, first);
    for step in rest {
        if sn == 0 {
            return Err(InvalidProof);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            old_hash = node(step, &old_hash);
            hash = node(step, &hash);
            while fn_ & 1 == 0 && fn_ != 0 {
                (fn_, sn) = (fn_ >> 1, sn >> 1);
            }
        } else {
            hash = node(&hash, step);
        }
        (fn_, sn) = (fn_ >> 1, sn >> 1);
    }
    if sn == 0 && old_hash == *old_root && hash == *root { Ok(()) } else { Err(InvalidProof) }
}

#[cfg(test)]
mod tests {
    use super::super::frontier::tests::{known_leaves, slow_root};
    use super::*;

    fn hexes(path: &[Digest]) -> Vec<String> {
        path.iter().map(Digest::hex).collect()
    }

    /// From the test suite of Google's Certificate Transparency implementation.
    #[test]
    fn matches_the_known_proofs() {
        let leaves = known_leaves();
        assert_eq!(
            hexes(&inclusion_path(&leaves, 0).unwrap()),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        assert_eq!(
            hexes(&consistency_path(&leaves, 6).unwrap()),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    fn leaves(n: usize) -> Vec<Digest> {
        (0..n).map(|i| Digest::of(&i.to_le_bytes())).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_one_proof() {
        for n in 1..=33 {
            let leaves = leaves(n);
            let root = slow_root(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = inclusion_path(&leaves, index).unwrap();
                let check =
                    |leaf, index, size, path: &[Digest]| verify_inclusion(leaf, index, size, path, &root);
                let (i, size) = (index as u64, n as u64);
                assert_eq!(check(*leaf, i, size, &path), Ok(()));
                assert_eq!(check(Digest::of(b"other"), i, size, &path), Err(InvalidProof));
                assert_eq!(check(*leaf, i + 1, size, &path), Err(InvalidProof));
                let mut longer = path.clone();
                longer.push(root);
                assert_eq!(check(*leaf, i, size, &longer), Err(InvalidProof));
                if let Some(shorter) = path.len().checked_sub(1) {
                    assert_eq!(check(*leaf, i, size, &path[..shorter]), Err(InvalidProof));
                }
            }
            assert_eq!(inclusion_path(&leaves, n), None);
        }
    }

    #[test]
    fn every_small_tree_continues_its_prefixes_and_nothing_else() {
        for n in 1..=33 {
            let leaves = leaves(n);
            let root = slow_root(&leaves);
            for old in 1..=n {
                let old_root = slow_root(&leaves[..old]);
                let path = consistency_path(&leaves, old).unwrap();
                let new = (n as u64, &root);
                assert_eq!(verify_consistency((old as u64, &old_root), new, &path), Ok(()), "{old} of {n}");
                let forged = Digest::of(b"forged");
                assert_eq!(verify_consistency((old as u64, &forged), new, &path), Err(InvalidProof));
                assert_eq!(
                    verify_consistency((old as u64, &old_root), (n as u64, &forged), &path),
                    Err(InvalidProof)
                );
            }
        }
        let two = leaves(2);
        assert_eq!(verify_consistency((0, &empty_root()), (2, &slow_root(&two)), &[]), Ok(()));
        assert_eq!(consistency_path(&two, 3), None);
    }
}

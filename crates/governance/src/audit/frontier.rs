//! The right edge of the tree: all that is needed to append a leaf and to know the root.

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The bytes are not a serialised [`Frontier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the stored frontier of the audit tree is damaged; see `mainstay audit verify`")]
pub struct InvalidFrontier;

impl Coded for InvalidFrontier {
    fn code(&self) -> ErrorCode {
        ErrorCode::Corrupt
    }
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1).
pub(crate) fn node(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

/// The roots of the perfect subtrees that make up a tree of `size` leaves, largest first: one for
/// each bit set in `size`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf on the right, in O(log size) time, O(1) on average.
    pub fn append(&mut self, leaf: Digest) {
        let mut carry = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                carry = node(&left, &carry);
            }
        }
        self.peaks.push(carry);
        self.size += 1;
    }

    /// The Merkle tree hash of RFC 6962 §2.1.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node(left, &right))
    }

    /// The size as eight little-endian bytes, then the peaks of 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.peaks.len());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(peak.as_bytes());
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidFrontier> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(InvalidFrontier)?;
        let size = u64::from_le_bytes(*size);
        let (peaks, tail) = rest.as_chunks::<32>();
        if !tail.is_empty() || u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(InvalidFrontier);
        }
        Ok(Self { size, peaks: peaks.iter().copied().map(Digest::from_bytes).collect() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The eight leaves of the test suite of Google's Certificate Transparency implementation
    /// (`merkletree/merkle_tree_test.cc`), and the root of each prefix.
    const INPUTS: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub(crate) fn known_leaves() -> Vec<Digest> {
        INPUTS
            .iter()
            .map(|input| {
                let mut bytes = vec![0];
                bytes.extend(hex::decode(input).unwrap());
                Digest::of(&bytes)
            })
            .collect()
    }

    /// The definition of RFC 6962 §2.1, as it stands there.
    pub(crate) fn slow_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(&slow_root(&leaves[..k]), &slow_root(&leaves[k..]))
            }
        }
    }

    #[test]
    fn matches_the_known_vectors() {
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for (leaf, root) in known_leaves().into_iter().zip(ROOTS) {
            frontier.append(leaf);
            assert_eq!(frontier.root().hex(), root);
        }
    }

    #[test]
    fn matches_the_definition_and_survives_serialisation_at_every_size() {
        let leaves: Vec<Digest> = (0_u32..130).map(|i| Digest::of(&i.to_le_bytes())).collect();
        let mut frontier = Frontier::new();
        for size in 0..leaves.len() {
            assert_eq!(frontier.root(), slow_root(&leaves[..size]), "size {size}");
            assert_eq!(frontier.size(), size as u64);
            frontier = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
            frontier.append(leaves[size]);
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let mut frontier = Frontier::new();
        (0_u8..3).for_each(|i| frontier.append(Digest::of(&[i])));
        let bytes = frontier.to_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Frontier::from_bytes(&bytes[..cut]), Err(InvalidFrontier));
        }
        let mut other_size = bytes;
        other_size[0] = 4;
        assert_eq!(Frontier::from_bytes(&other_size), Err(InvalidFrontier));
    }
}

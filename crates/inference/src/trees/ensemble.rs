//! Trees laid out flat, and the walk from rows to leaves.
//!
//! A node takes 16 bytes (float32 thresholds). Every comparison is rewritten to "less or equal" or
//! "equal" by exchanging children and moving thresholds by one unit in the last place, so that a step
//! is a load, a comparison and an indexed load, without a branch to mispredict. A leaf is its own
//! child: several walks go on side by side for as many steps as the deepest of them needs, which
//! hides the latency of the loads.

use crate::error::NodeError;
use crate::ops::Number;
use crate::trees::source::{Branch, Mode, Source, SourceNode};

/// The greatest feature number: the bits above it in [`TreeNode::feature`] are flags.
pub(crate) const MAX_FEATURE: u32 = (1 << 28) - 1;
/// NaN goes where the comparison holds.
const MISSING_HOLDS: u32 = 1 << 31;
/// The comparison is "equal" instead of "less or equal".
const EQUAL: u32 = 1 << 30;
/// Walks side by side.
const LANES: usize = 8;
/// Rows that go through a tree before the next tree is taken up.
const BLOCK: usize = 8 * LANES;
/// Steps between two looks at whether all walks have ended.
const STRIDE: u32 = 4;

/// A float type in which features are compared and scores added up: float32, or float64 for models
/// over float64.
pub(crate) trait Real: Number + std::ops::AddAssign + std::ops::Neg<Output = Self> {
    fn from_f64(value: f64) -> Self;
    fn to_f32(self) -> f32;
    /// The greatest number below this one.
    fn below(self) -> Self;
    /// Keeps a small number in the bits of a float, and gets it back.
    fn pack(index: u32) -> Self;
    fn unpack(self) -> u32;
}

impl Real for f32 {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "thresholds of float32 models are float32 in the file"
    )]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline]
    fn below(self) -> Self {
        self.next_down()
    }
    #[inline]
    fn pack(index: u32) -> Self {
        Self::from_bits(index)
    }
    #[inline]
    fn unpack(self) -> u32 {
        self.to_bits()
    }
}

impl Real for f64 {
    #[inline]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the operators' outputs are float32")]
    fn to_f32(self) -> f32 {
        self as f32
    }
    #[inline]
    fn below(self) -> Self {
        self.next_down()
    }
    #[inline]
    fn pack(index: u32) -> Self {
        Self::from_bits(u64::from(index))
    }
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only what `pack` stored comes here")]
    fn unpack(self) -> u32 {
        self.to_bits() as u32
    }
}

/// A decision or, with itself as both children, a leaf.
#[derive(Debug, Clone, Copy)]
struct TreeNode<T> {
    /// The threshold; of a leaf its weight, or a packed index of its weights.
    value: T,
    /// The feature's number and the flags.
    feature: u32,
    /// Where to go if the comparison fails, and if it holds.
    children: [u32; 2],
}

/// What the leaves hold.
#[derive(Debug)]
pub(crate) enum Leaves<T> {
    /// One weight each, all for the same target: the leaf's value.
    Single { target: usize },
    /// One weight for every target: the leaf's value is the packed number of a row.
    Dense(Vec<T>),
    /// Any weights: the leaf's value is the packed number of a range.
    Sparse { ranges: Vec<std::ops::Range<usize>>, weights: Vec<(u32, T)> },
}

/// A compiled ensemble.
#[derive(Debug)]
pub(crate) struct Ensemble<T> {
    nodes: Vec<TreeNode<T>>,
    /// Root and depth of each tree.
    trees: Vec<(u32, u32)>,
    pub(crate) leaves: Leaves<T>,
    pub(crate) targets: usize,
    /// How many features a row must have.
    pub(crate) features: usize,
    /// Steps of one row through all trees, at most.
    pub(crate) steps: usize,
    has_missing: bool,
    has_equal: bool,
}

impl<T: Real> Ensemble<T> {
    /// Lays the trees out. `single` says whether leaves may be reduced to the one target they share.
    pub(crate) fn new(source: &Source, single: bool) -> Result<Self, NodeError> {
        if source.roots.is_empty() || source.nodes.len() > (1 << 30) {
            return Err(NodeError::AttributeValue {
                name: "nodes_treeids",
                problem: "holds no tree, or too many nodes",
            });
        }
        let mut ensemble = Self {
            nodes: Vec::with_capacity(source.nodes.len()),
            trees: Vec::with_capacity(source.roots.len()),
            leaves: Self::leaves(source, single),
            targets: source.targets,
            features: 1,
            steps: 0,
            has_missing: false,
            has_equal: false,
        };
        let mut visited = vec![false; source.nodes.len()];
        for &(tree, root) in &source.roots {
            ensemble.add_tree(source, tree, root, &mut visited)?;
        }
        Ok(ensemble)
    }

    /// Chooses how the leaves' weights are kept.
    fn leaves(source: &Source, single: bool) -> Leaves<T> {
        let ranges = || {
            source.nodes.iter().filter_map(|node| match node {
                SourceNode::Leaf(range) => Some(range.clone()),
                SourceNode::Branch(_) => None,
            })
        };
        let weights = |range| source.weights.get::<std::ops::Range<usize>>(range).unwrap_or_default();
        if let (true, Some(&(target, _))) = (single, source.weights.first())
            && ranges().all(|range| matches!(weights(range), [(own, _)] if *own == target))
        {
            return Leaves::Single { target: target as usize };
        }
        let is_dense = |range| {
            let weights = weights(range);
            weights.len() == source.targets
                && weights.iter().zip(0_u32..).all(|((own, _), target)| *own == target)
        };
        if ranges().all(is_dense) {
            return Leaves::Dense(Vec::new());
        }
        let weights = source.weights.iter().map(|&(target, weight)| (target, T::from_f64(weight))).collect();
        Leaves::Sparse { ranges: Vec::new(), weights }
    }

    /// Adds the nodes below a root, each before its children. Not recursive: a hostile file may hold
    /// a tree as deep as it is long.
    fn add_tree(
        &mut self,
        source: &Source,
        tree: i64,
        root: usize,
        visited: &mut [bool],
    ) -> Result<(), NodeError> {
        let first = self.next()?;
        let mut depth = 0;
        let mut waiting = vec![(root, None, 0_u32)];
        while let Some((place, parent, level)) = waiting.pop() {
            let index = self.next()?;
            if let Some((parent, side)) = parent {
                self.link(parent, side, index);
            }
            match source.nodes.get(place) {
                Some(SourceNode::Leaf(range)) => {
                    let value = self.leaf_value(source, range);
                    self.nodes.push(TreeNode { value, feature: 0, children: [index; 2] });
                    depth = depth.max(level);
                }
                Some(SourceNode::Branch(branch)) => {
                    let problem = "a node is reached twice: the nodes form no tree";
                    if visited.get_mut(place).is_none_or(|seen| std::mem::replace(seen, true)) {
                        return Err(NodeError::Tree { tree, problem });
                    }
                    let (node, children) = self.branch(branch);
                    self.nodes.push(node);
                    let [fails, holds] = children;
                    waiting.push((fails, Some((index, 0)), level + 1));
                    waiting.push((holds, Some((index, 1)), level + 1));
                }
                None => {
                    return Err(NodeError::Tree { tree, problem: "a node has a child that does not exist" });
                }
            }
        }
        self.trees.push((first, depth));
        self.steps = self.steps.saturating_add(depth as usize + 1);
        Ok(())
    }

    fn next(&self) -> Result<u32, NodeError> {
        let problem = "has too many nodes";
        u32::try_from(self.nodes.len())
            .map_err(|_| NodeError::AttributeValue { name: "nodes_treeids", problem })
    }

    fn link(&mut self, parent: u32, side: usize, child: u32) {
        let place = self.nodes.get_mut(parent as usize).and_then(|node| node.children.get_mut(side));
        if let Some(place) = place {
            *place = child;
        }
    }

    fn leaf_value(&mut self, source: &Source, range: &std::ops::Range<usize>) -> T {
        let own = source.weights.get(range.clone()).unwrap_or_default();
        match &mut self.leaves {
            Leaves::Single { .. } => T::from_f64(own.first().map_or(0.0, |(_, weight)| *weight)),
            Leaves::Dense(weights) => {
                let row = weights.len() / source.targets.max(1);
                weights.extend(own.iter().map(|(_, weight)| T::from_f64(*weight)));
                // There are at most 2³⁰ nodes.
                T::pack(u32::try_from(row).unwrap_or(0))
            }
            Leaves::Sparse { ranges, .. } => {
                ranges.push(range.clone());
                T::pack(u32::try_from(ranges.len() - 1).unwrap_or(0))
            }
        }
    }

    /// Rewrites a decision to "less or equal" or "equal", and gives its children in the new order.
    ///
    /// `v > t` is not `v ≤ t` except for NaN, for which both fail: so where the children change places,
    /// the side that NaN takes is turned around. `v < t` is `v ≤ t'` with `t'` the next float below.
    fn branch(&mut self, branch: &Branch) -> (TreeNode<T>, [usize; 2]) {
        let threshold = T::from_f64(branch.threshold);
        let (value, flag, swapped) = match branch.mode {
            Mode::LessOrEqual => (threshold, 0, false),
            Mode::Less => (threshold.below(), 0, false),
            Mode::Greater => (threshold, 0, true),
            Mode::GreaterOrEqual => (threshold.below(), 0, true),
            Mode::Equal => (threshold, EQUAL, false),
            Mode::NotEqual => (threshold, EQUAL, true),
        };
        let missing_holds = match branch.mode {
            // NaN differs from everything: it takes the side of "differs", whatever the file says.
            Mode::NotEqual => false,
            _ => branch.missing_holds != swapped,
        };
        let children = if swapped { [branch.holds, branch.fails] } else { [branch.fails, branch.holds] };
        self.features = self.features.max(branch.feature as usize + 1);
        self.has_missing |= missing_holds;
        self.has_equal |= flag != 0;
        let feature = branch.feature | flag | if missing_holds { MISSING_HOLDS } else { 0 };
        (TreeNode { value, feature, children: [0; 2] }, children)
    }

    pub(crate) const fn tree_count(&self) -> usize {
        self.trees.len()
    }

    /// Walks every row through every tree and calls `leaf` with the row's number and the value of the
    /// leaf; for each row in the order of the trees. `width` is the length of a row, at least
    /// [`Ensemble::features`].
    pub(crate) fn walk(&self, rows: &[T], width: usize, leaf: impl FnMut(usize, T)) {
        match (self.has_missing, self.has_equal) {
            (false, false) => self.walk_as::<false, false>(rows, width, leaf),
            (true, false) => self.walk_as::<true, false>(rows, width, leaf),
            (_, true) => self.walk_as::<true, true>(rows, width, leaf),
        }
    }

    fn walk_as<const MISSING: bool, const EQUALS: bool>(
        &self,
        rows: &[T],
        width: usize,
        mut leaf: impl FnMut(usize, T),
    ) {
        for (block_at, block) in rows.chunks(width * BLOCK).enumerate() {
            let groups = block.chunks_exact(width * LANES);
            let rest = groups.remainder();
            let done = block.len() / width / LANES * LANES;
            if done > 0 {
                for &(root, depth) in &self.trees {
                    for (group_at, group) in groups.clone().enumerate() {
                        let lanes: [&[T]; LANES] = std::array::from_fn(|lane| {
                            group.get(lane * width..(lane + 1) * width).unwrap_or_default()
                        });
                        let ends = self.descend::<MISSING, EQUALS, _>([root; LANES], lanes, depth);
                        for (lane, end) in ends.into_iter().enumerate() {
                            leaf(block_at * BLOCK + group_at * LANES + lane, self.value(end));
                        }
                    }
                }
            }
            for (index, row) in rest.chunks_exact(width).enumerate() {
                self.walk_row::<MISSING, EQUALS>(row, |value| leaf(block_at * BLOCK + done + index, value));
            }
        }
    }

    /// One row: several trees side by side.
    fn walk_row<const MISSING: bool, const EQUALS: bool>(&self, row: &[T], mut leaf: impl FnMut(T)) {
        let (groups, rest) = self.trees.as_chunks::<LANES>();
        for group in groups {
            let depth = group.iter().fold(0, |depth, tree| depth.max(tree.1));
            let ends = self.descend::<MISSING, EQUALS, _>(group.map(|(root, _)| root), [row; LANES], depth);
            for end in ends {
                leaf(self.value(end));
            }
        }
        for &(root, depth) in rest {
            let [end] = self.descend::<MISSING, EQUALS, _>([root], [row], depth);
            leaf(self.value(end));
        }
    }

    /// Goes down from `N` nodes with `N` rows, for at most `depth` steps.
    #[inline]
    fn descend<const MISSING: bool, const EQUALS: bool, const N: usize>(
        &self,
        mut at: [u32; N],
        rows: [&[T]; N],
        depth: u32,
    ) -> [u32; N] {
        let mut left = depth;
        while left > 0 {
            let before = at;
            for _ in 0..left.min(STRIDE) {
                for (at, row) in at.iter_mut().zip(&rows) {
                    *at = self.step::<MISSING, EQUALS>(*at, row);
                }
            }
            if at == before {
                break;
            }
            left = left.saturating_sub(STRIDE);
        }
        at
    }

    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy operator would be a branch to mispredict")]
    fn step<const MISSING: bool, const EQUALS: bool>(&self, at: u32, row: &[T]) -> u32 {
        // Both lookups succeed: the layout links existing nodes only, and the rows are wide enough.
        let Some(node) = self.nodes.get(at as usize) else { return at };
        let Some(&value) = row.get((node.feature & MAX_FEATURE) as usize) else { return at };
        let mut holds = value <= node.value;
        if EQUALS {
            holds &= (node.feature & EQUAL == 0) | (value >= node.value);
        }
        if MISSING {
            holds |= value.is_nan() & (node.feature & MISSING_HOLDS != 0);
        }
        node.children[usize::from(holds)]
    }

    #[inline]
    fn value(&self, at: u32) -> T {
        self.nodes.get(at as usize).map_or(T::ZERO, |node| node.value)
    }
}

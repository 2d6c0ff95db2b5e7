//! Where the steps of a pipeline stand in its picture.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

const BOX: (u32, u32) = (168, 46);
const GAP: (u32, u32) = (44, 16);
const MARGIN: u32 = 4;

/// A box.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Which step: its position in the input.
    pub(crate) index: usize,
    pub(crate) x: u32,
    pub(crate) y: u32,
}

/// The picture: boxes, the paths between them, and how large it is.
pub(crate) struct Layout {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) boxes: Vec<Placed>,
    pub(crate) edges: Vec<String>,
}

impl Layout {
    pub(crate) const BOX_WIDTH: u32 = BOX.0;
    pub(crate) const BOX_HEIGHT: u32 = BOX.1;

    /// Puts each node one column after the last that it needs (longest-path layering), and orders columns
    /// by the mean place of what their nodes need (barycentre), as Sugiyama et al. 1981 do.
    ///
    /// `edges` are pairs (before, after) of positions below `nodes`; others, and cycles, are left out.
    pub(crate) fn of(nodes: usize, edges: &[(usize, usize)]) -> Self {
        let mut graph = DiGraph::<(), ()>::new();
        let indices: Vec<NodeIndex> = (0..nodes).map(|_| graph.add_node(())).collect();
        for (before, after) in edges {
            if let (Some(before), Some(after)) = (indices.get(*before), indices.get(*after)) {
                graph.update_edge(*before, *after, ());
            }
        }
        let order = toposort(&graph, None).unwrap_or_else(|_| indices.clone());
        let mut columns: BTreeMap<usize, Vec<NodeIndex>> = BTreeMap::new();
        let mut column_of = vec![0_usize; nodes];
        for node in &order {
            let needs = graph.neighbors_directed(*node, Direction::Incoming);
            let column =
                needs.filter_map(|need| column_of.get(need.index()).map(|c| c + 1)).max().unwrap_or(0);
            if let Some(place) = column_of.get_mut(node.index()) {
                *place = column;
            }
            columns.entry(column).or_default().push(*node);
        }
        let mut place = vec![(0_u32, 0_u32); nodes];
        let tallest = columns.values().map(Vec::len).max().unwrap_or(0);
        for (column, members) in &mut columns {
            let mean = |node: &NodeIndex| {
                let needs: Vec<u32> = graph
                    .neighbors_directed(*node, Direction::Incoming)
                    .filter_map(|need| place.get(need.index()).map(|(_, y)| *y))
                    .collect();
                (needs.iter().sum::<u32>() / u32::try_from(needs.len().max(1)).unwrap_or(1), node.index())
            };
            members.sort_by_key(mean);
            let free = as_u32(tallest - members.len()) * (BOX.1 + GAP.1) / 2;
            for (row, node) in members.iter().enumerate() {
                let x = MARGIN + as_u32(*column) * (BOX.0 + GAP.0);
                let y = MARGIN + free + as_u32(row) * (BOX.1 + GAP.1);
                if let Some(slot) = place.get_mut(node.index()) {
                    *slot = (x, y);
                }
            }
        }
        let paths = graph.edge_indices().filter_map(|edge| {
            let (before, after) = graph.edge_endpoints(edge)?;
            Some(curve(*place.get(before.index())?, *place.get(after.index())?))
        });
        let (wide, tall) = (as_u32(columns.len()), as_u32(tallest));
        Self {
            width: 2 * MARGIN + (wide * (BOX.0 + GAP.0)).saturating_sub(GAP.0),
            height: 2 * MARGIN + (tall * (BOX.1 + GAP.1)).saturating_sub(GAP.1),
            edges: paths.collect(),
            boxes: place.iter().enumerate().map(|(index, (x, y))| Placed { index, x: *x, y: *y }).collect(),
        }
    }
}

fn as_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX / 1_000)
}

/// From the right of one box to the left of another.
fn curve(from: (u32, u32), to: (u32, u32)) -> String {
    let (x0, y0) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
    let (x1, y1) = (to.0, to.1 + BOX.1 / 2);
    let bend = GAP.0 / 2;
    format!("M{x0} {y0}C{} {y0} {} {y1} {x1} {y1}", x0 + bend, x1.saturating_sub(bend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_stands_after_all_that_it_needs() {
        // 0 → 2, 1 → 2, 2 → 3, 0 → 3
        let layout = Layout::of(4, &[(0, 2), (1, 2), (2, 3), (0, 3)]);
        let x = |index: usize| layout.boxes.iter().find(|placed| placed.index == index).unwrap().x;
        assert!(x(0) == x(1) && x(1) < x(2) && x(2) < x(3));
        assert_eq!(layout.edges.len(), 4);
        let mut places: Vec<_> = layout.boxes.iter().map(|placed| (placed.x, placed.y)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 4, "no two boxes lie on each other");
        assert!(layout.boxes.iter().all(|b| b.x + BOX.0 <= layout.width && b.y + BOX.1 <= layout.height));
    }

    #[test]
    fn nothing_and_nonsense_are_drawn_as_they_are() {
        assert_eq!(Layout::of(0, &[]).boxes, []);
        assert_eq!(Layout::of(2, &[(0, 1), (1, 0), (0, 9)]).boxes.len(), 2);
    }
}

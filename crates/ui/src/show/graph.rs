//! Where the steps of a pipeline stand in its picture.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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

    /// Puts each node one column after the last that it needs (longest-path layering), gives edges that
    /// pass by other columns a row of their own there, and orders columns by the mean place of what their
    /// members need (barycentre), as Sugiyama et al. 1981 do.
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
        let mut column_of = columns(&graph);
        let ways = threaded(&mut graph, &mut column_of);
        let mut members: BTreeMap<usize, Vec<NodeIndex>> = BTreeMap::new();
        for node in graph.node_indices() {
            members.entry(column_of.get(node.index()).copied().unwrap_or(0)).or_default().push(node);
        }
        let tallest = members.values().map(Vec::len).max().unwrap_or(0);
        let mut place = vec![(0_u32, 0_u32); graph.node_count()];
        for (column, members) in &mut members {
            members.sort_by_key(|node| (mean_place(&graph, &place, *node), node.index()));
            let free = as_u32(tallest - members.len()) * (BOX.1 + GAP.1) / 2;
            for (row, node) in members.iter().enumerate() {
                let x = MARGIN + as_u32(*column) * (BOX.0 + GAP.0);
                let y = MARGIN + free + as_u32(row) * (BOX.1 + GAP.1);
                if let Some(slot) = place.get_mut(node.index()) {
                    *slot = (x, y);
                }
            }
        }
        let (wide, tall) = (as_u32(members.len()), as_u32(tallest));
        let boxes = place.iter().take(nodes).enumerate();
        Self {
            width: 2 * MARGIN + (wide * (BOX.0 + GAP.0)).saturating_sub(GAP.0),
            height: 2 * MARGIN + (tall * (BOX.1 + GAP.1)).saturating_sub(GAP.1),
            edges: ways.iter().map(|way| path(way, &place)).collect(),
            boxes: boxes.map(|(index, (x, y))| Placed { index, x: *x, y: *y }).collect(),
        }
    }
}

/// The column of each node.
fn columns(graph: &DiGraph<(), ()>) -> Vec<usize> {
    let order = toposort(graph, None).unwrap_or_else(|_| graph.node_indices().collect());
    let mut column_of = vec![0_usize; graph.node_count()];
    for node in order {
        let needs = graph.neighbors_directed(node, Direction::Incoming);
        let column = needs.filter_map(|need| column_of.get(need.index()).map(|c| c + 1)).max().unwrap_or(0);
        if let Some(place) = column_of.get_mut(node.index()) {
            *place = column;
        }
    }
    column_of
}

/// The nodes that each edge goes through: an edge over several columns gets a node without a box in each.
fn threaded(graph: &mut DiGraph<(), ()>, column_of: &mut Vec<usize>) -> Vec<Vec<NodeIndex>> {
    let edges: Vec<_> = graph.edge_indices().filter_map(|edge| graph.edge_endpoints(edge)).collect();
    let mut ways = Vec::with_capacity(edges.len());
    for (before, after) in edges {
        let column = |node: NodeIndex| column_of.get(node.index()).copied().unwrap_or(0);
        let mut way = vec![before];
        for between in column(before) + 1..column(after) {
            let node = graph.add_node(());
            column_of.push(between);
            if let Some(last) = way.last() {
                graph.add_edge(*last, node, ());
            }
            way.push(node);
        }
        way.push(after);
        ways.push(way);
    }
    ways
}

fn mean_place(graph: &DiGraph<(), ()>, place: &[(u32, u32)], node: NodeIndex) -> u32 {
    let needs = graph.neighbors_directed(node, Direction::Incoming);
    let rows: Vec<u32> = needs.filter_map(|need| place.get(need.index()).map(|(_, y)| *y)).collect();
    rows.iter().sum::<u32>() / as_u32(rows.len().max(1))
}

fn as_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX / 1_000)
}

/// From the right of the first box over the rows between to the left of the last.
fn path(way: &[NodeIndex], place: &[(u32, u32)]) -> String {
    let bend = GAP.0 / 2;
    let mut text = String::new();
    for (at, node) in way.iter().enumerate() {
        let Some((x, y)) = place.get(node.index()).copied() else { continue };
        let (left, right, middle) = (x, x + BOX.0, y + BOX.1 / 2);
        if at > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, " {} {middle} {left} {middle}", left.saturating_sub(bend));
        }
        if at + 1 < way.len() {
            let start = if at == 0 { "M" } else { "L" };
            let _ = write!(text, "{start}{right} {middle}C{} {middle}", right + bend);
        }
    }
    text
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

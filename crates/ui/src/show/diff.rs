//! What differs between two texts: by lines, and by words within lines that were changed.

/// Most cells of the table that compares lines, and of all those that compare words within them; beyond, all of the one
/// is gone and all of the other new.
const MOST_CELLS: usize = 4_000_000;
/// Lines that are shown around a change.
const AROUND: usize = 3;

/// A step from the one list to the other, with places in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Same(usize, usize),
    Gone(usize),
    New(usize),
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Same(String),
    Gone(String),
    New(String),
}

/// A line of the comparison; numbers count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DiffLine {
    Same {
        old: usize,
        new: usize,
        text: String,
    },
    Gone {
        old: usize,
        pieces: Vec<Piece>,
    },
    New {
        new: usize,
        pieces: Vec<Piece>,
    },
    /// So many lines that are the same are left out.
    Between(usize),
}

/// The shortest way from the one list to the other: its longest common subsequence by dynamic programming, as far as
/// there are `cells` left for its table.
fn steps<T: PartialEq>(old: &[T], new: &[T], cells: &mut usize) -> Vec<Step> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let a = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let b = new_rest.get(..new_rest.len() - tail).unwrap_or_default();
    let mut way: Vec<Step> = (0..head).map(|at| Step::Same(at, at)).collect();
    let width = b.len() + 1;
    let taken = (a.len() + 1).saturating_mul(width);
    if taken > *cells {
        way.extend((0..a.len()).map(|at| Step::Gone(head + at)));
        way.extend((0..b.len()).map(|at| Step::New(head + at)));
    } else {
        // How long the longest common subsequence of the rests is, from each pair of places on.
        *cells -= taken;
        let mut common = vec![0_u32; taken];
        for (i, one) in a.iter().enumerate().rev() {
            for (j, other) in b.iter().enumerate().rev() {
                let at = i * width + j;
                common[at] = if one == other {
                    common[at + width + 1] + 1
                } else {
                    common[at + width].max(common[at + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            let at = i * width + j;
            if i < a.len() && j < b.len() && a[i] == b[j] {
                way.push(Step::Same(head + i, head + j));
                i += 1;
                j += 1;
            } else if j == b.len() || (i < a.len() && common[at + width] >= common[at + 1]) {
                way.push(Step::Gone(head + i));
                i += 1;
            } else {
                way.push(Step::New(head + j));
                j += 1;
            }
        }
    }
    way.extend((0..tail).map(|at| Step::Same(old.len() - tail + at, new.len() - tail + at)));
    way
}

/// Compares two texts. Nothing if they are the same.
pub(crate) fn lines(old: &str, new: &str) -> Vec<DiffLine> {
    if old == new {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut drawn = Vec::new();
    let (mut gone, mut fresh) = (Vec::new(), Vec::new());
    let (mut of_lines, mut of_words) = (MOST_CELLS, MOST_CELLS);
    for step in steps(&old, &new, &mut of_lines) {
        match step {
            Step::Gone(at) => gone.push(at),
            Step::New(at) => fresh.push(at),
            Step::Same(i, j) => {
                changed(&mut drawn, (&old, &new), (&gone, &fresh), &mut of_words);
                gone.clear();
                fresh.clear();
                let text = old.get(i).copied().unwrap_or_default().to_owned();
                drawn.push(DiffLine::Same { old: i + 1, new: j + 1, text });
            }
        }
    }
    changed(&mut drawn, (&old, &new), (&gone, &fresh), &mut of_words);
    folded(drawn)
}

/// Lines that gave way to others: those that stand at the same place are compared by words.
fn changed(
    drawn: &mut Vec<DiffLine>,
    (old, new): (&[&str], &[&str]),
    (gone, fresh): (&[usize], &[usize]),
    cells: &mut usize,
) {
    let text = |all: &[&str], at: usize| all.get(at).copied().unwrap_or_default().to_owned();
    let pairs: Vec<(Vec<Piece>, Vec<Piece>)> =
        gone.iter().zip(fresh).map(|(i, j)| words(&text(old, *i), &text(new, *j), cells)).collect();
    for (place, at) in gone.iter().enumerate() {
        let pieces =
            pairs.get(place).map_or_else(|| vec![Piece::Gone(text(old, *at))], |pair| pair.0.clone());
        drawn.push(DiffLine::Gone { old: at + 1, pieces });
    }
    for (place, at) in fresh.iter().enumerate() {
        let pieces = pairs.get(place).map_or_else(|| vec![Piece::New(text(new, *at))], |pair| pair.1.clone());
        drawn.push(DiffLine::New { new: at + 1, pieces });
    }
}

/// Both lines in pieces. Lines that have little in common are told as a whole.
fn words(old: &str, new: &str, cells: &mut usize) -> (Vec<Piece>, Vec<Piece>) {
    let (a, b) = (tokens(old), tokens(new));
    let way = steps(&a, &b, cells);
    let same = |step: &&Step| matches!(step, Step::Same(at, _) if a.get(*at).is_some_and(|word| !word.trim().is_empty()));
    let least = a.len().min(b.len());
    if way.iter().filter(same).count() * 4 < least {
        return (vec![Piece::Gone(old.to_owned())], vec![Piece::New(new.to_owned())]);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for step in way {
        match step {
            Step::Same(i, j) => {
                push(&mut left, Piece::Same(a.get(i).copied().unwrap_or_default().to_owned()));
                push(&mut right, Piece::Same(b.get(j).copied().unwrap_or_default().to_owned()));
            }
            Step::Gone(i) => push(&mut left, Piece::Gone(a.get(i).copied().unwrap_or_default().to_owned())),
            Step::New(j) => push(&mut right, Piece::New(b.get(j).copied().unwrap_or_default().to_owned())),
        }
    }
    (left, right)
}

/// Puts a piece behind others, to the last one if it is of the same kind.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match (pieces.last_mut(), piece) {
        (Some(Piece::Same(text)), Piece::Same(more))
        | (Some(Piece::Gone(text)), Piece::Gone(more))
        | (Some(Piece::New(text)), Piece::New(more)) => text.push_str(&more),
        (_, piece) => pieces.push(piece),
    }
}

/// Words, stretches of white space, and any other character by itself.
fn tokens(line: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let (mut found, mut start, mut last) = (Vec::new(), 0, None);
    for (at, c) in line.char_indices() {
        let now = kind(c);
        if last.is_some_and(|last| last != now || now == 2) {
            found.extend(line.get(start..at));
            start = at;
        }
        last = Some(now);
    }
    found.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    found
}

/// Leaves out lines that are the same and far from any change.
fn folded(all: Vec<DiffLine>) -> Vec<DiffLine> {
    let is_same = |line: &DiffLine| matches!(line, DiffLine::Same { .. });
    let changes: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| !is_same(line)).map(|(at, _)| at).collect();
    let is_near = |at: usize| {
        let behind = changes.partition_point(|change| *change < at);
        let near = |change: Option<&usize>| change.is_some_and(|change| change.abs_diff(at) <= AROUND);
        near(changes.get(behind)) || behind.checked_sub(1).is_some_and(|before| near(changes.get(before)))
    };
    let (mut kept, mut left_out) = (Vec::new(), 0);
    for (at, line) in all.into_iter().enumerate() {
        if is_near(at) {
            if left_out > 0 {
                kept.push(DiffLine::Between(left_out));
                left_out = 0;
            }
            kept.push(line);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        kept.push(DiffLine::Between(left_out));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) -> Piece {
        Piece::Same(text.to_owned())
    }

    #[test]
    fn words_are_told_within_lines() {
        let drawn = lines("You are a helpful bot.\nSay {{x}}", "You are a terse bot.\nSay {{x}}");
        let gone = vec![same("You are a "), Piece::Gone("helpful".into()), same(" bot.")];
        let new = vec![same("You are a "), Piece::New("terse".into()), same(" bot.")];
        assert_eq!(
            drawn,
            [
                DiffLine::Gone { old: 1, pieces: gone },
                DiffLine::New { new: 1, pieces: new },
                DiffLine::Same { old: 2, new: 2, text: "Say {{x}}".into() },
            ]
        );
        assert!(lines("a", "a").is_empty());
        let unlike = lines("one two three four", "completely other");
        assert_eq!(
            unlike[0],
            DiffLine::Gone { old: 1, pieces: vec![Piece::Gone("one two three four".into())] }
        );
    }

    #[test]
    fn far_lines_are_left_out() {
        let old: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new.insert(15, "x".into());
        let drawn = lines(&old.join("\n"), &new.join("\n"));
        assert_eq!((&drawn[0], drawn.last()), (&DiffLine::Between(12), Some(&DiffLine::Between(12))));
        assert_eq!(drawn.len(), 2 + 6 + 1);
        assert!(drawn.contains(&DiffLine::New { new: 16, pieces: vec![Piece::New("x".into())] }));
    }

    #[test]
    fn a_way_leads_from_the_one_to_the_other() {
        let (old, new): (Vec<char>, Vec<char>) = ("ABCABBA".chars().collect(), "CBABAC".chars().collect());
        let way = steps(&old, &new, &mut 1_000);
        let told: String = way
            .iter()
            .filter_map(|step| match step {
                Step::Same(_, j) | Step::New(j) => Some(new[*j]),
                Step::Gone(_) => None,
            })
            .collect();
        assert_eq!(told, "CBABAC");
        let kept = way.iter().filter(|step| matches!(step, Step::Same(..))).count();
        assert_eq!(kept, 4, "Myers, 'An O(ND) Difference Algorithm', figure 1");
        let many: Vec<u32> = (0..3_000).collect();
        let others: Vec<u32> = (3_000..6_000).collect();
        assert_eq!(steps(&many, &others, &mut { MOST_CELLS }).len(), 6_000);
    }

    #[test]
    fn long_lines_are_compared_by_words_as_far_as_there_is_room() {
        let line = |first: usize, last: usize| {
            let middle: Vec<String> = (0..400).map(|n| format!("w{n}")).collect();
            format!("a{first} {} z{last}", middle.join(" "))
        };
        let text = |of: usize| (0..12).map(|n| line(of + n, of + n)).collect::<Vec<_>>().join("\n");
        let drawn = lines(&text(0), &text(100));
        let pieces = |line: &DiffLine| match line {
            DiffLine::Gone { pieces, .. } => Some(pieces.len()),
            _ => None,
        };
        let gone: Vec<usize> = drawn.iter().filter_map(pieces).collect();
        assert_eq!((gone.first(), gone.last(), gone.len()), (Some(&3), Some(&1), 12));
    }
}

//! Statements over several rows, or over a list of keys: one round trip where there would be many.
//!
//! A statement is written once, for one row or one key; here it is spelled for more of them. The numbers are powers of
//! two, so that a database has few texts to keep prepared.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use mainstay_core::error::StorageError;

use crate::tx::StoreTx;
use crate::value::{Row, Value};

/// Most rows, and most keys, of one statement.
const MOST: usize = 32;

/// What a statement is spelled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Several {
    /// So many rows behind `VALUES`.
    Rows(usize),
    /// So many keys in `IN`.
    Keys(usize),
}

/// The spelled texts, by the address of what they were written as. They are never given back: there are six of each
/// statement at most.
static TEXTS: LazyLock<Mutex<HashMap<(usize, Several), &'static str>>> = LazyLock::new(Mutex::default);

impl StoreTx {
    /// Runs a statement of the form `INSERT … VALUES ($1, …, $N) …` for each row. On conflict it may update, and no two
    /// rows may then have the same key.
    pub(crate) async fn execute_rows<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value; N]],
    ) -> Result<(), StorageError> {
        let mut left = rows;
        while let Some((some, more)) = split(left) {
            self.execute(text(sql, Several::Rows(some.len()), N)?, some.as_flattened()).await?;
            left = more;
        }
        Ok(())
    }

    /// The same for a statement that returns something of each row; in which order is not said.
    pub(crate) async fn query_rows<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value; N]],
    ) -> Result<Vec<Row>, StorageError> {
        let (mut left, mut answer) = (rows, Vec::with_capacity(rows.len()));
        while let Some((some, more)) = split(left) {
            answer.extend(self.query(text(sql, Several::Rows(some.len()), N)?, some.as_flattened()).await?);
            left = more;
        }
        Ok(answer)
    }

    /// Runs a query whose condition ends in `IN ($n)`, the last parameter, for a list of keys.
    pub(crate) async fn query_keys(
        &mut self,
        sql: &'static str,
        fixed: &[Value],
        keys: &[&str],
    ) -> Result<Vec<Row>, StorageError> {
        let mut answer = Vec::with_capacity(keys.len());
        for some in keys.chunks(MOST) {
            let size = some.len().next_power_of_two();
            let mut values = fixed.to_vec();
            values.extend(some.iter().map(|key| Value::from(*key)));
            // What is left over asks for the first key again.
            values.resize(fixed.len() + size, some.first().map_or(Value::Null, |key| Value::from(*key)));
            answer.extend(self.query(text(sql, Several::Keys(size), fixed.len() + 1)?, &values).await?);
        }
        Ok(answer)
    }
}

/// The rows of the next statement, and those behind.
fn split<T>(rows: &[T]) -> Option<(&[T], &[T])> {
    let power = rows.len().checked_ilog2()?;
    Some(rows.split_at((1 << power).min(MOST)))
}

/// A statement with `width` parameters, spelled for several.
fn text(sql: &'static str, several: Several, width: usize) -> Result<&'static str, StorageError> {
    if matches!(several, Several::Rows(1) | Several::Keys(1)) {
        return Ok(sql);
    }
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (sql.as_ptr().addr(), several);
    if let Some(known) = texts.get(&key) {
        return Ok(known);
    }
    let spelled = match several {
        Several::Rows(count) => for_rows(sql, count, width),
        Several::Keys(count) => for_keys(sql, count, width),
    };
    let spelled = spelled.ok_or_else(|| StorageError::Failed(format!("not for several: {sql}").into()))?;
    let spelled: &'static str = spelled.leak();
    texts.insert(key, spelled);
    Ok(spelled)
}

fn for_rows(sql: &str, count: usize, width: usize) -> Option<String> {
    let (head, rest) = sql.split_once("VALUES (")?;
    let mut depth = 1_usize;
    let close = rest.char_indices().find_map(|(at, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let (row, tail) = rest.split_at(close);
    let rows: Vec<String> = (0..count).map(|index| format!("({})", moved(row, index * width))).collect();
    Some(format!("{head}VALUES {}{}", rows.join(", "), tail.strip_prefix(')')?))
}

/// A row's text with its parameters moved on.
fn moved(row: &str, by: usize) -> String {
    let mut parts = row.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    let moved = parts.map(|part| {
        let digits = part.len() - part.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        format!("${}{rest}", number.parse::<usize>().unwrap_or_default() + by)
    });
    std::iter::once(first).chain(moved).collect()
}

fn for_keys(sql: &str, count: usize, width: usize) -> Option<String> {
    let (head, tail) = sql.split_once(&format!("IN (${width})"))?;
    let keys: Vec<String> = (width..width + count).map(|number| format!("${number}")).collect();
    Some(format!("{head}IN ({}){tail}", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_spelled_for_several_rows() {
        let sql = "INSERT INTO t (a, n, b) VALUES ($1, (SELECT MAX(n) FROM t WHERE a = $1), $2) \
            ON CONFLICT (a) DO UPDATE SET b = excluded.b";
        let two = "INSERT INTO t (a, n, b) VALUES ($1, (SELECT MAX(n) FROM t WHERE a = $1), $2), \
            ($3, (SELECT MAX(n) FROM t WHERE a = $3), $4) ON CONFLICT (a) DO UPDATE SET b = excluded.b";
        assert_eq!(text(sql, Several::Rows(1), 2).unwrap(), sql);
        assert_eq!(text(sql, Several::Rows(2), 2).unwrap(), two);
        assert_eq!(
            text(sql, Several::Rows(2), 2).unwrap().as_ptr(),
            text(sql, Several::Rows(2), 2).unwrap().as_ptr()
        );
        assert!(text("DELETE FROM t WHERE a = $1", Several::Rows(2), 1).is_err());
    }

    #[test]
    fn a_query_is_spelled_for_several_keys() {
        let sql = "SELECT a FROM t WHERE b = $1 AND a IN ($2)";
        assert_eq!(
            text(sql, Several::Keys(4), 2).unwrap(),
            "SELECT a FROM t WHERE b = $1 AND a IN ($2, $3, $4, $5)"
        );
        assert!(text("SELECT a FROM t WHERE a = $1", Several::Keys(4), 1).is_err());
    }

    #[test]
    fn rows_go_in_powers_of_two() {
        let rows = [0_u8; 77];
        let (mut left, mut sizes) = (&rows[..], Vec::new());
        while let Some((some, more)) = split(left) {
            sizes.push(some.len());
            left = more;
        }
        assert_eq!(sizes, [32, 32, 8, 4, 1]);
    }
}

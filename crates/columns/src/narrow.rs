//! Which rows pass a filter, where a test looks at a whole list of rows at once.

use mainstay_core::search::Filter;

/// Leaves the rows that pass; they are ascending, and stay so. `test` leaves those that pass one test.
pub fn narrow<T>(rows: &mut Vec<u32>, filter: &Filter<T>, test: &impl Fn(&mut Vec<u32>, &T)) {
    if rows.is_empty() {
        return;
    }
    match filter {
        Filter::All(parts) => parts.iter().for_each(|part| narrow(rows, part, test)),
        Filter::Any(parts) => {
            // What one part lets through the others need not look at.
            let mut failed = rows.clone();
            for part in parts {
                remove(&mut failed, part, test);
            }
            subtract(rows, &failed);
        }
        Filter::Not(inner) => remove(rows, inner, test),
        Filter::Test(one) => test(rows, one),
    }
}

/// Leaves the rows that do not pass.
fn remove<T>(rows: &mut Vec<u32>, filter: &Filter<T>, test: &impl Fn(&mut Vec<u32>, &T)) {
    let mut passed = rows.clone();
    narrow(&mut passed, filter, test);
    subtract(rows, &passed);
}

/// Takes away rows; both lists are ascending.
fn subtract(rows: &mut Vec<u32>, others: &[u32]) {
    let mut others = others.iter().copied().peekable();
    rows.retain(|row| {
        while others.next_if(|other| other < row).is_some() {}
        others.peek() != Some(row)
    });
}

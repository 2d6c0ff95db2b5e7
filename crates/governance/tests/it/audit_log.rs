//! Tampers with a log in every way that `LogCheck` must name.

use mainstay_core::digest::Digest;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{
    Difference, ERASED, Entry, Frontier, Head, HeadOrigin, Heads, LogCheck, Report, SigningKey, StoredEvent,
    body_digest, draw_salt,
};

struct Log {
    rows: Vec<StoredEvent>,
    heads: Heads,
}

/// Forty events; event 30 records the erasure of event 5; signed heads at 10, 20 and 40.
fn log() -> Log {
    let entropy = SeededEntropy::new(3);
    let key = SigningKey::generate(&entropy);
    let (mut frontier, mut rows, mut signed) = (Frontier::new(), Vec::new(), Vec::new());
    for seq in 1..=40 {
        let (kind, body) = if seq == 30 {
            (ERASED, r#"{"seq":5}"#.to_owned())
        } else {
            ("run.created", format!(r#"{{"n":{seq}}}"#))
        };
        let salt = draw_salt(&entropy);
        let mut row = StoredEvent {
            seq: EventSeq(seq),
            at: MachineTime::from_micros(i64::try_from(seq).unwrap() * 10),
            kind: kind.to_owned(),
            actor: "user:alice".to_owned(),
            workspace: "default".to_owned(),
            subject: format!("run:{seq}"),
            body_digest: body_digest(&salt, &body),
            body: Some(body),
            salt: Some(salt),
            leaf: body_digest(&salt, ""),
        };
        row.leaf = leaf(&row);
        frontier.append(row.leaf);
        let head = Head { size: seq, root: frontier.root(), time: row.at };
        if [10, 20, 40].contains(&seq) {
            signed.push(key.sign(head));
        }
        rows.push(row);
    }
    (rows[4].body, rows[4].salt) = (None, None);
    let stored = Some(Head { size: 40, root: frontier.root(), time: MachineTime::from_micros(400) });
    let external = signed.pop();
    Log { rows, heads: Heads { stored, signed, external, keys: vec![key.public()] } }
}

fn leaf(row: &StoredEvent) -> Digest {
    Entry {
        seq: row.seq,
        at: row.at,
        kind: &row.kind,
        actor: &row.actor,
        workspace: &row.workspace,
        subject: &row.subject,
        body: row.body_digest,
    }
    .leaf()
}

fn check(log: Log) -> Report {
    let mut check = LogCheck::new(log.heads);
    log.rows.iter().for_each(|row| check.row(row));
    check.finish()
}

fn first(change: impl FnOnce(&mut Log)) -> (u64, Difference) {
    let mut log = log();
    change(&mut log);
    let report = check(log);
    let fault = report.first().expect("the change must be found");
    assert!(!fault.to_string().is_empty());
    (fault.seq.0, fault.difference)
}

#[test]
fn a_good_log_is_good() {
    let report = check(log());
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.events, report.erased, report.proven), (40, 1, 40));
}

#[test]
fn one_changed_byte_in_one_body_is_named_and_nothing_else() {
    let mut log = log();
    log.rows[16].body = Some(r#"{"n":71}"#.to_owned());
    let report = check(log);
    assert_eq!(report.fault_count, 1);
    assert_eq!(report.first().map(|f| (f.seq, f.difference)), Some((EventSeq(17), Difference::Body)));
}

#[test]
fn each_field_is_protected() {
    for (index, change) in [
        (|row: &mut StoredEvent| row.actor = "user:mallory".to_owned()) as fn(&mut StoredEvent),
        |row| row.kind = "run.deleted".to_owned(),
        |row| row.workspace = "other".to_owned(),
        |row| row.subject = "run:99".to_owned(),
        |row| row.at = MachineTime::from_micros(1),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(first(|log| change(&mut log.rows[index])), (index as u64 + 1, Difference::Leaf));
    }
}

#[test]
fn a_consistent_rewrite_is_caught_by_the_next_head() {
    let rewrite = |log: &mut Log| {
        let row = &mut log.rows[14];
        row.body = Some("{}".to_owned());
        row.body_digest = body_digest(&row.salt.unwrap(), "{}");
        row.leaf = leaf(row);
    };
    let origin = HeadOrigin::Signed;
    assert_eq!(first(rewrite), (20, Difference::Root { origin, good_to: 10 }));

    // Without the heads beside the log, the one kept elsewhere still tells.
    let rewritten_store = |log: &mut Log| {
        rewrite(log);
        log.heads.signed.clear();
        log.heads.stored = None;
    };
    let origin = HeadOrigin::External;
    assert_eq!(first(rewritten_store), (40, Difference::Root { origin, good_to: 0 }));
}

#[test]
fn missing_repeated_and_cut_rows_are_named() {
    assert_eq!(first(|log| drop(log.rows.remove(11))), (12, Difference::Gap));
    assert_eq!(first(|log| drop(log.rows.remove(0))), (1, Difference::Gap));
    let repeat = |log: &mut Log| {
        let row = log.rows[11].clone();
        log.rows.insert(12, row);
    };
    assert_eq!(first(repeat), (12, Difference::Order));
    let origin = HeadOrigin::External;
    let cut = |log: &mut Log| {
        log.rows.truncate(35);
        log.heads.stored = None;
    };
    assert_eq!(first(cut), (36, Difference::Truncated { origin, size: 40 }));
}

#[test]
fn an_empty_body_needs_a_later_erasure_event() {
    let unexplained = |log: &mut Log| (log.rows[2].body, log.rows[2].salt) = (None, None);
    assert_eq!(first(unexplained), (3, Difference::Erased));
    // An earlier event cannot excuse it: event 30 names 5, not a later one.
    let forget_erasure = |log: &mut Log| (log.rows[29].body, log.rows[29].salt) = (None, None);
    assert_eq!(first(forget_erasure), (5, Difference::Erased));
    let body_without_salt = |log: &mut Log| log.rows[7].salt = None;
    assert_eq!(first(body_without_salt), (8, Difference::Body));
}

#[test]
fn only_known_keys_count() {
    let (size, origin) = (40, HeadOrigin::External);
    let strange = |log: &mut Log| {
        let key = SigningKey::generate(&SeededEntropy::new(9));
        let head = log.heads.external.take().unwrap().head;
        log.heads.external = Some(key.sign(head));
    };
    assert_eq!(first(strange), (size, Difference::Key { origin }));
    let forged = |log: &mut Log| log.heads.external.as_mut().unwrap().head.root = Digest::of(b"fork");
    assert_eq!(first(forged), (size, Difference::Signature { origin }));
}

#[test]
fn many_faults_are_counted_but_not_kept() {
    let mut log = log();
    log.rows.iter_mut().for_each(|row| row.actor.push('x'));
    let report = check(log);
    assert_eq!((report.fault_count, report.faults.len()), (40, 16));
}

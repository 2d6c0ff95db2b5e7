//! What must hold of any bytes that are sent as a filter, an order or a page token. The fuzz targets in `fuzz/` look for
//! bytes of which it does not; their corpora are replayed here.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::{PageRequest, PageToken};
use mainstay_core::scope::default_workspace;
use mainstay_core::search::{Comparison, Filter, SearchError, Term, parse_filter, parse_order};
use mainstay_evaluation::search::DatasetFilter;
use mainstay_traces::search::{TraceFilter, TraceOrder};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::{DatasetRef, Deadline, ListKey, RunIndex, RunSummary, Wanted};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::run::{Lifecycle, Run, RunStatus};
use mainstay_tracking::search::{
    ExperimentFilter, ExperimentOrder, LoggedModelFilter, RunFilter, RunGrouping, RunOrder, RunProjection,
    View,
};

/// A few runs that have something of everything.
static INDEX: LazyLock<RunIndex> = LazyLock::new(|| {
    let mut index = RunIndex::new();
    (0..40).for_each(|n| index.put(run(n)));
    index
});
static HERE: LazyLock<Name> = LazyLock::new(default_workspace);

fn run(n: u8) -> RunSummary {
    let values = [0.0, -0.0, 1.5, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let some = |key: &str, text: String| (!n.is_multiple_of(3)).then(|| (key.to_owned(), text));
    let metric = |at: u8| {
        let value = values[usize::from(n.wrapping_add(at)) % values.len()];
        (n % 4 != at).then(|| (format!("m{at}"), Latest { step: 1, timestamp_ms: 2, value }))
    };
    RunSummary {
        run: Run {
            id: RunId::from_bytes([n; 16]),
            experiment: ExperimentId(u64::from(n % 2)),
            name: format!("run-{n}"),
            user: "ann".to_owned(),
            status: RunStatus::ALL[usize::from(n) % RunStatus::ALL.len()],
            start_ms: i64::from(n / 2),
            end_ms: n.is_multiple_of(2).then_some(i64::from(n)),
            lifecycle: if n.is_multiple_of(7) { Lifecycle::Deleted } else { Lifecycle::Active },
            artifact_uri: format!("s3://a/{n}"),
        },
        workspace: default_workspace(),
        metrics: (0..4).filter_map(metric).collect(),
        params: some("p", "x".repeat(usize::from(n % 5))).into_iter().collect(),
        tags: some("a b", format!("é'\"{}", n % 4)).into_iter().collect(),
        datasets: Vec::from_iter(n.is_multiple_of(5).then(|| DatasetRef {
            name: "d".to_owned(),
            digest: "0".to_owned(),
            context: n.is_multiple_of(2).then(|| "train".to_owned()),
        })),
        is_attached: false,
    }
}

fn all(filter: &RunFilter) -> Wanted<'_> {
    Wanted {
        workspace: &HERE,
        experiments: &[ExperimentId(0), ExperimentId(1)],
        view: View::All,
        filter,
        deadline: Deadline::NONE,
    }
}

/// The runs found, all at once and page by page, which must be the same.
fn found(filter: &RunFilter, order: &RunOrder) -> Vec<RunId> {
    let (whole, total) = INDEX.search(&all(filter), order, &PageRequest::first(100)).unwrap();
    assert_eq!(whole.items.len(), total);
    let (mut paged, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let (one, _) = INDEX.search(&all(filter), order, &page).unwrap();
        paged.extend(one.items);
        let Some(next) = one.next else { break };
        page.after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(whole.items, paged);
    let key = ListKey {
        workspace: HERE.clone(),
        experiments: vec![ExperimentId(0), ExperimentId(1)],
        view: View::All,
        filter: filter.clone(),
        order: order.clone(),
    };
    assert_eq!(INDEX.list(&all(filter), key).unwrap().runs, paged);
    paged
}

fn read(text: &str) -> Result<Filter<Comparison>, SearchError> {
    parse_filter(text)?.try_map(&mut |term: Term| Ok(term.comparison))
}

/// A filter is read or refused; what is read is written so that it is read as the same; a run passes it or its
/// negation.
pub(crate) fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(parsed) = read(text) {
        let written = parsed.to_string();
        assert_eq!(read(&written), Ok(parsed), "{written}");
    }
    if let Ok(filter) = RunFilter::parse(text) {
        let order = RunOrder::default();
        let passed = found(&filter, &order);
        if let Ok(negated) = RunFilter::parse(&format!("NOT ({text})")) {
            let mut both: BTreeSet<RunId> = passed.iter().copied().collect();
            let failed = found(&negated, &order);
            assert_eq!(both.len() + failed.len(), INDEX.len());
            both.extend(failed);
            assert_eq!(both.len(), INDEX.len());
        }
    }
    drop(ExperimentFilter::parse(text));
    drop(LoggedModelFilter::parse(text, Vec::new()));
    drop(TraceFilter::parse(text));
    drop(DatasetFilter::new(BTreeSet::new(), text));
}

/// Orders, one a line, are read or refused, alone and together; what is read orders all runs.
pub(crate) fn order(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let texts: Vec<String> = text.lines().map(str::to_owned).collect();
    for text in &texts {
        if let Ok((column, ascending)) = parse_order(text) {
            assert_eq!(
                parse_order(&format!("{column} {}", if ascending { "ASC" } else { "DESC" })),
                Ok((column, ascending))
            );
        }
    }
    if let Ok(order) = RunOrder::parse(&texts) {
        assert_eq!(found(&RunFilter::default(), &order).len(), INDEX.len());
    }
    drop(ExperimentOrder::parse(&texts));
    drop(TraceOrder::parse(&texts));
    if let Ok(projection) = RunProjection::parse(&texts) {
        let run = INDEX.projected(RunId::from_bytes([1; 16]), &projection).unwrap();
        assert!(run.params.is_empty() || projection.params.has("p"));
    }
    let by = vec!["params.p".to_owned(), "status".to_owned()];
    if let Ok(grouping) = RunGrouping::parse(&by, &["metrics.m0".to_owned()], &texts) {
        let filter = RunFilter::default();
        let groups = INDEX.groups(&all(&filter), &RunOrder::default(), &grouping, (0, 100)).unwrap();
        let runs: u64 = groups.groups.iter().map(|group| group.runs).sum();
        assert_eq!(usize::try_from(runs).unwrap(), INDEX.len());
    }
}

/// A page token is followed or refused.
pub(crate) fn page_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Tokens are hexadecimal JSON, which a fuzzer finds sooner without the first half.
    let wrapped = serde_json::from_str(text).map(|key: serde_json::Value| PageToken::after(&key)).ok();
    for token in text.parse::<PageToken>().ok().into_iter().chain(wrapped) {
        let page = PageRequest { limit: 3, after: Some(token) };
        for order in ["", "metrics.m1 DESC", "params.p", "run_id"] {
            let order =
                RunOrder::parse(&Vec::from_iter((!order.is_empty()).then(|| order.to_owned()))).unwrap();
            let filter = RunFilter::default();
            if let Ok((page, total)) = INDEX.search(&all(&filter), &order, &page) {
                assert!(page.items.len() <= 3 && total == INDEX.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs every text of a target's corpus through it.
    fn replay(target: &str, run: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let files = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
        assert!(files.len() > 5, "{}", corpus.display());
        for file in &files {
            run(&fs::read(file).unwrap());
        }
    }

    #[test]
    fn the_corpora_are_replayed() {
        replay("filter", super::filter);
        replay("order", super::order);
        replay("page_token", super::page_token);
    }
}

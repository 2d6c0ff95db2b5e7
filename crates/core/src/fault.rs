//! Faults that can be planted, to see whether the tests notice.
//!
//! Each [`Fault`] breaks one promise at the place where the rule that keeps it lives; `make mutants` plants
//! them one after the other, and each time the tests must fail. Without the feature `planted-faults`, which
//! no crate asks for, [`is_planted`] is the constant `false`, and the compiler leaves nothing of them.

/// A promise broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Callers are answered before their group has committed.
    AnswerBeforeCommit,
    /// A worker that shows an old token is believed to hold the step's lease.
    TokenCheckDropped,
    /// The rows of a group are committed first, and its events after them, in a transaction of their own.
    EventAfterCommit,
    /// Nobody waits for the disk: the database does not, nor does the log that says `synced`.
    NoSync,
    /// A step whose result stands takes another one.
    DoubleAccept,
    /// Predictions of an hour, and versions of a label, count in the order in which they came.
    LabelsInArrivalOrder,
    /// Intervals are found by drawing rows, as if those of one day were independent.
    BootstrapOverRows,
    /// Point-in-time retrieval sees facts before they were known.
    CreatedCutoffOff,
    /// The verdict on one artifact counts for any other.
    VerdictUnbound,
    /// Predictions count before their labels' horizon has passed.
    ImmatureLabels,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 10] = [
        Self::AnswerBeforeCommit,
        Self::TokenCheckDropped,
        Self::EventAfterCommit,
        Self::NoSync,
        Self::DoubleAccept,
        Self::LabelsInArrivalOrder,
        Self::BootstrapOverRows,
        Self::CreatedCutoffOff,
        Self::VerdictUnbound,
        Self::ImmatureLabels,
    ];

    /// Its name in [`VARIABLE`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerBeforeCommit => "answer-before-commit",
            Self::TokenCheckDropped => "token-check-dropped",
            Self::EventAfterCommit => "event-after-commit",
            Self::NoSync => "no-sync",
            Self::DoubleAccept => "double-accept",
            Self::LabelsInArrivalOrder => "labels-in-arrival-order",
            Self::BootstrapOverRows => "bootstrap-over-rows",
            Self::CreatedCutoffOff => "created-cutoff-off",
            Self::VerdictUnbound => "verdict-unbound",
            Self::ImmatureLabels => "immature-labels",
        }
    }
}

/// The environment variable that names the fault to plant.
pub const VARIABLE: &str = "MAINSTAY_PLANT";

/// Whether a fault is planted: never, in this build.
#[cfg(not(feature = "planted-faults"))]
pub const fn is_planted(_: Fault) -> bool {
    false
}

// What nobody can plant costs nothing: this is decided while compiling.
#[cfg(not(feature = "planted-faults"))]
const _: () = assert!(!is_planted(Fault::NoSync));

/// Whether a fault is planted: whether [`VARIABLE`] names it.
///
/// # Panics
/// If it names none: tests of a fault that is not planted would prove nothing.
#[cfg(feature = "planted-faults")]
pub fn is_planted(fault: Fault) -> bool {
    static PLANTED: std::sync::LazyLock<Option<Fault>> = std::sync::LazyLock::new(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let named = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        #[expect(clippy::panic, reason = "only in a build that is made to break")]
        let Some(fault) = named else { panic!("{VARIABLE} names no fault: {name:?}") };
        Some(fault)
    });
    *PLANTED == Some(fault)
}

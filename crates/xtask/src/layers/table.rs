//! The layers, as data. `ARCHITECTURE.md` says why.

/// A crate of ours and what it may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer {
    /// The folder under `crates/`; the package is `mainstay-<folder>`.
    pub(crate) name: &'static str,
    /// Our crates that it may name.
    pub(crate) may: May,
    /// Rules without I/O: it may name none of [`OWNED`] unless listed there, and of tokio's features
    /// only [`TOKIO_IN_DOMAINS`].
    pub(crate) domain: bool,
}

/// Which of our crates a crate may name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum May {
    /// These.
    Only(&'static [&'static str]),
    /// The core, all domains, and these.
    Domains(&'static [&'static str]),
    /// All but the tools of development.
    All,
}

const fn domain(name: &'static str) -> Layer {
    Layer { name, may: May::Only(&["core"]), domain: true }
}

/// A domain whose searches read columns in memory.
const fn indexed(name: &'static str) -> Layer {
    Layer { name, may: May::Only(&["core", "columns"]), domain: true }
}

const fn adapter(name: &'static str, may: May) -> Layer {
    Layer { name, may, domain: false }
}

/// Every crate. One that is missing here is refused.
pub(crate) const LAYERS: &[Layer] = &[
    Layer { name: "core", may: May::Only(&[]), domain: true },
    // Not a domain: what the indexes of domains are made of.
    Layer { name: "columns", may: May::Only(&["core"]), domain: true },
    domain("data"),
    domain("demonstration"),
    domain("evaluation"),
    domain("features"),
    domain("gateway"),
    domain("governance"),
    domain("monitoring"),
    domain("pipelines"),
    domain("registry"),
    domain("retention"),
    domain("serving"),
    indexed("traces"),
    indexed("tracking"),
    adapter("onnx", May::Only(&[])),
    adapter("inference", May::Only(&["core", "serving", "onnx"])),
    // A model is reported with the figures that it is judged by later.
    adapter("training", May::Only(&["core", "monitoring", "onnx"])),
    adapter("segments", May::Only(&["core", "serving", "features"])),
    adapter("runner", May::Only(&["core", "pipelines"])),
    adapter("query", May::Domains(&[])),
    adapter("sql", May::Only(&["core"])),
    adapter("store", May::Domains(&["sql"])),
    adapter("objects", May::Only(&["core"])),
    adapter("api", May::Domains(&[])),
    adapter("mlflow", May::Domains(&["api"])),
    adapter("mlflow-gateway", May::Domains(&["api", "mlflow"])),
    adapter("mlflow-traces", May::Domains(&["api", "mlflow"])),
    // Pages are routes: they stand in the one table of routes, whose guards find the caller.
    adapter("ui", May::Domains(&["api"])),
    adapter("predictor", May::Domains(&["api", "inference", "query", "segments", "store"])),
    adapter("directory", May::Only(&["core", "gateway", "governance", "objects", "store"])),
    adapter(
        "platform",
        May::Domains(&["api", "directory", "mlflow", "objects", "predictor", "segments", "store"]),
    ),
    adapter("replay", May::Domains(&["query"])),
    adapter("scaffold", May::Domains(&["query"])),
    adapter("steps", May::Domains(&["inference", "platform", "predictor", "query", "segments", "training"])),
    adapter("webhooks", May::Domains(&["store"])),
    adapter("import", May::Domains(&["store"])),
    // A client of the HTTP API: it knows what is on the wire, and nothing of who answers.
    adapter("cli", May::Only(&["core"])),
    adapter("server", May::All),
    adapter(TESTKIT, May::All),
    // It plants the faults that the core names.
    adapter(XTASK, May::Only(&["core"])),
];

/// Who may name whom in its tests alone: the protocols are tested with a real evaluator behind them; one corpus of
/// filters is replayed against all who read some.
pub(crate) const TEST_ONLY: &[(&str, &str)] = &[
    ("api", "inference"),
    ("import", "objects"),
    ("predictor", "objects"),
    ("tracking", "evaluation"),
    ("tracking", "traces"),
];

/// What tests share: everybody may name it, as a development dependency.
pub(crate) const TESTKIT: &str = "testkit";
/// This program: nobody names it.
pub(crate) const XTASK: &str = "xtask";

/// Crates of others that only some of ours may name, in whatever kind of dependency. A name that ends
/// in `*` stands for all that begin so. `deny.toml` says the same of the two that are most tempting.
pub(crate) const OWNED: &[(&str, &[&str])] = &[
    ("datafusion*", &["query"]),
    ("arrow*", &["query", "monitoring", "replay", "scaffold", "server", "steps", TESTKIT]),
    ("parquet", &["query"]),
    ("rusqlite", &["sql", "store"]),
    ("libsqlite3-sys", &["sql"]),
    ("sqlx*", &["sql", "store"]),
    ("object_store", &["objects", "query"]),
    (
        "axum*",
        &["api", "mlflow", "mlflow-gateway", "mlflow-traces", "ui", "replay", "server", "webhooks", TESTKIT],
    ),
    (
        "http",
        &[
            "api",
            "cli",
            "mlflow",
            "mlflow-gateway",
            "mlflow-traces",
            "platform",
            "objects",
            "ui",
            "replay",
            "server",
            "webhooks",
            TESTKIT,
        ],
    ),
    ("http-body*", &["api", "cli", "server", TESTKIT]),
    ("hyper*", &["api", "cli", "replay", "webhooks", TESTKIT]),
    ("tower*", &["api", "ui", "server", TESTKIT]),
    ("reqwest", &["server", TESTKIT]),
    ("tonic*", &["api", "server", TESTKIT]),
    ("perpetual", &["training"]),
    ("ort*", &["inference"]),
    ("cedar-policy*", &["governance"]),
];

/// What a domain may use of tokio: nothing that needs a runtime.
pub(crate) const TOKIO_IN_DOMAINS: &[&str] = &["sync"];

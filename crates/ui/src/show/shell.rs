//! What surrounds a page's own content.

/// Where in the console a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Overview,
    Data,
    Features,
    Experiments,
    Traces,
    Models,
    Prompts,
    Endpoints,
    Pipelines,
    Approvals,
    Audit,
}

/// A link of the main navigation.
pub(crate) struct Entry {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) href: &'static str,
}

const fn entry(section: Section, name: &'static str, href: &'static str) -> Entry {
    Entry { section, name, href }
}

const ENTRIES: [Entry; 11] = [
    entry(Section::Overview, "Overview", "/"),
    entry(Section::Data, "Data", "/datasets"),
    entry(Section::Features, "Features", "/features"),
    entry(Section::Experiments, "Experiments", "/experiments"),
    entry(Section::Traces, "Traces", "/traces"),
    entry(Section::Models, "Models", "/models"),
    entry(Section::Prompts, "Prompts", "/prompts"),
    entry(Section::Endpoints, "Endpoints", "/endpoints"),
    entry(Section::Pipelines, "Pipelines", "/pipelines"),
    entry(Section::Approvals, "Approvals", "/approvals"),
    entry(Section::Audit, "Audit", "/audit"),
];

/// What the base template needs of a page.
pub(crate) struct Shell {
    /// The page's title, without the product's name.
    pub(crate) title: String,
    /// Where it lies.
    pub(crate) section: Section,
    /// The way to it: names and addresses.
    pub(crate) crumbs: Vec<(String, String)>,
}

impl Shell {
    pub(crate) fn new(title: impl Into<String>, section: Section) -> Self {
        Self { title: title.into(), section, crumbs: Vec::new() }
    }

    /// Puts a step into the way to this page.
    #[must_use]
    pub(crate) fn under(mut self, name: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push((name.into(), href.into()));
        self
    }

    /// The main navigation, each entry with whether this page lies there.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static Entry, bool)> {
        ENTRIES.iter().map(|entry| (entry, entry.section == self.section))
    }
}

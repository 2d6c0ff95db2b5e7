//! What surrounds a page's own content.

use mainstay_api::Caller;
use mainstay_core::principal::Actor;

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
    /// Who signed in to see it; nobody where the server asks for no name.
    pub(crate) who: Option<String>,
}

/// What somebody who signed in is called; nothing of those who need not.
pub(crate) fn signed_in(actor: &Actor) -> Option<&str> {
    let is_asked = !actor.is_anonymous() && *actor != Actor::local();
    is_asked.then(|| actor.user_name().unwrap_or(actor.as_str()))
}

impl Shell {
    pub(crate) fn new(title: impl Into<String>, section: Section) -> Self {
        Self { title: title.into(), section, crumbs: Vec::new(), who: None }
    }

    /// Says on the page who looks at it.
    #[must_use]
    pub(crate) fn seen_by(mut self, caller: &Caller) -> Self {
        self.who = signed_in(&caller.principal.actor).map(str::to_owned);
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_signed_in_are_named() {
        assert_eq!(signed_in(&Actor::user("ann")), Some("ann"));
        assert_eq!(signed_in(&Actor::stored("token:ab")), Some("token:ab"));
        assert_eq!((signed_in(&Actor::local()), signed_in(&Actor::anonymous())), (None, None));
    }
}

//! What surrounds a page's own content.

use mainstay_api::Caller;
use mainstay_core::action::Action;
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
    /// What a role must allow for it; nothing where levels open it.
    by_role: Option<Action>,
}

const fn entry(
    section: Section,
    (name, href): (&'static str, &'static str),
    by_role: Option<Action>,
) -> Entry {
    Entry { section, name, href, by_role }
}

const ENTRIES: [Entry; 11] = [
    entry(Section::Overview, ("Overview", "/"), Some(Action::AuditRead)),
    entry(Section::Data, ("Data", "/datasets"), Some(Action::DataRead)),
    entry(Section::Features, ("Features", "/features"), Some(Action::FeatureRead)),
    entry(Section::Experiments, ("Experiments", "/experiments"), None),
    entry(Section::Traces, ("Traces", "/traces"), None),
    entry(Section::Models, ("Models", "/models"), None),
    entry(Section::Prompts, ("Prompts", "/prompts"), None),
    entry(Section::Endpoints, ("Endpoints", "/endpoints"), Some(Action::EndpointRead)),
    entry(Section::Pipelines, ("Pipelines", "/pipelines"), Some(Action::PipelineRead)),
    entry(Section::Approvals, ("Approvals", "/approvals"), Some(Action::PipelineRead)),
    entry(Section::Audit, ("Audit", "/audit"), Some(Action::AuditRead)),
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
    /// The parts of the console that whoever sees it cannot open.
    closed: Vec<Section>,
}

/// What somebody who signed in is called; nothing of those who need not.
pub(crate) fn signed_in(actor: &Actor) -> Option<&str> {
    let is_asked = !actor.is_anonymous() && *actor != Actor::local();
    is_asked.then(|| actor.user_name().unwrap_or(actor.as_str()))
}

impl Shell {
    pub(crate) fn new(title: impl Into<String>, section: Section) -> Self {
        Self { title: title.into(), section, crumbs: Vec::new(), who: None, closed: Vec::new() }
    }

    /// Says on the page who looks at it, and leads where that one can go.
    #[must_use]
    pub(crate) fn seen_by(mut self, caller: &Caller) -> Self {
        self.who = signed_in(&caller.principal.actor).map(str::to_owned);
        if caller.holds_levels() {
            let is_closed =
                |entry: &&Entry| entry.by_role.is_some_and(|action| !caller.could_by_role(action));
            self.closed = ENTRIES.iter().filter(is_closed).map(|entry| entry.section).collect();
        }
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
        let open = ENTRIES.iter().filter(|entry| !self.closed.contains(&entry.section));
        open.map(|entry| (entry, entry.section == self.section))
    }

    /// Whether the record can be opened.
    pub(crate) fn opens_audit(&self) -> bool {
        !self.closed.contains(&Section::Audit)
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

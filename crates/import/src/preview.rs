//! What would come, and what of it could not be kept: everything but points is read, and nothing written.

use std::collections::BTreeMap;

use mainstay_core::name::Name;

use crate::artifacts::{Artifacts, Measured, measure};
use crate::error::ImportError;
use crate::finding::Findings;
use crate::source::Stock;

/// Most places that are told one by one.
const MAX_PLACES: usize = 20;

/// What would come, and what of it could not be kept.
#[derive(Debug)]
pub struct Preview {
    /// The revision of the stock server's schema.
    pub revision: String,
    /// How many rows there are of each kind.
    pub inventory: BTreeMap<String, u64>,
    /// Artifacts that would be copied: how many files and bytes.
    pub files: (u64, u64),
    /// What cannot be kept.
    pub findings: Findings,
    /// Locations of experiments that stay as they are: whoever reads them must reach those places.
    pub elsewhere: Vec<String>,
}

/// Where artifacts are, thing by thing.
struct Places<'a> {
    artifacts: &'a Artifacts,
    /// How many are behind the stock server, and nobody said where that keeps them.
    unserved: u64,
    elsewhere: Vec<String>,
}

impl Places<'_> {
    /// `uri` is what the stock server says.
    fn look(&mut self, uri: &str) {
        if self.artifacts.covers(uri) {
            return;
        }
        if Artifacts::is_behind_server(uri) {
            self.unserved += 1;
        } else if self.elsewhere.len() < MAX_PLACES && !self.elsewhere.iter().any(|known| known == uri) {
            self.elsewhere.push(uri.to_owned());
        }
    }
}

impl Stock {
    /// Looks at everything in these workspaces.
    pub async fn preview(&mut self, workspaces: &[Name]) -> Result<Preview, ImportError> {
        let inventory = self.inventory().await?;
        let mut findings = Findings::default();
        findings.extend(self.left_behind().await?);
        let artifacts = self.rules.artifacts.clone();
        let mut places = Places { artifacts: &artifacts, unserved: 0, elsewhere: Vec::new() };
        for workspace in workspaces {
            self.look_at(workspace, &mut findings, &mut places).await?;
        }
        if places.unserved > 0 {
            return Err(ImportError::NoArtifacts(places.unserved));
        }
        let mut files = (0, 0);
        for root in &artifacts.roots {
            let Measured { count, bytes } = measure(root, &mut |finding| findings.extend([finding]))?;
            files = (files.0 + count, files.1 + bytes);
        }
        Ok(Preview {
            revision: self.revision.clone(),
            inventory,
            files,
            findings,
            elsewhere: places.elsewhere,
        })
    }

    async fn look_at(
        &mut self,
        workspace: &Name,
        findings: &mut Findings,
        places: &mut Places<'_>,
    ) -> Result<(), ImportError> {
        macro_rules! all {
            ($page:ident) => {
                let mut after = None;
                loop {
                    let page = self.$page(workspace, after).await?;
                    findings.extend(page.findings);
                    let Some(last) = page.last else { break };
                    after = Some(last);
                }
            };
        }
        all!(experiments);
        all!(runs);
        all!(logged_models);
        all!(models);
        all!(versions);
        all!(traces);
        all!(datasets);
        all!(records);
        all!(secrets);
        all!(model_definitions);
        all!(endpoints);
        all!(scorers);
        all!(issues);
        all!(webhooks);
        self.locations(workspace).await?.iter().for_each(|location| places.look(location));
        Ok(())
    }
}

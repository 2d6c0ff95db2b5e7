//! The API in this process, for as long as one command takes.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, Response, header};
use mainstay_api::App;
use mainstay_directory::layout::NoData;
use mainstay_governance::policy::Mode;
use mainstay_webhooks::DeliveryOptions;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::Failed;
use crate::cli::environment;
use mainstay_platform::Platform;
use mainstay_platform::authority::LocalUser;
use mainstay_platform::sweeper::Sweeper;

/// The data, open here, behind the table of routes.
pub(super) struct Here {
    platform: Platform,
    router: Router,
}

impl Here {
    /// Opens what is there; a command that only asks does not make a directory.
    pub(super) async fn open(data: &Path, db: Option<&str>) -> Result<Self, Failed> {
        if !data.join("lock").exists() {
            return Err(NoData::at(data).into());
        }
        let platform = Platform::open(data, db, environment(Mode::Local)).await?;
        platform.create_default_experiment().await?;
        let authenticator = Arc::new(LocalUser { allowed_hosts: Vec::new() });
        let app = App::new(authenticator, platform.authority.clone(), platform.clock.clone(), None);
        let predictor = platform.open_predictor().await?;
        let router = crate::serve::router(&platform, &predictor, &app, &DeliveryOptions::default());
        Ok(Self { platform, router })
    }

    pub(super) async fn exchange(&self, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Removes what is purged.
    pub(super) async fn sweep(&self) -> Result<(), Failed> {
        // Nobody stops it: the person who waits may end the program, and whatever is left is removed the next time.
        let (_stop, never) = watch::channel(false);
        Sweeper::new(&self.platform).sweep(&never).await
    }

    pub(super) async fn close(self) {
        Box::pin(self.platform.close()).await;
    }
}

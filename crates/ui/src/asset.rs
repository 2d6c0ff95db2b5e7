//! What the pages are made with besides HTML: embedded, and addressed by content, so that a browser may
//! keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use mainstay_core::digest::Digest;

/// How many characters of the digest stand in the address.
const TAG_LENGTH: usize = 16;

/// A file of the console.
struct Asset {
    /// By which templates name it.
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal, $path:literal, $type:literal;)*) => {
        &[$(Asset {
            name: $name,
            media_type: $type,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)),
        },)*]
    };
}

const ASSETS: &[Asset] = assets! {
    "console.css", "assets/console.css", "text/css; charset=utf-8";
    "runs.css", "assets/runs.css", "text/css; charset=utf-8";
    "mark.svg", "assets/mark.svg", "image/svg+xml";
    "console.js", "assets/console.js", "text/javascript; charset=utf-8";
    "live-events.js", "assets/live-events.js", "text/javascript; charset=utf-8";
    "live-page.js", "assets/live-page.js", "text/javascript; charset=utf-8";
    "run-page.js", "assets/run-page.js", "text/javascript; charset=utf-8";
    "traces.css", "assets/traces.css", "text/css; charset=utf-8";
    "models.css", "assets/models.css", "text/css; charset=utf-8";
    "model-edit.js", "assets/model-edit.js", "text/javascript; charset=utf-8";
    "markdown.js", "assets/markdown.js", "text/javascript; charset=utf-8";
    "traces.js", "assets/traces.js", "text/javascript; charset=utf-8";
    "trace-page.js", "assets/trace-page.js", "text/javascript; charset=utf-8";
    "trace-tree.js", "assets/trace-tree.js", "text/javascript; charset=utf-8";
    "trace-waterfall.js", "assets/trace-waterfall.js", "text/javascript; charset=utf-8";
    "trace-value.js", "assets/trace-value.js", "text/javascript; charset=utf-8";
    "trace-span.js", "assets/trace-span.js", "text/javascript; charset=utf-8";
    "trace-said.js", "assets/trace-said.js", "text/javascript; charset=utf-8";
    "trace-api.js", "assets/trace-api.js", "text/javascript; charset=utf-8";
    "trace-subject.js", "assets/trace-subject.js", "text/javascript; charset=utf-8";
    "run-subject.js", "assets/run-subject.js", "text/javascript; charset=utf-8";
    "runs.js", "assets/runs.js", "text/javascript; charset=utf-8";
    "run-state.js", "assets/run-state.js", "text/javascript; charset=utf-8";
    "run-api.js", "assets/run-api.js", "text/javascript; charset=utf-8";
    "run-rows.js", "assets/run-rows.js", "text/javascript; charset=utf-8";
    "run-table.js", "assets/run-table.js", "text/javascript; charset=utf-8";
    "run-edit.js", "assets/run-edit.js", "text/javascript; charset=utf-8";
    "run-acts.js", "assets/run-acts.js", "text/javascript; charset=utf-8";
    "run-nest.js", "assets/run-nest.js", "text/javascript; charset=utf-8";
    "dialog.js", "assets/dialog.js", "text/javascript; charset=utf-8";
    "run-head.js", "assets/run-head.js", "text/javascript; charset=utf-8";
    "run-keys.js", "assets/run-keys.js", "text/javascript; charset=utf-8";
    "run-columns.js", "assets/run-columns.js", "text/javascript; charset=utf-8";
    "run-filter.js", "assets/run-filter.js", "text/javascript; charset=utf-8";
    "run-named.js", "assets/run-named.js", "text/javascript; charset=utf-8";
    "run-views.js", "assets/run-views.js", "text/javascript; charset=utf-8";
    "run-live.js", "assets/run-live.js", "text/javascript; charset=utf-8";
    "run-charts.js", "assets/run-charts.js", "text/javascript; charset=utf-8";
    "run-bars.js", "assets/run-bars.js", "text/javascript; charset=utf-8";
    "run-images.js", "assets/run-images.js", "text/javascript; charset=utf-8";
    "run-axis.js", "assets/run-axis.js", "text/javascript; charset=utf-8";
    "find-rows.js", "assets/find-rows.js", "text/javascript; charset=utf-8";
    "run-chart.js", "assets/run-chart.js", "text/javascript; charset=utf-8";
    "run-series.js", "assets/run-series.js", "text/javascript; charset=utf-8";
    "run-compare.js", "assets/run-compare.js", "text/javascript; charset=utf-8";
    "run-parallel.js", "assets/run-parallel.js", "text/javascript; charset=utf-8";
    "run-scatter.js", "assets/run-scatter.js", "text/javascript; charset=utf-8";
    "run-diff.js", "assets/run-diff.js", "text/javascript; charset=utf-8";
    "figure.js", "assets/figure.js", "text/javascript; charset=utf-8";
    "divider.js", "assets/divider.js", "text/javascript; charset=utf-8";
    "picture.js", "assets/picture.js", "text/javascript; charset=utf-8";
    "dom.js", "assets/dom.js", "text/javascript; charset=utf-8";
    "palette.js", "assets/palette.js", "text/javascript; charset=utf-8";
    "step-log.js", "assets/step-log.js", "text/javascript; charset=utf-8";
    "uplot.js", "vendor/uplot-1.6.32.iife.min.js", "text/javascript; charset=utf-8";
    "uplot.css", "vendor/uplot-1.6.32.min.css", "text/css; charset=utf-8";
    "inter.woff2", "vendor/inter-5.3.0-latin.woff2", "font/woff2";
    "mono.woff2", "vendor/jetbrains-mono-5.3.0-latin.woff2", "font/woff2";
};

/// The digest of all files together. Modules and stylesheets name each other by bare file names, which a browser
/// looks up beside the file that names them: so one tag stands in all addresses.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let whole = Digest::of_parts(ASSETS.iter().map(|file| file.bytes));
    whole.hex().chars().take(TAG_LENGTH).collect()
});

/// The address of a file, for templates.
pub(crate) fn href(name: &str) -> String {
    format!("/assets/{}/{name}", *TAG)
}

/// `GET /assets/{tag}/{name}`
pub(crate) async fn serve(Path((tag, name)): Path<(String, String)>) -> Response {
    let found = ASSETS.iter().find(|file| file.name == name && tag == *TAG);
    let Some(file) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, file.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_served_under_its_own_digest_only() {
        let address = href("console.css");
        let parts: Vec<String> =
            address.trim_start_matches("/assets/").split('/').map(str::to_owned).collect();
        let answer = serve(Path((parts[0].clone(), parts[1].clone()))).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let stale = serve(Path(("0".repeat(TAG_LENGTH), "console.css".to_owned()))).await;
        assert_eq!(stale.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn files_name_files_that_are_there_and_nothing_from_elsewhere() {
        let mut named = 0;
        let written = |file: &&Asset| {
            ["console.css", "runs.css", "traces.css", "models.css"].contains(&file.name) || is_module(file)
        };
        for file in ASSETS.iter().filter(written) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            let imported = text.split("from \"./").skip(1).map(|rest| rest.split('"').next().unwrap());
            let fonts = text.split("url(").skip(1).map(|rest| rest.split(')').next().unwrap());
            for name in imported.chain(fonts) {
                assert!(ASSETS.iter().any(|other| other.name == name), "{} names {name}", file.name);
                named += 1;
            }
            assert!(!text.contains("https:"), "nothing comes from elsewhere");
        }
        assert!(named >= 4, "{named}");
    }

    fn is_module(file: &Asset) -> bool {
        file.media_type.starts_with("text/javascript") && file.name != "uplot.js"
    }

    #[test]
    fn every_asset_that_a_template_names_is_there() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut named = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for rest in text.split("asset::href(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(ASSETS.iter().any(|file| file.name == name), "{name}");
                named += 1;
            }
        }
        assert!(named >= 5, "{named}");
    }
}

//! What the pages are made with besides HTML: embedded, and addressed by content, so that a browser may
//! keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use mainstay_core::digest::Digest;

/// How many characters of the digest stand in the address.
const TAG: usize = 16;

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
    "mark.svg", "assets/mark.svg", "image/svg+xml";
    "console.js", "assets/console.js", "text/javascript; charset=utf-8";
    "live-events.js", "assets/live-events.js", "text/javascript; charset=utf-8";
    "live-page.js", "assets/live-page.js", "text/javascript; charset=utf-8";
    "metric-charts.js", "assets/metric-charts.js", "text/javascript; charset=utf-8";
    "step-log.js", "assets/step-log.js", "text/javascript; charset=utf-8";
    "uplot.js", "vendor/uplot-1.6.32.iife.min.js", "text/javascript; charset=utf-8";
    "uplot.css", "vendor/uplot-1.6.32.min.css", "text/css; charset=utf-8";
    "inter.woff2", "vendor/inter-5.3.0-latin.woff2", "font/woff2";
    "mono.woff2", "vendor/jetbrains-mono-5.3.0-latin.woff2", "font/woff2";
};

/// A file as it is served: its stylesheet references resolved, its tag known.
struct Served {
    name: &'static str,
    tag: String,
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// In the order of [`ASSETS`].
static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| {
    let plain = |asset: &Asset| {
        let (name, media_type, bytes) = (asset.name, asset.media_type, asset.bytes.to_vec());
        Served { name, tag: tag(&bytes), media_type, bytes }
    };
    let mut served: Vec<Served> = ASSETS.iter().map(plain).collect();
    let fonts: Vec<(String, String)> = served
        .iter()
        .filter(|file| file.media_type == "font/woff2")
        .map(|file| (format!("url({})", file.name), format!("url(/assets/{}/{})", file.tag, file.name)))
        .collect();
    for sheet in served.iter_mut().filter(|file| file.name == "console.css") {
        let mut text = String::from_utf8_lossy(&sheet.bytes).into_owned();
        for (from, to) in &fonts {
            text = text.replace(from, to);
        }
        sheet.bytes = text.into_bytes();
        sheet.tag = tag(&sheet.bytes);
    }
    served
});

fn tag(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().chars().take(TAG).collect()
}

/// The address of a file, for templates. An unknown name gives an address that answers 404, which a test
/// over all templates would show.
pub(crate) fn href(name: &str) -> String {
    let tag = SERVED.iter().find(|file| file.name == name).map_or("none", |file| file.tag.as_str());
    format!("/assets/{tag}/{name}")
}

/// `GET /assets/{tag}/{name}`
pub(crate) async fn serve(Path((tag, name)): Path<(String, String)>) -> Response {
    let found = SERVED.iter().find(|file| file.name == name && file.tag == tag);
    let Some(file) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, file.bytes.as_slice()).into_response()
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
        let stale = serve(Path(("0".repeat(TAG), "console.css".to_owned()))).await;
        assert_eq!(stale.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_stylesheet_names_fonts_by_their_digests() {
        let sheet = SERVED.iter().find(|file| file.name == "console.css").unwrap();
        let text = String::from_utf8(sheet.bytes.clone()).unwrap();
        for font in ["inter.woff2", "mono.woff2"] {
            assert!(text.contains(&href(font)), "{font}");
        }
        assert!(!text.contains("http:") && !text.contains("https:"), "nothing comes from elsewhere");
    }

    #[test]
    fn every_asset_that_a_template_names_is_there() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut named = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for rest in text.split("asset::href(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(SERVED.iter().any(|file| file.name == name), "{name}");
                named += 1;
            }
        }
        assert!(named >= 5, "{named}");
    }
}

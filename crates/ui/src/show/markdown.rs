//! Markdown that people and programs wrote, as HTML that harms nobody: `CommonMark` with tables, task lists and
//! strikethrough. HTML in it stays text, links lead to `http`, `https` and `mailto` and nowhere else, images are not
//! loaded but linked to, and nothing of it has a style or an id.

use std::fmt;

use askama::filters::HtmlSafe;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pulldown_cmark::{
    Alignment, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html,
};

/// Longer texts stay as they are, in bytes.
const LONGEST: usize = 256 * 1024;
/// Texts with more pieces, or that nest deeper, stay as they are too: nobody writes them to be read.
const PIECES: usize = 200_000;
const DEEPEST: usize = 64;

/// What cannot stand in the address of a link, beside `&` (WHATWG URL, "fragment percent-encode set", and quotes).
const ADDRESS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\'').add(b'\\');

/// Where lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// Where its author ended them: notes and answers.
    Kept,
    /// Where the window does: documents, whose authors wrapped them.
    Flowing,
}

/// A text to be read, with its source beside it where that says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Markdown {
    html: String,
    /// The source; `None` where the text holds no markup at all.
    source: Option<String>,
}

impl Markdown {
    /// A description, a note or an answer.
    pub(crate) fn note(text: &str) -> Self {
        match render(text, Breaks::Kept) {
            Some((html, true)) => Self { html, source: Some(text.to_owned()) },
            _ => Self { html: format!("<p class=\"plain\">{}</p>", escaped(text)), source: None },
        }
    }

    /// The same, if there is one.
    pub(crate) fn some(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self::note(text))
    }

    /// A file; `None` if it cannot be shown as Markdown.
    pub(crate) fn document(text: &str) -> Option<Self> {
        let (html, _) = render(text, Breaks::Flowing)?;
        Some(Self { html, source: Some(text.to_owned()) })
    }

    /// The HTML of it; `None` if it holds no markup.
    pub(crate) fn marked(text: &str) -> Option<String> {
        render(text, Breaks::Kept).filter(|(_, is_marked)| *is_marked).map(|(html, _)| html)
    }
}

impl fmt::Display for Markdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<div class=\"md\">{}</div>", self.html)?;
        let Some(source) = &self.source else { return Ok(()) };
        let source = escaped(source);
        f.write_str("<details class=\"mdsource\"><summary>Source</summary>")?;
        write!(f, "<pre class=\"code\">{source}</pre></details>")
    }
}

// Whatever it was given is escaped.
impl HtmlSafe for Markdown {}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    html::push_html(&mut out, std::iter::once(Event::Text(text.into())));
    out
}

/// The HTML of a text, and whether it holds more than paragraphs; `None` if nobody would read it.
fn render(text: &str, breaks: Breaks) -> Option<(String, bool)> {
    if text.len() > LONGEST {
        return None;
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Safe::default();
    let mut events = Vec::new();
    for event in Parser::new_ext(text, options) {
        events.push(match event {
            Event::SoftBreak if breaks == Breaks::Kept => Event::HardBreak,
            event => writer.safe(event),
        });
        if events.len() > PIECES || writer.depth > DEEPEST {
            return None;
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    Some((out, writer.is_marked))
}

/// What has been read so far, where that decides what an event becomes.
#[derive(Debug, Default)]
struct Safe {
    depth: usize,
    is_marked: bool,
    /// Of each link and image that is open, whether a link was written for it.
    links: Vec<bool>,
    /// Of the table that is read: which columns are numbers, at which cell it is, and whether in its head.
    numbers: Vec<bool>,
    cell: usize,
    is_head: bool,
}

impl Safe {
    /// What is written for an event.
    fn safe<'a>(&mut self, event: Event<'a>) -> Event<'a> {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.is_marked |= !matches!(tag, Tag::Paragraph | Tag::HtmlBlock);
                self.start(tag)
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(tag)
            }
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::TaskListMarker(done) => Event::Text(if done { "☑ " } else { "☐ " }.into()),
            Event::Code(_) | Event::Rule => {
                self.is_marked = true;
                event
            }
            event => event,
        }
    }

    fn start<'a>(&mut self, tag: Tag<'a>) -> Event<'a> {
        match tag {
            Tag::HtmlBlock => markup("<p>"),
            // The page has its own headings of the first two levels.
            Tag::Heading { level, .. } => Event::Start(Tag::Heading {
                level: lower(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            // Its language would become a class.
            Tag::CodeBlock(_) => Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)),
            Tag::BlockQuote(_) => Event::Start(Tag::BlockQuote(None)),
            Tag::Table(columns) => {
                self.numbers = columns.iter().map(|column| *column == Alignment::Right).collect();
                markup("<table>")
            }
            Tag::TableHead | Tag::TableRow => {
                self.is_head = tag == Tag::TableHead;
                self.cell = 0;
                markup(if self.is_head { "<thead><tr>" } else { "<tr>" })
            }
            Tag::TableCell => {
                let is_number = self.numbers.get(self.cell).copied().unwrap_or_default();
                self.cell += 1;
                markup(match (self.is_head, is_number) {
                    (true, false) => "<th scope=\"col\">",
                    (true, true) => "<th scope=\"col\" class=\"num\">",
                    (false, false) => "<td>",
                    (false, true) => "<td class=\"num\">",
                })
            }
            Tag::Link { link_type, dest_url, .. } => {
                let opened = self.opened(link_type, &dest_url);
                Event::InlineHtml(opened.into())
            }
            Tag::Image { link_type, dest_url, .. } => {
                let opened = self.opened(link_type, &dest_url);
                Event::InlineHtml(format!("{opened}image: ").into())
            }
            tag => Event::Start(tag),
        }
    }

    fn end<'a>(&mut self, tag: TagEnd) -> Event<'a> {
        match tag {
            TagEnd::HtmlBlock => markup("</p>"),
            TagEnd::Heading(level) => Event::End(TagEnd::Heading(lower(level))),
            TagEnd::BlockQuote(_) => Event::End(TagEnd::BlockQuote(None)),
            TagEnd::TableHead => markup("</tr></thead><tbody>"),
            TagEnd::TableCell => markup(if self.is_head { "</th>" } else { "</td>" }),
            TagEnd::Link | TagEnd::Image => {
                markup(if self.links.pop().unwrap_or_default() { "</a>" } else { "" })
            }
            tag => Event::End(tag),
        }
    }

    /// The beginning of a link, or nothing where it may not lead, or another one is open.
    fn opened(&mut self, kind: LinkType, to: &str) -> String {
        let to = if kind == LinkType::Email { format!("mailto:{to}") } else { to.to_owned() };
        let is_open = self.links.contains(&true);
        let address = address(&to).filter(|_| !is_open);
        self.links.push(address.is_some());
        let rel = "noopener noreferrer nofollow";
        address.map_or_else(String::new, |to| format!("<a href=\"{to}\" rel=\"{rel}\">"))
    }
}

fn markup<'a>(html: &'static str) -> Event<'a> {
    Event::InlineHtml(html.into())
}

/// An address to which a link may lead, as it stands in an attribute.
fn address(to: &str) -> Option<String> {
    let begins =
        |scheme: &str| to.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let is_allowed = ["http://", "https://", "mailto:"].iter().any(|scheme| begins(scheme));
    is_allowed.then(|| utf8_percent_encode(to, ADDRESS).to_string().replace('&', "&amp;"))
}

const fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        render(text, Breaks::Kept).unwrap().0.replace('\n', "")
    }

    #[test]
    fn what_people_write_is_read() {
        assert_eq!(
            shown("# A *b*\n\n- [x] `c`\n- d"),
            "<h3>A <em>b</em></h3><ul><li>☑ <code>c</code></li><li>d</li></ul>"
        );
        assert_eq!(
            shown("|a|b|\n|-|-:|\n|**x**|1|\n"),
            "<table><thead><tr><th scope=\"col\">a</th><th scope=\"col\" class=\"num\">b</th></tr></thead><tbody>\
             <tr><td><strong>x</strong></td><td class=\"num\">1</td></tr></tbody></table>"
        );
        assert_eq!(shown("```python\nx < 1\n```"), "<pre><code>x &lt; 1</code></pre>");
        assert_eq!(shown("a\nb"), "<p>a<br />b</p>");
        assert_eq!(render("a\nb", Breaks::Flowing).unwrap().0, "<p>a\nb</p>\n");
        let link = shown("[a & b](https://x.y/?q=1&r=\"2\") <me@x.y>");
        assert_eq!(
            link,
            "<p><a href=\"https://x.y/?q=1&amp;r=%222%22\" rel=\"noopener noreferrer nofollow\">a &amp; b</a> \
             <a href=\"mailto:me@x.y\" rel=\"noopener noreferrer nofollow\">me@x.y</a></p>"
        );
    }

    #[test]
    fn plain_texts_stay_as_they_are() {
        assert_eq!(
            Markdown::note("a <b> & c\n   d").to_string(),
            "<div class=\"md\"><p class=\"plain\">a &lt;b&gt; &amp; c\n   d</p></div>"
        );
        assert_eq!((Markdown::some(" \n"), Markdown::marked("a\nb")), (None, None));
        let marked = Markdown::note("*a* <i>").to_string();
        assert!(marked.ends_with("<pre class=\"code\">*a* &lt;i&gt;</pre></details>"), "{marked}");
    }

    #[test]
    fn nothing_that_is_written_becomes_markup_of_ours() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div\nonclick=alert(1)>\n\ntext",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](&#106;avascript:alert(1))",
            "[a](java\u{9}script:alert(1))",
            "[a](vbscript:x) [a](data:text/html,<script>1</script>) [a](file:///etc/passwd) [a](//x.y) [a](/audit)",
            "<javascript:alert(1)>",
            "[a]: javascript:alert(1)\n\n[a]",
            "![x](javascript:alert(1))",
            "![x](data:image/svg+xml;base64,AAAA)",
            "[a](https://x.y/\"onmouseover=\"alert(1))",
            "[a](<https://x.y/' onclick='x> \"t\" onclick=x\")",
            "[a](https://x.y \"t\\\" onclick=x\")",
            "# h {#id .class onclick=x}",
            "```\" onclick=\"x\n```",
            "| a |\n|:-:|\n| <svg onload=x> |",
            "[![a](https://x.y/a.png)](https://x.y)",
            "![a ![b](https://x.y/b.png)](https://x.y/a.png)",
            "&lt;script&gt; &#60;script&#62;",
            "<!-- --><style>*{}</style><iframe src=x></iframe>",
        ] {
            let html = shown(text);
            // All tags that are there, with what stands in them.
            for tag in html.split('<').skip(1).filter(|tag| !tag.starts_with('/')) {
                let inside = tag.split('>').next().unwrap();
                let is_link = inside.starts_with("a href=\"https://x.y")
                    && inside.ends_with("\" rel=\"noopener noreferrer nofollow\"")
                    && inside.matches('"').count() == 4;
                let plain = [
                    "p",
                    "br /",
                    "h3",
                    "pre",
                    "code",
                    "table",
                    "thead",
                    "tr",
                    "th scope=\"col\"",
                    "tbody",
                    "td",
                ];
                assert!(is_link || plain.contains(&inside), "{text}: {html}");
            }
            assert_eq!(html.matches("<a ").count(), html.matches("</a>").count(), "{text}: {html}");
        }
        assert!(shown("![a](https://x.y/a.png)").contains(">image: a</a>"));
    }

    #[test]
    fn texts_that_nobody_reads_stay_texts() {
        assert_eq!(render(&format!("{}x", "> ".repeat(200)), Breaks::Kept), None);
        assert_eq!(render(&"*a ".repeat(LONGEST), Breaks::Kept), None);
        assert_eq!(
            render(
                &format!("|{}\n|{}\n{}", "a|".repeat(900), "-|".repeat(900), "|x\n".repeat(900)),
                Breaks::Kept
            ),
            None
        );
        let deep = format!("{}x", "> ".repeat(200));
        assert!(Markdown::note(&deep).to_string().contains("&gt; &gt;"));
        assert_eq!(Markdown::document(&deep), None);
    }
}

//! Pages, divided into passages: what stands under one heading.

use crate::page::Page;

/// What stands under one heading of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The path of the page.
    pub page: &'static str,
    /// The page's own heading.
    pub title: String,
    /// The passage's heading.
    pub heading: String,
    /// What stands under it, in Markdown, without comments.
    pub text: String,
}

impl Passage {
    /// Its address in the repository: the page, and the anchor of its heading below the page's own.
    pub fn address(&self) -> String {
        if self.heading == self.title {
            return self.page.to_owned();
        }
        let kept = |c: char| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ if c.is_alphanumeric() => Some(c),
            _ => None,
        };
        let anchor: String = self.heading.to_lowercase().chars().filter_map(kept).collect();
        format!("{}#{anchor}", self.page)
    }

    /// The passage's headings and its first sentence, as an answer: `title, heading: sentence`.
    pub fn quoted(&self) -> String {
        let headings = if self.heading == self.title {
            self.title.clone()
        } else {
            format!("{}, {}", self.title, lowered(&self.heading))
        };
        match self.first_sentence() {
            Some(sentence) => format!("{headings}: {sentence}"),
            None => headings,
        }
    }

    /// The first sentence of its prose, without marks; `None` where there is none, as under a heading with nothing but
    /// a table.
    pub fn first_sentence(&self) -> Option<String> {
        let mut is_code = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let line = line.trim();
            let is_fence = line.starts_with("```");
            is_code ^= is_fence;
            if !is_code && !is_fence && !line.is_empty() && !line.starts_with(['|', '<']) {
                prose.push_str(if prose.is_empty() { "" } else { " " });
                prose.push_str(line.strip_prefix("- ").unwrap_or(line));
            } else if !prose.is_empty() {
                break;
            }
        }
        let plain = plain(&prose);
        Some(sentence(&plain).to_owned()).filter(|sentence| !sentence.is_empty())
    }
}

/// A heading in the middle of a sentence.
fn lowered(heading: &str) -> String {
    let mut chars = heading.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    // A name with capitals stays as it is.
    let is_word = chars.clone().take_while(|c| *c != ' ').all(char::is_lowercase);
    if is_word { first + chars.as_str() } else { heading.to_owned() }
}

/// Text without Markdown's marks: of a link its words, of emphasis and code what is within.
fn plain(markdown: &str) -> String {
    let mut plain = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(at) = rest.find(['[', '*', '`']) {
        let (before, marked) = rest.split_at(at);
        plain.push_str(before);
        let (mark, after) = marked.split_at(1);
        rest = if let Some((words, after)) = link(marked) {
            plain.push_str(&words.replace(['*', '`'], ""));
            after
        } else if let Some((code, after)) = after.split_once('`').filter(|_| mark == "`") {
            plain.push_str(code);
            after
        } else {
            plain.push_str(if mark == "[" { mark } else { "" });
            after
        };
    }
    plain.push_str(rest);
    plain
}

/// The words of a link that a text begins with, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (words, target) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = target.split_once(')')?;
    (!words.contains(']')).then_some((words, after))
}

/// The first sentence of a text: to a full stop, question mark or exclamation mark behind which another one begins.
fn sentence(text: &str) -> &str {
    let ends = text.char_indices().filter(|(_, c)| matches!(c, '.' | '?' | '!'));
    for (at, end) in ends {
        let (sentence, rest) = text.split_at(at.saturating_add(end.len_utf8()));
        let next = rest.trim_start();
        if next.is_empty() || (next.len() < rest.len() && !next.starts_with(char::is_lowercase)) {
            return sentence;
        }
    }
    text
}

/// The passages of pages, in their order.
pub fn passages(pages: &[Page]) -> Vec<Passage> {
    pages.iter().flat_map(divided).collect()
}

fn divided(page: &Page) -> Vec<Passage> {
    let (mut passages, mut title, mut is_code) = (Vec::<Passage>::new(), String::new(), false);
    for line in page.text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if let Some(heading) = heading(line).filter(|_| !is_code) {
            if passages.is_empty() {
                title.clone_from(&heading);
            }
            let title = title.clone();
            passages.push(Passage { page: page.path, title, heading, text: String::new() });
        } else if let Some(passage) = passages.last_mut()
            && !line.trim_start().starts_with("<!--")
            && !(passage.text.is_empty() && line.trim().is_empty())
        {
            passage.text.push_str(line);
            passage.text.push('\n');
        }
    }
    for passage in &mut passages {
        passage.text.truncate(passage.text.trim_end().len());
    }
    // A heading right above another one holds nothing to be found.
    passages.retain(|passage| !passage.text.is_empty());
    passages
}

fn heading(line: &str) -> Option<String> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten().map(|text| plain(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PAGES;

    const PAGE: Page = Page {
        path: "docs/x.md",
        text: "# Keys, `kept`\n\n<!-- second terminal -->\nA [key](../k.md) is kept by e.g. a vault\nof *yours*. It turns.\n\n\
               ## What to do?\n\n```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n\nTurn it!\n\n## S3 too\n\n### Nothing\n",
    };

    #[test]
    fn a_page_is_divided_at_its_headings() {
        let found = passages(&[PAGE]);
        let headings: Vec<(&str, &str)> =
            found.iter().map(|passage| (passage.title.as_str(), passage.heading.as_str())).collect();
        assert_eq!(headings, [("Keys, kept", "Keys, kept"), ("Keys, kept", "What to do?")]);
        assert_eq!(found[0].text, "A [key](../k.md) is kept by e.g. a vault\nof *yours*. It turns.");
        assert!(found[1].text.starts_with("```sh\n# no heading\n```"), "{}", found[1].text);
        assert_eq!(found[0].address(), "docs/x.md");
        assert_eq!(found[1].address(), "docs/x.md#what-to-do");
    }

    #[test]
    fn an_answer_is_the_first_sentence_of_the_prose() {
        let found = passages(&[PAGE]);
        assert_eq!(found[0].quoted(), "Keys, kept: A key is kept by e.g. a vault of yours.");
        assert_eq!(found[1].quoted(), "Keys, kept, what to do?: Turn it!");
        let code = Passage { text: "`up` serves it. No more.".to_owned(), ..found[0].clone() };
        assert_eq!(code.quoted(), "Keys, kept: up serves it.");
        let bare = Passage { text: "| a |".to_owned(), heading: "S3".to_owned(), ..found[1].clone() };
        assert_eq!(bare.quoted(), "Keys, kept, S3");
        assert_eq!(sentence("Ask: is it 1.2? Yes."), "Ask: is it 1.2?");
        assert_eq!(plain("a [b] `c.*` **d** [e](f) [ `"), "a [b] c.* d e [ ");
        assert_eq!(["To do", "MinIO too", "A"].map(lowered), ["to do", "MinIO too", "a"]);
    }

    #[test]
    fn every_page_begins_with_its_heading_and_can_be_quoted() {
        for page in PAGES {
            let found = divided(page);
            let title = heading(page.text.lines().next().unwrap());
            assert!(found.iter().all(|passage| Some(&passage.title) == title.as_ref()), "{}", page.path);
            assert!(found.iter().any(|passage| passage.first_sentence().is_some()), "{}", page.path);
        }
    }
}

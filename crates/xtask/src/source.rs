//! Just enough of Rust's lexical structure (<https://doc.rust-lang.org/reference/tokens.html>) to
//! measure functions: comments and literals are passed over, brackets are matched.

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from its `fn` to its closing brace, both included.
    pub(crate) lines: usize,
}

/// The functions of a source text, in order; those inside of others too.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn") {
        let (before, after) = (&code[..at], &code[at + 2..]);
        let glued = before.ends_with(|c: char| is_word(c) || c == '#');
        if glued || !after.starts_with(char::is_whitespace) {
            continue;
        }
        let rest = after.trim_start();
        let name: String = rest.chars().take_while(|&c| is_word(c) || c == '$').collect();
        let Some(body) = (if name.is_empty() { None } else { through_body(rest) }) else { continue };
        let to_name = after.len() - rest.len();
        let lines = 1 + breaks(&after[..to_name + body]);
        found.push(Function { name, line: 1 + breaks(before), lines });
    }
    found
}

/// The length of a signature and its body, up to and with the closing brace; `None` if there is no body.
fn through_body(signature: &str) -> Option<usize> {
    let mut nested = 0_usize;
    let mut open_braces = 0_usize;
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' if open_braces == 0 => nested += 1,
            ')' | ']' if open_braces == 0 => nested = nested.saturating_sub(1),
            ';' if open_braces == 0 && nested == 0 => return None,
            '{' if nested == 0 => open_braces += 1,
            '}' if nested == 0 => {
                open_braces = open_braces.saturating_sub(1);
                if open_braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with comments and literals replaced by blanks; its line breaks stay.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let glued = code.ends_with(is_word);
        if let Some(length) = passed_over(rest, glued) {
            let (skipped, next) = rest.split_at(length.min(rest.len()));
            code.push(' ');
            code.extend(skipped.chars().filter(|&c| c == '\n'));
            rest = next;
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The length of the comment or literal that begins here. `glued`: a word ends just before.
fn passed_over(rest: &str, glued: bool) -> Option<usize> {
    match rest.chars().next()? {
        '/' if rest.starts_with("//") => Some(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => Some(block_comment(rest)),
        '"' => Some(string(rest)),
        '\'' => character(rest),
        'r' | 'b' | 'c' if !glued => raw_string(rest),
        _ => None,
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (escape, _) = chars.next()?;
        let after = escape + 1;
        return Some(after + rest.get(after..)?.find('\'')? + 1);
    }
    chars.next().filter(|&(_, c)| c == '\'').map(|(at, _)| at + 1)
}

/// `r"…"`, `r#"…"#` and their `b` and `c` forms; `None` for anything else, raw identifiers among them.
fn raw_string(rest: &str) -> Option<usize> {
    let after_r = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let inside = after_r.trim_start_matches('#');
    let hashes = after_r.len() - inside.len();
    let inside = inside.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = rest.len() - inside.len();
    Some(inside.find(&end).map_or(rest.len(), |at| opened + at + end.len()))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn breaks(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &str) -> Vec<(String, usize, usize)> {
        functions(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    fn one(name: &str, line: usize, lines: usize) -> Vec<(String, usize, usize)> {
        vec![(name.to_owned(), line, lines)]
    }

    #[test]
    fn a_function_counts_from_its_fn_to_its_closing_brace() {
        assert_eq!(measured("\npub(crate) async fn f(\n    x: u8,\n) -> u8 {\n    x\n}\n"), one("f", 2, 5));
    }

    #[test]
    fn braces_in_literals_and_comments_do_not_count() {
        let body = [
            r#"let a = "{{ \" {";"#,
            r##"let b = r#"{ " {"#;"##,
            "let c = '{';",
            r"let d = '\'';",
            "// {",
            "/* { /* { */ { */",
            r#"let e = b"{";"#,
            r#"let g = br"{\";"#,
        ];
        for line in body {
            assert_eq!(
                measured(&format!("fn f() {{\n{line}\n}}\nstruct S {{}}\n")),
                one("f", 1, 3),
                "{line}"
            );
        }
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(measured("fn f<'a>(x: &'a str) -> &'a str {\n    x\n}\n"), one("f", 1, 3));
    }

    #[test]
    fn semicolons_inside_of_types_do_not_end_a_signature() {
        assert_eq!(measured("fn f(x: [u8; 4]) -> [u8; 4] {\n    x\n}\n"), one("f", 1, 3));
    }

    #[test]
    fn declarations_and_function_pointers_are_no_functions() {
        assert_eq!(
            measured("trait T {\n    fn f(&self);\n}\ntype P = fn (u8) -> u8;\nstruct S { r#fn: u8 }\n"),
            []
        );
    }

    #[test]
    fn a_function_inside_of_another_is_measured_too() {
        let found = measured("fn outer() {\n    fn inner() {\n    }\n}\n");
        assert_eq!(found, [("outer".to_owned(), 1, 4), ("inner".to_owned(), 2, 2)]);
    }
}

//! The pages of the program that are mapped into this process.

/// Gives back the code and constants that only the start has used: most of what is mapped then. What is needed again
/// is mapped again, a few pages at a time and from the kernel's cache of the file. Where that cannot be done nothing
/// is lost but some memory.
#[cfg(target_os = "linux")]
pub(crate) fn give_back_start() {
    let (Ok(program), Ok(maps)) =
        (std::fs::read_link("/proc/self/exe"), std::fs::read_to_string("/proc/self/maps"))
    else {
        return;
    };
    let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(Mapping::parse).collect();
    for Mapping { from, to, .. } in unwritten(&mappings, &program.to_string_lossy()) {
        // SAFETY: these pages are the file's, and were never written to. Whoever reads them next finds the same bytes.
        #[expect(
            unsafe_code,
            reason = "the kernel is told about pages of the program, which it can read again"
        )]
        let done = unsafe {
            let place = std::ptr::with_exposed_provenance_mut(*from);
            rustix::mm::madvise(place, to - from, rustix::mm::Advice::LinuxDontNeed)
        };
        if let Err(error) = done {
            tracing::debug!(%error, "pages of the program stay mapped");
        }
    }
}

/// Elsewhere there is no such list of mappings.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn give_back_start() {}

/// A line of `/proc/self/maps` (`proc_pid_maps(5)`).
#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    from: usize,
    to: usize,
    rights: &'a str,
    /// Where in the file it begins.
    offset: usize,
    path: &'a str,
}

#[cfg(target_os = "linux")]
impl<'a> Mapping<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (from, to) = fields.next()?.split_once('-')?;
        let (rights, offset) = (fields.next()?, fields.next()?);
        let path = fields.nth(2)?.trim_start();
        let hex = |text| usize::from_str_radix(text, 16).ok();
        Some(Self { from: hex(from)?, to: hex(to)?, rights, offset: hex(offset)?, path })
    }
}

/// The program's code, and what of the file lies before it. What lies behind it may have been written to before it was
/// made read-only: addresses that depend on where the program is (RELRO).
#[cfg(target_os = "linux")]
fn unwritten<'m>(mappings: &'m [Mapping<'m>], program: &str) -> impl Iterator<Item = &'m Mapping<'m>> {
    let own = mappings.iter().filter(move |mapping| mapping.path == program);
    let code = own.clone().filter(|mapping| mapping.rights == "r-xp").map(|mapping| mapping.offset).max();
    own.filter(move |mapping| {
        matches!(mapping.rights, "r--p" | "r-xp") && code.is_some_and(|code| mapping.offset <= code)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MAPS: &str = "\
5588a0000000-5588a2900000 r--p 00000000 fe:00 1835  /usr/bin/mainstay
5588a2900000-5588a9600000 r-xp 02923000 fe:00 1835  /usr/bin/mainstay
5588a9600000-5588a9a00000 r--p 09644000 fe:00 1835  /usr/bin/mainstay
5588a9a00000-5588a9b00000 rw-p 09adf000 fe:00 1835  /usr/bin/mainstay
5588ab000000-5588ab400000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000200000 r-xp 00028000 fe:00 42  /usr/lib/libc.so.6
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0
";

    #[test]
    fn only_what_was_never_written_to_is_given_back() {
        let mappings: Vec<Mapping<'_>> = MAPS.lines().filter_map(Mapping::parse).collect();
        assert_eq!(mappings.len(), 6);
        let given: Vec<usize> =
            unwritten(&mappings, "/usr/bin/mainstay").map(|mapping| mapping.offset).collect();
        assert_eq!(given, [0, 0x0292_3000]);
        assert_eq!(unwritten(&mappings, "/usr/bin/other").count(), 0);
    }

    #[test]
    fn the_program_runs_on() {
        give_back_start();
        assert_eq!("of constants".len(), 12);
    }
}

//! Names for runs that were given none: `brave-heron-421`.

use mainstay_core::entropy::Entropy;

const ADJECTIVES: [&str; 64] = [
    "agile", "amber", "ample", "azure", "bold", "brave", "brisk", "broad", "calm", "candid", "clear",
    "clever", "cobalt", "coral", "crisp", "curious", "daring", "deep", "eager", "early", "earnest", "fair",
    "fast", "fine", "firm", "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "hardy",
    "honest", "humble", "ivory", "jolly", "keen", "kind", "light", "lively", "lucid", "merry", "mild",
    "neat", "noble", "patient", "plain", "proud", "quick", "quiet", "rapid", "ready", "serene", "sharp",
    "silver", "smart", "solid", "steady", "swift", "tidy", "vivid", "warm", "wise",
];

const NOUNS: [&str; 64] = [
    "acorn", "anchor", "arrow", "aspen", "badger", "beacon", "birch", "bison", "brook", "canyon", "cedar",
    "cliff", "comet", "condor", "coral", "crane", "delta", "dune", "eagle", "ember", "falcon", "fern",
    "fjord", "forest", "garnet", "glacier", "grove", "harbor", "heron", "hill", "iris", "island", "jasper",
    "kestrel", "lagoon", "lantern", "larch", "lark", "maple", "marten", "meadow", "meteor", "mesa", "nebula",
    "oak", "orbit", "osprey", "otter", "pebble", "pine", "plover", "quartz", "raven", "reef", "ridge",
    "river", "robin", "sable", "spruce", "summit", "tern", "tundra", "valley", "willow",
];

/// Draws a name: an adjective, a noun and a number below 1000. About four million of them; a name
/// need not be unique.
pub fn draw(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    let [a, n, number @ ..] = bytes;
    let pick =
        |words: &[&'static str; 64], byte: u8| words.get(usize::from(byte % 64)).copied().unwrap_or("run");
    let number = u16::from_le_bytes(number) % 1000;
    format!("{}-{}-{number}", pick(&ADJECTIVES, a), pick(&NOUNS, n))
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn names_have_three_parts_and_differ() {
        let entropy = SeededEntropy::new(1);
        let names: std::collections::BTreeSet<String> = (0..100).map(|_| draw(&entropy)).collect();
        assert!(names.len() > 95);
        for name in &names {
            let parts: Vec<&str> = name.split('-').collect();
            assert!(parts.len() == 3 && parts[2].parse::<u16>().is_ok(), "{name}");
        }
        assert_eq!(draw(&SeededEntropy::new(5)), draw(&SeededEntropy::new(5)));
    }
}

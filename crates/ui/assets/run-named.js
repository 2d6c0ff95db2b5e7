// Plain words in a field of the search language: what has them in its name is meant.

// What makes a text one of the search language.
const SEARCHES = /[=<>!'"`()]|\s(?:LIKE|ILIKE|RLIKE|IN|IS|BETWEEN)(?:\s|$)/i;

// A text that is looked for anywhere, as LIKE takes it: what would mean something there stands for any character.
export const pattern = (text) => `'%${text.replaceAll("'", "_").replaceAll("%", "_")}%'`;

// The search for what has all words of a text in its name.
export function named(text, column) {
  return text.trim().split(/\s+/).map((word) => `${column} ILIKE ${pattern(word)}`).join(" AND ");
}

// A text as it is searched for: plain words become a search of names.
export function searched(text, column) {
  const wanted = text.trim();
  return wanted === "" || SEARCHES.test(wanted) ? wanted : named(wanted, column);
}

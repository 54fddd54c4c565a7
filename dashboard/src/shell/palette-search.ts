/**
 * How well `query` fits `text`: each word of the query has to occur, better at the beginning of a word,
 * best at the very beginning. 0 is no fit.
 */
export function score(text: string, query: string): number {
  const haystack = text.toLowerCase();
  let total = 1;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = haystack.indexOf(word);
    if (at === -1) {
      const letters = subsequence(haystack, word);
      if (!letters) return 0;
      total += 1;
    } else if (at === 0) total += 8;
    else if (/[^a-z0-9]/.test(haystack[at - 1] ?? "")) total += 6;
    else total += 3;
  }
  return total;
}

/** "hn" finds "hello-node": letters at the beginnings of words, in order. */
function subsequence(haystack: string, letters: string): boolean {
  const initials = haystack.split(/[^a-z0-9]+/).map((word) => word[0] ?? "");
  return letters.length > 1 && initials.join("").startsWith(letters);
}

export function search<T extends { label: string; keywords?: string }>(items: readonly T[], query: string): T[] {
  if (query.trim() === "") return [...items];
  return items
    .map((item, index) => ({ item, index, fit: Math.max(score(item.label, query), score(`${item.label} ${item.keywords ?? ""}`, query) * 0.5) }))
    .filter(({ fit }) => fit > 0)
    .sort((a, b) => b.fit - a.fit || a.index - b.index)
    .map(({ item }) => item);
}

/** Names broken by regular expressions, again until nothing is found: slow on some names, but easy to see through. */
const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

export function referenceBreaker(given: readonly string[], mark: string) {
  const names = given.filter(({ length }) => length > 1).sort((a, b) => b.length - a.length);
  const whole = names.length > 0 ? new RegExp(names.map(escaped).join('|'), 'g') : /(?!)/g;
  const firsts = [...new Set(names.map((name) => name[0]!))];
  const first = firsts.length > 0 ? new RegExp(firsts.map(escaped).join('|'), 'g') : /(?!)/g;
  const marked = (name: string) => `${name[0]}${mark}${name.slice(1)}`;
  const overlap = (text: string, name: string) => {
    for (let n = Math.min(name.length - 1, text.length); n > 0; n--)
      if (text.endsWith(name.slice(0, n))) return n;
    return 0;
  };
  return {
    break(text: string): string {
      let broken = text;
      while (broken.search(whole) >= 0) broken = broken.replace(whole, marked);
      const tail = names.reduce((n, name) => Math.max(n, overlap(broken, name)), 0);
      return tail === 0 ? broken : broken.slice(0, -tail) + marked(broken.slice(-tail));
    },
    breakAll: (text: string) => text.replace(first, marked),
    count: (text: string) => text.match(whole)?.length ?? 0,
    first: (text: string) => (text.search(whole) < 0 ? text.length : text.search(whole)),
  };
}

/** Characters of several texts together; the work on them is proportional to it. */
export function totalLength(texts: readonly string[]): number {
  return texts.reduce((n, text) => n + text.length, 0);
}

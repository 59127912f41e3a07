/** Characters of several texts together: what their work is proportional to. */
export function totalLength(texts: readonly string[]): number {
  return texts.reduce((n, text) => n + text.length, 0);
}

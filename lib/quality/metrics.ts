/** How right an answer is, and how sure a share is. */

/** How many of the wanted words or phrases a text holds, each as whole words, in any case. */
export function found(text: string, wanted: readonly string[]): number {
  const said = words(text);
  return wanted.filter((answer) => said.includes(words(answer))).length;
}

/** Letters and digits with one space between words, and one around all. */
function words(text: string): string {
  return ` ${text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()} `;
}

export interface Interval {
  low: number;
  high: number;
}

/** Of a share of n at 95 % (Wilson 1927): it holds for few trials and for shares near 0 and 1, too. */
export function wilson(right: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const z = 1.959964;
  const share = right / n;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half =
    (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

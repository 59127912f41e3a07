/**
 * The part of a long prompt that its question needs: its beginning, its end, and the pieces between that share most with the end, by
 * BM25 over token ids (Robertson and Zaragoza 2009). It takes no model, and about a microsecond for each token.
 */

const K1 = 1.2;
const B = 0.75;

/** Pieces of a text that is kept to `most` tokens: a beginning, such as the head of a chat template, an end that asks, and what lies between. */
const shareOf = (most: number) => Math.min(512, Math.max(1, Math.floor(most / 8)));

/** At most so many ids, in their order; all of them if they are no more. The end is two of eight shares, or all if `most` is small. */
export function retrieveTokens(ids: Int32Array, most: number): Int32Array {
  if (ids.length <= most) return ids;
  const size = shareOf(most);
  const nEnd = Math.min(most, 2 * size);
  const nBegin = Math.min(most - nEnd, size);
  const end = ids.subarray(ids.length - nEnd);
  const middle = ids.subarray(nBegin, ids.length - nEnd);
  const pieces = cut(middle, size);
  const scores = bm25(pieces, end);
  const chosen = [...pieces.keys()]
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, Math.floor((most - nEnd - nBegin) / size))
    .sort((a, b) => a - b)
    .map((at) => pieces[at]!);
  return Int32Array.from([ids.subarray(0, nBegin), ...chosen, end].flatMap((part) => [...part]));
}

function cut(ids: Int32Array, size: number): Int32Array[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) =>
    ids.subarray(i * size, (i + 1) * size),
  );
}

/** How much each text has of a query. */
function bm25(texts: readonly Int32Array[], query: Int32Array): number[] {
  const wanted = new Set(query);
  const counts = texts.map((text) => {
    const count = new Map<number, number>();
    for (const id of text) if (wanted.has(id)) count.set(id, (count.get(id) ?? 0) + 1);
    return count;
  });
  const nWith = new Map<number, number>();
  for (const count of counts)
    for (const id of count.keys()) nWith.set(id, (nWith.get(id) ?? 0) + 1);
  const meanLength = texts.reduce((sum, text) => sum + text.length, 0) / texts.length;
  return counts.map((count, i) => {
    const length = 1 - B + (B * texts[i]!.length) / meanLength;
    let score = 0;
    for (const [id, n] of count) {
      const holds = nWith.get(id)!;
      const rarity = Math.log(1 + (texts.length - holds + 0.5) / (holds + 0.5));
      score += (rarity * n * (K1 + 1)) / (n + K1 * length);
    }
    return score;
  });
}

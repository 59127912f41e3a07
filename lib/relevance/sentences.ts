/** Cuts text into parts that, together, are the text: sentences, and blocks between blank lines. */

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'sentence' });

/** As Unicode cuts sentences (UAX 29), and at each line's end. Parts without a letter or digit belong to the one before. */
export function sentencesOf(text: string): string[] {
  return joined(Array.from(SEGMENTER.segment(text), ({ segment }) => segment));
}

/** Paragraphs, or functions and classes in code: what stands between blank lines and begins at the left margin. */
export function blocksOf(text: string): string[] {
  const parts = text.match(/[^\n]*(?:\n|$)/g) ?? [];
  const blocks: string[] = [];
  let isAfterBlank = true;
  for (const line of parts) {
    const begins = isAfterBlank && /^[^\s})\]]/.test(line);
    if (begins || blocks.length === 0) blocks.push(line);
    else blocks[blocks.length - 1] += line;
    isAfterBlank = line.trim() === '';
  }
  return joined(blocks);
}

function joined(parts: readonly string[]): string[] {
  const whole: string[] = [];
  for (const part of parts)
    if (whole.length > 0 && !/[\p{L}\p{N}]/u.test(part)) whole[whole.length - 1] += part;
    else if (part !== '') whole.push(part);
  return whole;
}

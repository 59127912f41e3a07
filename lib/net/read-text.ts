/** The body of an answer as text. */
import type { Answer } from './send.js';

/** Undefined if it has more than `mostBytes`. Throws Interrupted. */
export async function readText(answer: Answer, mostBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    if ((length += chunk.length) > mostBytes) return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

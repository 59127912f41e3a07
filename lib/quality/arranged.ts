/** Prompts whose beginning is given as contexts: cut into pieces that stand together, or revised from another version of the text. */
import type { Context } from '../engine/context.js';
import type { ContextChoice } from '../engine/given-context.js';
import type { Engine } from '../engine.js';
import type { Setting } from './settings.js';

/** A prompt as it is asked: the tokens after its contexts. */
export interface Arranged extends ContextChoice {
  ids: readonly number[];
}

/** How many tokens an older version had more, in the middle of its first half. */
const INSERTED = 20;

/** `n`: how many first tokens are the context. */
export async function arranged(
  engine: Engine,
  ids: readonly number[],
  n: number,
  setting: Setting,
): Promise<Arranged> {
  const { combine, pieces = 6, revise } = setting;
  const rest = { ids: ids.slice(n) };
  if (revise !== undefined)
    return { ...rest, context: await revised(engine, ids.slice(0, n), revise) };
  if (combine === undefined) return { ids };
  const context: Context[] = [];
  for (let i = 0; i < pieces; i++) {
    const [begin, end] = [Math.floor((i * n) / pieces), Math.floor(((i + 1) * n) / pieces)];
    const piece = ids.slice(begin, end);
    // Each is computed by itself, after the token that every text begins with.
    if (piece.length > 0)
      context.push(await engine.cache.add(i === 0 ? piece : [ids[0]!, ...piece]));
  }
  return { ...rest, context, combine };
}

async function revised(engine: Engine, ids: readonly number[], reuse: 'prefix' | 'moved') {
  const at = Math.floor(ids.length / 4);
  const other = ids.slice(-INSERTED);
  const old = await engine.cache.add([...ids.slice(0, at), ...other, ...ids.slice(at)]);
  return engine.cache.revise(old, ids, { reuse });
}

/** How many first tokens several prompts have in common: the context before their questions. */
export function commonTokens(prompts: readonly (readonly number[])[]): number {
  const [first = [], ...others] = prompts;
  if (others.length === 0) return Math.floor((3 * first.length) / 4);
  const differs = first.findIndex((id, i) => others.some((ids) => ids[i] !== id));
  return differs < 0 ? Math.min(...prompts.map(({ length }) => length)) - 1 : differs;
}

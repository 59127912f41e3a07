/** The two halves of an engine, weights and vocabulary, are loaded at the same time; both are there, or neither. */
import { EngineCore } from './engine-core.js';
import { CachalotError } from './errors.js';
import type { FoundLayout, LayoutCache } from './models/layout-cache.js';
import type { EngineLoader, NativeEngineOptions } from './native.js';
import type { TokenizerThread } from './text/tokenizer-thread.js';

/**
 * Both halves of a model; if one of them fails, the other is ended. If both do, the weights' error is told: what is wrong with the
 * files is wrong for the vocabulary, too.
 */
export async function bothOf(loading: Promise<EngineCore>, opening: Promise<TokenizerThread>) {
  const [core, thread] = await Promise.allSettled([loading, opening]);
  if (core.status === 'fulfilled' && thread.status === 'fulfilled')
    return { core: core.value, thread: thread.value };
  for (const half of [core, thread]) if (half.status === 'fulfilled') await half.value.dispose();
  throw core.status === 'rejected' ? core.reason : (thread as PromiseRejectedResult).reason;
}

/** The engine's core, with the weights that an earlier load has laid out if they are of the very file that is loaded. */
export async function loadCore(
  path: string,
  options: NativeEngineOptions,
  layouts: LayoutCache | undefined,
  found: FoundLayout | undefined,
  onLoading: (bytes: number, totalBytes: number) => void,
  loader?: EngineLoader,
): Promise<EngineCore> {
  const core = await EngineCore.load(
    path,
    { ...options, layoutPath: found?.path ?? '' },
    onLoading,
    loader,
  );
  if (!found?.path || (await layouts!.isUnchanged(found))) return core;
  await core.dispose(); // the file was replaced while it was opened
  return EngineCore.load(path, options, onLoading, loader);
}

/** A model may have a few more rows than tokens, to fill up a multiple of something. */
export function checkSizes(tokens: number, rows: number): void {
  if (tokens <= rows && tokens >= 0.9 * rows) return;
  throw new CachalotError(
    'tokenizer_invalid',
    `the tokenizer has ${tokens} tokens, the model ${rows}`,
  );
}

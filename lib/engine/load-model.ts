/** Loads a model: its weights and its vocabulary at the same time. Either both are loaded, or neither. */
import { isPath } from '../checks/check-options.js';
import { CachalotError, abortError } from '../errors.js';
import { resolveModel } from '../models/pull.js';
import type { FoundLayout, LayoutCache } from '../models/store/layout-cache.js';
import type { EngineLoader, NativeEngineOptions } from '../native.js';
import { splitDraft } from '../options/draft-options.js';
import { LOAD, readLoadOptions } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { fillIn } from '../options/option-table.js';
import type { TokenTable } from '../text/token-table.js';
import { TokenizerThread } from '../text/tokenizer-thread.js';
import { EngineCore } from './engine-core.js';
import { EngineParts } from './engine-parts.js';
import { isOnGpu, layoutCacheOf, nativeOptionsOf } from './native-options.js';

/** `internal`: options that are not for users. `loader`: another addon instead of ours. */
export async function loadModel(
  model: string,
  given: LoadOptions,
  internal: Partial<NativeEngineOptions>,
  loader?: EngineLoader,
): Promise<{ parts: EngineParts; path: string }> {
  isPath('model', model);
  const options = readLoadOptions(given);
  const nativeOptions = { ...nativeOptionsOf(options), ...internal };
  const { onProgress, signal, cacheDir } = options;
  const path = await resolveModel(model, { onProgress, signal, cacheDir });
  const { model: draftModel, byDefault } = splitDraft(fillIn(LOAD, options).draft);
  const draftPath =
    draftModel === undefined
      ? undefined
      : await resolveModel(draftModel, { onProgress, signal, cacheDir });
  if (draftPath !== undefined) nativeOptions.draftModel = draftPath;
  if (signal?.aborted) throw abortError(signal);
  const layouts = isOnGpu(nativeOptions) ? undefined : layoutCacheOf(options);
  const found = await layouts?.find(path);
  // The vocabulary is read in one thread while weights are packed in others.
  const onLoading = (bytes: number, totalBytes: number) =>
    onProgress?.({ phase: 'load', part: 0, parts: 1, receivedBytes: bytes, totalBytes });
  const loading = loadCore(path, nativeOptions, layouts, found, onLoading, loader);
  const opening = TokenizerThread.open(path, options.tokenizer, signal);
  const { core, thread } = await bothOf(loading, opening);
  const { namespace, chatTemplate } = fillIn(LOAD, options);
  const parts = new EngineParts(core, thread, { namespace, chatTemplate, draft: byDefault });
  try {
    if (signal?.aborted) throw abortError(signal);
    if (draftPath !== undefined) await checkVocabulary(thread.table, draftPath, options, signal);
    checkSizes(thread.table.size, core.native.description().vocabulary);
  } catch (error) {
    await parts.dispose();
    throw error;
  }
  if (layouts && found) core.keepLayout(layouts, found);
  return { parts, path };
}

/**
 * Both halves of a model; if one of them fails, the other is ended. If both fail, the weights' error is thrown: what is wrong with
 * the files is also wrong for the vocabulary.
 */
async function bothOf(loading: Promise<EngineCore>, opening: Promise<TokenizerThread>) {
  const [core, thread] = await Promise.allSettled([loading, opening]);
  if (core.status === 'fulfilled' && thread.status === 'fulfilled')
    return { core: core.value, thread: thread.value };
  for (const half of [core, thread]) if (half.status === 'fulfilled') await half.value.dispose();
  throw core.status === 'rejected' ? core.reason : (thread as PromiseRejectedResult).reason;
}

/** The engine's core. It uses the packed weights of an earlier load if they were made of exactly the file that is loaded. */
async function loadCore(
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
  await core.dispose(); // the file was replaced while it was being opened
  return EngineCore.load(path, options, onLoading, loader);
}

/** A model may have a few more rows than tokens, because its matrix is padded to a multiple. */
function checkSizes(tokens: number, rows: number): void {
  if (tokens <= rows && tokens >= 0.9 * rows) return;
  throw new CachalotError(
    'tokenizer_invalid',
    `the tokenizer has ${tokens} tokens, the model ${rows}`,
  );
}

/** A draft model's tokens must mean what the model's do. */
async function checkVocabulary(
  table: TokenTable,
  draftPath: string,
  { tokenizer }: Readonly<LoadOptions>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (tokenizer !== undefined) return; // it is in place of both vocabularies
  const draft = await TokenizerThread.open(draftPath, undefined, signal);
  try {
    const n = Math.min(table.size, draft.table.size);
    for (let id = 0; id < n; id++)
      if (Buffer.compare(table.bytes(id), draft.table.bytes(id)) !== 0)
        throw new CachalotError(
          'invalid_argument',
          `the draft model ${draftPath} has another vocabulary: its token ${id} is not the model's`,
        );
  } finally {
    await draft.dispose();
  }
}

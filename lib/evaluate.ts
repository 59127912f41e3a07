/** Requests that compute and generate nothing: log-probabilities of a text, logits of some rows. */
import { CachalotError, abortError } from './errors.js';
import type { EngineCore } from './engine-core.js';
import type { ErrorCode } from './errors.js';
import type { NativeFinish } from './native.js';

/** `values` of the answer holds the log-probabilities, or the rows of logits one after the other. */
export function evaluate(
  { core, namespace }: { core: EngineCore; namespace: string },
  kind: 'score' | 'logits',
  tokens: Int32Array,
  rows: Int32Array,
  signal?: AbortSignal,
): Promise<NativeFinish> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw abortError(signal);
    const onAbort = () => core.cancel(id);
    const id: number = core.submit(
      {
        kind,
        namespace,
        tokens,
        maxTokens: 0,
        temperature: 0,
        seed: 0,
        completion: 0,
        stopTokens: new Int32Array(0),
        rows,
      },
      {
        onToken: () => undefined,
        onFinish: (finish) => {
          signal?.removeEventListener('abort', onAbort);
          if (finish.reason === 'done') resolve(finish);
          else if (finish.reason !== 'error') reject(abortError(signal));
          else reject(new CachalotError(finish.errorCode as ErrorCode, finish.errorMessage ?? ''));
        },
      },
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

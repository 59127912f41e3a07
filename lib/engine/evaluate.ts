/** Requests that compute but generate nothing: log-probabilities of a text, logits of some rows, keys and values. */
import { ownOnly } from '../checks/check-options.js';
import { abortError } from '../errors.js';
import type { CachalotError } from '../errors.js';
import type { Content } from '../layout/layout.js';
import { nativeText } from '../layout/native-preambles.js';
import type { NativeFinish } from '../native.js';
import { finishError } from '../request/finish.js';
import { newRequest } from '../request/request.js';
import type { EngineRequest } from '../request/request.js';
import { watchRequest } from '../request/request-events.js';
import { onAbort } from '../signals/abort.js';
import type { EngineCore } from './engine-core.js';

/** What is computed; for "prefill" also how its keys and values are kept. */
export interface Evaluation extends Partial<
  Pick<
    EngineRequest,
    | 'rows'
    | 'from'
    | 'window'
    | 'edits'
    | 'observed'
    | 'batch'
    | 'batchRank'
    | 'pin'
    | 'priority'
    | 'ttlMs'
  >
> {
  kind: Exclude<EngineRequest['kind'], 'generate'>;
  content: Content;
}

/** The first row whose output is wanted, counted from the content's first token. */
export function firstRow(asked: Evaluation): number {
  const { from, rows, content } = ownOnly(asked);
  return from === undefined ? (rows?.[0] ?? content.ids.length - 1) : from - 1;
}

/** As C++ has it: what is in parts stands before the tokens, and rows count from these. */
function textOf(asked: Evaluation) {
  const { content, ...others } = asked;
  const rest = ownOnly(others);
  const { nBefore, ...text } = nativeText(content, firstRow(asked));
  const rows = rest.rows?.map((row) => row - nBefore);
  const from = rest.from === undefined ? undefined : rest.from - nBefore;
  return { ...rest, ...text, ...(rows && { rows }), ...(from !== undefined && { from }) };
}

/** `values` of the answer holds the log-probabilities, or the rows of logits one after the other. */
export function evaluate(
  { core, namespace }: { core: EngineCore; namespace: string },
  asked: Evaluation,
  signal?: AbortSignal,
): Promise<NativeFinish> {
  const { kind } = asked;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw abortError(signal);
    const events = watchRequest(
      kind === 'prefill' || kind === 'attention' ? 'cache' : kind,
      asked.content.base.end + asked.content.ids.length,
    );
    const id: number = core.submit(newRequest({ namespace, ...textOf(asked) }), {
      events,
      onToken: () => undefined,
      onFinish: (finish) => {
        release();
        const error = errorOf(finish, signal);
        events?.finished(error ?? { finishReason: 'done' }, finish);
        if (error) reject(error);
        else resolve({ ...finish, values: ofThisRealm(finish.values) });
      },
    });
    const release = onAbort(signal, () => core.cancel(id));
  });
}

function errorOf(finish: NativeFinish, signal?: AbortSignal): CachalotError | undefined {
  if (finish.reason === 'done') return undefined;
  return finish.reason === 'error' ? finishError(finish) : abortError(signal);
}

/** The same memory as an array of this realm, so that `instanceof` works: in test runners the addon belongs to another realm. */
function ofThisRealm({ buffer, byteOffset, length }: Float32Array): Float32Array {
  return new Float32Array(buffer, byteOffset, length);
}

/** The addon's engine by itself: requests as C++ receives them, with parts before their tokens. */
import { nativeOptionsOf } from '../../lib/engine/native-options.js';
import type {
  NativeEngine,
  NativeEvents,
  NativeFinish,
  NativePreamble,
  NativeRequest,
} from '../../lib/native.js';
import { native } from '../../lib/native.js';
import type { LoadOptions } from '../../lib/index.js';
import { readLoadOptions } from '../../lib/options/load-options.js';
import { emulatedLibrary } from '../testing.js';
import { nativeRequest } from './native-request.js';

/** All that came of a request. */
export interface Answer {
  tokens: number[];
  logprobs: number[];
  finish: NativeFinish;
}

export type Preamble = NativePreamble;

type Asked = Partial<Omit<NativeRequest, 'tokens'>> & { tokens: readonly number[] };

export class NativeClient {
  private readonly open = new Map<number, Answer & { end: (answer: Answer) => void }>();
  private engine!: NativeEngine;
  private lastId = 0;

  /** `keepParts`: preambles are not brought into canonical form. */
  static async load(
    path: string,
    options: LoadOptions,
    { keepParts = false } = {},
  ): Promise<NativeClient> {
    const client = new NativeClient();
    const given = {
      ...nativeOptionsOf(readLoadOptions(options)),
      cudaLibrary: emulatedLibrary ?? '',
      costsFolder: '',
      keepParts,
    };
    client.engine = await native().load(path, given, (events) => {
      client.hear(events);
    });
    client.engine.keepAlive(true);
    return client;
  }

  async submit(request: Asked): Promise<Answer> {
    const id = ++this.lastId;
    const end = new Promise<Answer>((resolve) => {
      this.open.set(id, { tokens: [], logprobs: [], finish: undefined as never, end: resolve });
    });
    this.engine.submit({
      ...nativeRequest(id, request.tokens),
      ...request,
      tokens: Int32Array.from(request.tokens),
    });
    return end;
  }

  /** The logits after each of the last n tokens. */
  async logits(
    tokens: readonly number[],
    more: Pick<Asked, 'preamble' | 'edits' | 'window'> = {},
    n = tokens.length,
  ): Promise<Float32Array[]> {
    const rows = Int32Array.from({ length: n }, (_, i) => tokens.length - n + i);
    const { finish } = await this.submit({ kind: 'logits', tokens, rows, ...more });
    if (finish.reason !== 'done') throw new Error(`${finish.errorCode}: ${finish.errorMessage}`);
    const { vocabulary } = this.engine.description();
    return [...rows.keys()].map((i) => finish.values.slice(i * vocabulary, (i + 1) * vocabulary));
  }

  get kvBytesPerToken(): number {
    return this.engine.description().kvBytesPerToken;
  }
  unpin(pin: number): void {
    this.engine.unpin(pin);
  }
  clearCache(): void {
    this.engine.clearCache();
  }
  stats() {
    return this.engine.stats();
  }
  dispose(): Promise<void> {
    return this.engine.dispose();
  }

  private hear({ tokens, finished }: NativeEvents): void {
    for (let at = 0; at < tokens.length; at += 4 + 2 * tokens[at + 3]!) {
      const answer = this.open.get(tokens[at]!)!;
      answer.tokens.push(tokens[at + 1]!);
      answer.logprobs.push(tokens[at + 2]!);
    }
    for (const finish of finished) {
      const { end, ...answer } = this.open.get(finish.id)!;
      this.open.delete(finish.id);
      end({ ...answer, finish });
    }
  }
}

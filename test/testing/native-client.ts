/** The addon's engine by itself: requests as C++ receives them, with parts before their tokens. */
import { nativeOptionsOf } from '../../lib/engine/native-options.js';
import type {
  NativeEngine,
  NativeEvents,
  NativeFinish,
  NativePreambles,
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

/** What stands before a text, as a tree: each text with what stands before it. */
export interface Preamble {
  parts: {
    tokens: Int32Array;
    first: number;
    shift: number;
    under?: Preamble;
    temperature?: number;
    scale?: number;
    blend?: number;
  }[];
  position: number;
}

/** As the addon receives it. */
export function flatPreambles(preamble: Preamble): NativePreambles {
  const flat: NativePreambles = { texts: [], list: [] };
  const known = new Map<Preamble, number>();
  const add = (preamble: Preamble): number => {
    const { parts, position } = preamble;
    if (known.has(preamble)) return known.get(preamble)!;
    const placed = parts.map((part) => {
      const { tokens, first, shift, under, temperature = 1, scale = 1, blend = -1 } = part;
      flat.texts.push(tokens);
      const lseFactor = scale * temperature;
      const place = { text: flat.texts.length - 1, first, end: tokens.length, shift };
      const below = under ? add(under) : -1;
      return { ...place, under: below, sharpness: 1 / temperature, blend, lseFactor };
    });
    known.set(preamble, flat.list.push({ parts: placed, position }) - 1);
    return known.get(preamble)!;
  };
  add(preamble);
  return flat;
}

interface Asked extends Partial<Omit<NativeRequest, 'tokens' | 'preambles'>> {
  tokens: readonly number[];
  preamble?: Preamble;
}

/** What no user can ask for. */
export interface Internal {
  /** Preambles are not brought into canonical form. */
  keepParts?: boolean;
  /** Every guess is tried, whatever it costs. */
  alwaysDrafts?: boolean;
  /** The path of a smaller model that guesses. */
  draftModel?: string;
}

export class NativeClient {
  private readonly open = new Map<number, Answer & { end: (answer: Answer) => void }>();
  private engine!: NativeEngine;
  private lastId = 0;

  static async load(
    path: string,
    options: LoadOptions,
    internal: Internal = {},
  ): Promise<NativeClient> {
    const client = new NativeClient();
    const given = {
      ...nativeOptionsOf(readLoadOptions(options)),
      cudaLibrary: emulatedLibrary ?? '',
      costsFolder: '',
      ...internal,
    };
    client.engine = await native().load(path, given, (events) => {
      client.hear(events);
    });
    client.engine.keepAlive(true);
    return client;
  }

  async submit({ preamble, ...request }: Asked): Promise<Answer> {
    const id = ++this.lastId;
    const end = new Promise<Answer>((resolve) => {
      this.open.set(id, { tokens: [], logprobs: [], finish: undefined as never, end: resolve });
    });
    this.engine.submit({
      ...nativeRequest(id, request.tokens),
      ...request,
      ...(preamble && { preambles: flatPreambles(preamble) }),
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

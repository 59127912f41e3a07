/** Requests as C++ receives them, and their events. */

/** What stands before a request's tokens; native/engine/request.h. Each preamble may stand below those before it in the list; the last one is the request's. */
export interface NativePreambles {
  texts: Int32Array[];
  list: {
    parts: NativePart[];
    /** The logical position of the text's first token: no part ends after it. */
    position: number;
  }[];
}

/** Tokens [first, end) of a text, moved by `shift` from where that text stands. */
export interface NativePart {
  /** Its place in `texts`. */
  text: number;
  first: number;
  end: number;
  shift: number;
  /** The preamble that stands before the text itself, by its place in the list; -1: none. */
  under: number;
  /** How it is read; native/backend/plan_records.h. 1, -1 and 1: like any text. */
  sharpness: number;
  blend: number;
  lseFactor: number;
}

/** An edit of a request's context, when its first `index` tokens have been computed; native/kv/policies/. */
export interface NativeEdit {
  index: number;
  policy: string;
  options: Int32Array;
}

/** Which guesses a generation tries; native/schedule/draft_options.h. */
export interface NativeDraft {
  lookup: boolean;
  recycle: boolean;
  trigram: boolean;
  jacobi: boolean;
  /** Of the engine's draft model, if it has one. */
  model: boolean;
  maxTokens: number;
  /** Ids of the text that is expected. */
  prediction: Int32Array;
}

/** What a guide reads in place of the prompt; native/schedule/drafting/guide.h. */
export interface NativeDraftContext {
  tokens: Int32Array;
  factor: number;
}

/** What an answer has to match; of one engine, made by `compileRegex`, `compileGrammar` and `compileSchema`. Opaque: C++ knows what it is. */
export interface NativeGrammar {
  readonly holds: 'grammar';
}

export interface NativeRequest {
  id: number;
  kind: 'generate' | 'score' | 'logits' | 'prefill' | 'attention';
  namespace: string;
  tokens: Int32Array;
  /** What stands before the tokens. */
  preambles?: NativePreambles;
  /** In ascending order. */
  edits?: NativeEdit[];
  /** Rows read the first `sinks` positions and the last `size`. */
  window?: { sinks: number; size: number };
  maxTokens: number;
  sampling: NativeSampling;
  /** Absent: nothing is guessed. */
  draft?: NativeDraft;
  draftContext?: NativeDraftContext;
  grammar?: NativeGrammar;
  stopTokens: Int32Array;
  rows: Int32Array;
  /** Of a "score": index of the first token that is scored, at least 1. */
  from: number;
  /** Of "attention": how many last rows are observed. */
  observed?: number;
  /** Of a "prefill": if not 0, keeps the keys and values until `unpin` of the same number. */
  pin: number;
  /** 0 to 100: which requests run first, and whose keys and values are kept longest. */
  priority: number;
  /** Of a "prefill": how long its keys and values are kept after their last use; 0: no limit. */
  ttlMs: number;
  /** Counted from submission; 0: none. */
  deadlineMs: number;
  /** If not 0: an item of that batch, and its place in the batch's order. */
  batch: number;
  batchRank: number;
  /** Whether to report its first step. */
  tellStart: boolean;
}

/** A request is in its first step. */
export interface NativeStart {
  id: number;
  cachedTokens: number;
  queuedMs: number;
}

/** backend/params.h and engine/request.h describe the fields. */
export interface NativeSampling {
  biasTokens: Int32Array;
  biasValues: Float32Array;
  repetitionPenalty: number;
  frequencyPenalty: number;
  presencePenalty: number;
  penaltyWindow: number;
  dryMultiplier: number;
  dryBase: number;
  dryAllowedLength: number;
  dryWindow: number;
  dryBreakers: Int32Array;
  temperature: number;
  topK: number;
  typicalP: number;
  topP: number;
  minP: number;
  seed: number;
  completion: number;
  topLogprobs: number;
}

export interface NativeFinish {
  id: number;
  reason: 'stop' | 'length' | 'done' | 'aborted' | 'error';
  errorCode?: string;
  errorMessage?: string;
  promptTokens: number;
  cachedTokens: number;
  /** Of the prompt, that are read where they were not computed. */
  movedTokens: number;
  generatedTokens: number;
  queuedMs: number;
  prefillMs: number;
  decodeMs: number;
  /** The KV that it read last: keys of a head on average, of how many tokens, and bytes. */
  kv: { kept: number; of: number; bytes: number };
  /** Tokens that were guessed and tried, and that were right. */
  draft: { proposed: number; accepted: number };
  /** Log-probabilities; rows of logits; or of "attention", for each head and token, the sum of the probabilities of the observed rows. */
  values: Float32Array;
}

/**
 * All events of one step, or of the steps since JavaScript last looked. `tokens` is flat, repeated: request id, token id, log-probability, n, and n times
 * (token id, log-probability) of the likeliest tokens.
 */
export interface NativeEvents {
  /** Of requests that asked for it. */
  started?: NativeStart[];
  tokens: Float64Array;
  finished: NativeFinish[];
  /** While the model is loaded: how many bytes of its weights are ready; the last such event may come together with the first tokens. */
  loadedBytes?: number;
  totalBytes?: number;
}

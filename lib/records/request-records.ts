/** Requests as they are handed to C++, and what comes back of them. */
export interface NativeRequest {
  id: number;
  kind: 'generate' | 'score' | 'logits' | 'prefill';
  namespace: string;
  tokens: Int32Array;
  maxTokens: number;
  sampling: NativeSampling;
  stopTokens: Int32Array;
  rows: Int32Array;
  /** Of a "prefill": not 0: keeps the keys and values until `unpin` of the same number. */
  pin: number;
  /** 0 to 100: who runs first, and whose keys and values are kept longest. */
  priority: number;
  /** Of a "prefill": how long its keys and values are kept after their last use; 0: no limit. */
  ttlMs: number;
  /** From submission; 0: none. */
  deadlineMs: number;
  /** Not 0: an item of that batch, and its place in the batch's order. */
  batch: number;
  batchRank: number;
  /** Whether to tell when it is in its first step. */
  tellStart: boolean;
}

/** A request is in its first step. */
export interface NativeStart {
  id: number;
  cachedTokens: number;
  queuedMs: number;
}

/** backend/params.h and engine/request.h say what each does. */
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
  generatedTokens: number;
  queuedMs: number;
  prefillMs: number;
  decodeMs: number;
  values: Float32Array;
}

/**
 * All that happened in one step, or in those since JavaScript last looked. `tokens` is flat, repeated: request id, token id, log-probability, n, and n times
 * (token id, log-probability) of the likeliest tokens.
 */
export interface NativeEvents {
  /** Of those that asked for it. */
  started?: NativeStart[];
  tokens: Float64Array;
  finished: NativeFinish[];
  /** While the model is loaded: how many bytes of its weights are ready; the last may come with the first tokens. */
  loadedBytes?: number;
  totalBytes?: number;
}

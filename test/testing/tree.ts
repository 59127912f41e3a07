/** The prefix tree over a real pool, without a model: native/addon/testing/tree.cpp. */

export interface NativeTree {
  open(key: string, tokens: Int32Array): { leaf: number; cached: number };
  match(key: string, tokens: Int32Array): number;
  reserve(leaf: number, n: number): boolean;
  commit(leaf: number, tokens: Int32Array): void;
  release(leaf: number): void;
  discard(leaf: number): void;
  runs(leaf: number): number[];
  /** Without arguments: lets go of what was pinned last. */
  pin(key?: string, tokens?: Int32Array): void;
  retain(key: string, tokens: Int32Array, priority: number, ttlMs: number): void;
  giveUp(key: string, tokens: Int32Array, keep: number): void;
  setTime(ms: number): void;
  counts(): { free: number; available: number; segments: number; copied: number };
  clear(): void;
}

export interface TreeBinding {
  PrefixTree: new (runs: number) => NativeTree;
}

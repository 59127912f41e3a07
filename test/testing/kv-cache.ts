/** The cache over a real pool, without a model: native/addon/testing/kv_cache.cpp. */

export interface NativeKvCache {
  open(key: string, tokens: Int32Array): { leaf: number; cached: number };
  match(key: string, tokens: Int32Array): number;
  reserve(leaf: number, n: number): boolean;
  commit(leaf: number, tokens: Int32Array): void;
  release(leaf: number): void;
  discard(leaf: number): void;
  slabs(leaf: number): number[];
  /** Without arguments: lets go of what was pinned last. */
  pin(key?: string, tokens?: Int32Array): void;
  setRetention(key: string, tokens: Int32Array, priority: number, ttlMs: number): void;
  demote(key: string, tokens: Int32Array, keep: number): void;
  setTime(ms: number): void;
  counts(): { free: number; available: number; segments: number; copied: number };
  clear(): void;
}

export interface KvCacheBinding {
  KvCache: new (slabs: number) => NativeKvCache;
}

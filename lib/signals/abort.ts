/**
 * Listens to an AbortSignal that many requests may share. A signal has one listener of ours however many requests use
 * it, and none after they have ended. (AbortSignal.any keeps the signals that it makes as long as their sources live: one entry
 * for every request that ever was, nodejs/node#54614.)
 */
const listeners = new WeakMap<AbortSignal, Set<() => void>>();

const nothing = () => undefined;

/** Calls `listener` when `signal` is aborted; the returned function removes it. If `signal` is already aborted, nothing is called. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined || signal.aborted) return nothing;
  const all = listeners.get(signal) ?? listenTo(signal);
  const own = () => listener(); // the same function may listen twice
  all.add(own);
  return () => {
    if (all.delete(own) && all.size === 0) stopListening(signal);
  };
}

/** A signal that is aborted when one of the two is, until it is released. */
export function either(
  first: AbortSignal | undefined,
  second: AbortSignal | undefined,
): { signal: AbortSignal | undefined; release: () => void } {
  if (first === undefined || second === undefined || first === second)
    return { signal: first ?? second, release: nothing };
  const aborted = [first, second].find((signal) => signal.aborted);
  if (aborted) return { signal: aborted, release: nothing };
  const both = new AbortController();
  const releases = [first, second].map((signal) =>
    onAbort(signal, () => both.abort(signal.reason)),
  );
  return { signal: both.signal, release: () => releases.forEach((release) => release()) };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>();
  listeners.set(signal, all);
  signal.addEventListener('abort', callAll);
  return all;
}

function stopListening(signal: AbortSignal): void {
  listeners.delete(signal);
  signal.removeEventListener('abort', callAll);
}

function callAll(this: AbortSignal): void {
  const all = listeners.get(this);
  if (!all) return;
  stopListening(this);
  // A listener may remove others.
  for (const listener of [...all]) if (all.delete(listener)) listener();
}

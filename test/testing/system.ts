/** What the process may use of its machine, and allocations that fail: native/addon/testing/ops.cpp and allocations.cpp. */

export interface SystemBinding {
  /** Physical cores that this process may run on, as a file system with this root says. */
  usableCores(root: string): number;
  /** See native/tests/failing_new.cpp; only in a process that was started with it. */
  failAllocation(n: number, forEver: boolean): number;
  /** Bytes that this process can have, and what is left of them, as a file system with this root says. */
  systemMemory(root: string): { limit: number; left: number };
}

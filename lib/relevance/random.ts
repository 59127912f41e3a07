/** Draws that a seed repeats: splitmix32 (a public-domain generator of 32 bits). Good enough to choose questions, not for anything else. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to below n. */
  below(n: number): number {
    return Math.floor((this.bits() / 2 ** 32) * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** So many different items, in random order. */
  some<T>(items: readonly T[], n: number): T[] {
    const left = [...items];
    return Array.from({ length: n }, () => left.splice(this.below(left.length), 1)[0]!);
  }

  shuffled<T>(items: readonly T[]): T[] {
    return this.some(items, items.length);
  }

  private bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}

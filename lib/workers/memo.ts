/** Caches answers that take a while and stay correct: the last few are kept, failures are not. */
export class Memo<T> {
  readonly #known = new Map<string, Promise<T>>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key);
    if (known) return known;
    const found = find();
    found.catch(() => this.#known.delete(key));
    const [oldest] = this.#known.keys();
    if (this.#known.size >= this.#max) this.#known.delete(oldest!);
    this.#known.set(key, found);
    return found;
  }
}

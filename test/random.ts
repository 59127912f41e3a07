/** Seeded random numbers (mulberry32), so that a failure can be repeated. */

const { cos, floor, imul, log, PI, sin, sqrt } = Math; // looking up a global costs much under jest

function mixed(state: number): number {
  let t = imul(state ^ (state >>> 15), state | 1);
  t ^= t + imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}

const STEP = 0x6d2b79f5;

export class Random {
  #state: number; // as a signed integer, which V8 need not allocate

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + STEP) | 0;
    return mixed(this.#state) / 2 ** 32;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return floor(this.next() * n);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    return sqrt(-2 * log(1 - this.next())) * cos(2 * PI * this.next());
  }

  /** Standard normals, times `scale`: a pair of them from two uniform numbers. */
  normals(n: number, scale = 1): Float32Array {
    const out = new Float32Array(n);
    let state = this.#state;
    for (let i = 0; i < n; i += 2) {
      state = (state + STEP) | 0;
      const radius = scale * sqrt(-2 * log(1 - mixed(state) / 2 ** 32));
      state = (state + STEP) | 0;
      const angle = (2 * PI * mixed(state)) / 2 ** 32;
      out[i] = radius * cos(angle);
      if (i + 1 < n) out[i + 1] = radius * sin(angle);
    }
    this.#state = state;
    return out;
  }

  /** Starts a buffer of its own, which may be read as numbers of any size. */
  bytes(n: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(n / 4));
    let state = this.#state;
    for (let i = 0; i < words.length; i++) {
      state = (state + STEP) | 0;
      words[i] = mixed(state);
    }
    this.#state = state;
    return new Uint8Array(words.buffer, 0, n);
  }
}

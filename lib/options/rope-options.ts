/** How rotary positions are stretched over longer contexts than a model was trained for. */
import { checkOptions, numberIn, oneOf, readList } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { NativeRope } from '../native.js';

export interface RopeOptions {
  /**
   * "linear": positions are divided (arXiv 2306.15595). "ntk": long wavelengths grow, short ones stay. "yarn": the same by dimension, with sharper attention (arXiv
   * 2309.00071). "longrope": the tables that the model has (arXiv 2402.13753); which one, `contextLength` says. "none": not at all. Default: as the
   * model's file says.
   */
  scaling?: 'none' | 'linear' | 'ntk' | 'yarn' | 'longrope' | undefined;
  /** By which contexts grow: 2 is twice the length that the model was trained for. For "linear", "ntk" and "yarn". */
  factor?: number | undefined;
  /** Of the frequencies. Default: the file's. */
  base?: number | undefined;
  /** What each pair's frequency is divided by, as `cachalot rope` prints it: half as many numbers as a head has rotated dimensions. */
  table?: readonly number[] | undefined;
}

const isTable: Check<readonly number[]> = (name, value) => {
  const isNumber = numberIn(1e-6, 1e6);
  const numbers = readList(name, value, 'an array of numbers', (one, i) =>
    isNumber(`${name}[${i}]`, one),
  );
  if (numbers.length === 0 || numbers.length > 4096)
    throw invalidArgument(name, '1 to 4096 numbers', numbers.length);
  return numbers;
};

const CHECKS = {
  scaling: oneOf('none', 'linear', 'ntk', 'yarn', 'longrope'),
  factor: numberIn(1e-3, 1024),
  base: numberIn(1e-3, 1e12),
  table: isTable,
};

export const isRope: Check<RopeOptions> = (name, value) => {
  const given = checkOptions(value as RopeOptions, CHECKS, `${name}.`);
  const { scaling, factor = 0 } = given;
  const isFactored = scaling === 'linear' || scaling === 'ntk' || scaling === 'yarn';
  if (isFactored !== factor > 0)
    throw invalidArgument(
      `${name}.factor`,
      isFactored
        ? `a number, for the scaling "${scaling}"`
        : 'nothing, but for the scalings linear, ntk and yarn',
      given.factor,
    );
  return given;
};

/** As C++ receives it: empty and 0 for what the file says. */
export function nativeRope(given: RopeOptions): NativeRope {
  const { factor = 0, base = 0, table = [] } = given;
  return { scaling: given.scaling ?? '', factor, base, table: Float32Array.from(table) };
}

/** Filters and tests, as a template names them. Some, such as `map` and `select`, are given the name of another. */
import type { Arguments, Value } from './values.js';

export type Filter = (value: Value, given: Arguments, language: Language) => Value;

export type Test = (value: Value, given: Arguments, language: Language) => boolean;

export interface Language {
  readonly filter: (name: string) => Filter | undefined;
  readonly test: (name: string) => Test | undefined;
}

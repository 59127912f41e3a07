/** Filters and tests, by their names in templates. Some, such as `map` and `select`, take the name of another one. */
import type { Arguments, Value } from './values.js';

export type Filter = (value: Value, given: Arguments, language: Language) => Value;

export type Test = (value: Value, given: Arguments, language: Language) => boolean;

export interface Language {
  readonly filter: (name: string) => Filter | undefined;
  readonly test: (name: string) => Test | undefined;
}

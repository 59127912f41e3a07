/**
 * Options as tables: one row holds everything about an option. Checks, defaults, the record for C++ and the flags are all made
 * from the row.
 */
import { oneOf, ownOnly } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';

export interface OptionRow {
  readonly check: Check;
  /** The default. Absent: none. */
  readonly byDefault?: unknown;
  /** Its field in the record that C++ receives. */
  readonly native?: string;
  /** The description of its flag in the help of the command line. */
  readonly flag?: FlagHelp;
}

export interface FlagHelp {
  /** The placeholder of the value in the help. */
  readonly value: string;
  readonly help: string;
}

/** A row for each of these names, no more and no fewer. */
export type OptionTable<Names extends string = string> = Readonly<Record<Names, OptionRow>>;

type DefaultOf<Row> = Row extends { readonly byDefault: infer Value } ? Value : undefined;

/** Every option of a table with its value. */
export type Filled<Table extends OptionTable> = {
  [Name in keyof Table]: ReturnType<Table[Name]['check']> | DefaultOf<Table[Name]>;
};

/** The fields of the table's rows in a record for C++. */
export type NativeFields<Table extends OptionTable> = {
  [
    Name in keyof Table as Table[Name] extends { readonly native: infer Field extends string }
      ? Field
      : never
  ]: Filled<Table>[Name];
};

/** A row of an option whose value is one of a few words; the first is the default. */
export function choice<const Field extends string, const Word extends string>(
  native: Field,
  ...choices: readonly Word[]
) {
  return { check: oneOf(...choices), choices, byDefault: choices[0]!, native };
}

/** The checks of a table, for `checkOptions`. */
export function checksOf<Table extends OptionTable>(table: Table) {
  const pairs = Object.entries(table).map(([name, { check }]) => [name, check]);
  return Object.fromEntries(pairs) as { [Name in keyof Table]: Table[Name]['check'] };
}

/** The values of a table's options: as given, or else their defaults. `given` has been checked. */
export function fillIn<Table extends OptionTable>(table: Table, given: object): Filled<Table> {
  const own = ownOnly(given) as Record<string, unknown>;
  const pairs = Object.entries(table).map(([name, row]) => [name, own[name] ?? row.byDefault]);
  return Object.fromEntries(pairs) as Filled<Table>;
}

/** The same, as the fields of a record for C++. */
export function nativeFields<Table extends OptionTable>(
  table: Table,
  given: object,
): NativeFields<Table> {
  const values = fillIn(table, given);
  const pairs = Object.entries<OptionRow>(table).flatMap(([name, { native }]) =>
    native === undefined ? [] : [[native, values[name]]],
  );
  return Object.fromEntries(pairs) as NativeFields<Table>;
}

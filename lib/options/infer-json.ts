/** The type of the values that fit a JSON Schema whose type is known in full, as with `as const`: the common keywords. */

/** Schemas refer to others; what is deeper than this is `unknown`. */
type Deeper = [never, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

type Named = {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  null: null;
};

type Flat<T> = { [K in keyof T]: T[K] };

type Properties<S> = S extends { readonly properties: infer P } ? P : unknown;
type Required<S> = S extends { readonly required: readonly (infer Name)[] } ? Name : never;

type ObjectOf<S, D extends number> =
  Properties<S> extends infer P
    ? unknown extends P
      ? Record<string, unknown>
      : Flat<
          { [K in keyof P as K extends Required<S> ? K : never]: InferJson<P[K], Deeper[D]> } & {
            [K in keyof P as K extends Required<S> ? never : K]?: InferJson<P[K], Deeper[D]>;
          }
        >
    : never;

type ArrayOf<S, D extends number> = S extends { readonly prefixItems: infer First }
  ? S extends { readonly items: false }
    ? { -readonly [I in keyof First]: InferJson<First[I], Deeper[D]> }
    : unknown[]
  : S extends { readonly items: infer Item }
    ? InferJson<Item, Deeper[D]>[]
    : unknown[];

type Typed<Name, S, D extends number> = Name extends keyof Named
  ? Named[Name]
  : Name extends 'array'
    ? ArrayOf<S, D>
    : Name extends 'object'
      ? ObjectOf<S, D>
      : unknown;

type EachOf<List, D extends number> = List extends readonly (infer One)[]
  ? One extends unknown
    ? InferJson<One, Deeper[D]>
    : never
  : unknown;

export type InferJson<S, D extends number = 11> = [D] extends [never]
  ? unknown
  : S extends { readonly const: infer Value }
    ? Value
    : S extends { readonly enum: readonly (infer Value)[] }
      ? Value
      : S extends { readonly anyOf: infer List }
        ? EachOf<List, D>
        : S extends { readonly oneOf: infer List }
          ? EachOf<List, D>
          : S extends { readonly type: readonly (infer Name)[] }
            ? Name extends unknown
              ? Typed<Name, S, D>
              : never
            : S extends { readonly type: infer Name }
              ? Typed<Name, S, D>
              : unknown;

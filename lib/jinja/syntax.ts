/** The syntax tree of a template. */

export type Expression =
  | { type: 'constant'; value: string | number | bigint | boolean | null }
  | { type: 'float'; value: number }
  | { type: 'name'; name: string }
  | { type: 'list' | 'tuple'; items: Expression[] }
  | { type: 'dict'; pairs: [Expression, Expression][] }
  | { type: 'attribute'; of: Expression; name: string }
  | { type: 'item'; of: Expression; key: Expression }
  | { type: 'slice'; start: Expression | null; stop: Expression | null; step: Expression | null }
  | { type: 'call'; callee: Expression; given: Given }
  | { type: 'filter'; of: Expression | null; name: string; given: Given; line: number }
  | { type: 'test'; of: Expression; name: string; given: Given; line: number }
  | { type: 'not' | 'negative' | 'positive'; of: Expression }
  | { type: 'and' | 'or'; left: Expression; right: Expression }
  | { type: 'concatenation'; parts: Expression[] }
  | { type: 'arithmetic'; operator: Operator; left: Expression; right: Expression }
  | { type: 'comparison'; first: Expression; rest: [Comparison, Expression][] }
  | { type: 'condition'; test: Expression; then: Expression; otherwise: Expression | null };

export type Operator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';

/** Arguments of a call. */
export interface Given {
  positional: Expression[];
  named: [string, Expression][];
  list: Expression | null; // *arguments
  dict: Expression | null; // **arguments
}

export type Target =
  | { type: 'name'; name: string }
  | { type: 'field'; name: string; field: string } // of a namespace
  | { type: 'targets'; items: Target[] };

export type Filter = Extract<Expression, { type: 'filter' }>;
export type Call = Extract<Expression, { type: 'call' }>;

export interface Parameter {
  name: string;
  default: Expression | null;
}

export type Statement = { line: number } & (
  | { type: 'text'; text: string }
  | { type: 'print'; value: Expression }
  | { type: 'set'; target: Target; value: Expression }
  | { type: 'set block'; target: Target; filter: Filter | null; body: Statement[] }
  | { type: 'if'; branches: { test: Expression; body: Statement[] }[]; otherwise: Statement[] }
  | For
  | { type: 'break' | 'continue' }
  | { type: 'macro'; name: string; parameters: Parameter[]; body: Statement[] }
  | { type: 'call block'; call: Call; parameters: Parameter[]; body: Statement[] }
  | { type: 'filter block'; filter: Filter; body: Statement[] }
  | { type: 'with'; pairs: [Target, Expression][]; body: Statement[] }
  | { type: 'generation'; body: Statement[] }
);

export interface For {
  type: 'for';
  line: number;
  target: Target;
  items: Expression;
  test: Expression | null;
  recursive: boolean;
  body: Statement[];
  otherwise: Statement[];
}

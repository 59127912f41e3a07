/** The functions that a chat template can call: jinja2's, and those that transformers adds. */
import { Bound } from './arguments.js';
import { collect } from './budget.js';
import { RaisedError, TemplateError, TooLargeError, unsupported } from './errors.js';
import { iterate } from './operators.js';
import { print } from './print.js';
import { strftime } from './strftime.js';
import { Callable, Dict, Namespace, Range } from './values.js';
import type { Arguments, Value } from './values.js';

/** The limit of jinja2's sandbox. */
const MAX_RANGE = 100_000;

function range(given: Arguments): Value {
  const bound = new Bound('range', given, 'start! stop step /');
  const first = bound.index('start', 0);
  const [start, stop] =
    bound.get('stop') === undefined ? [0, first] : [first, bound.index('stop', 0)];
  const step = bound.index('step', 1);
  if (step === 0) throw new TemplateError('range() arg 3 must not be zero');
  const made = new Range(start, stop, step);
  if (!(made.length <= MAX_RANGE))
    throw new TooLargeError(
      `makes a range of ${made.length} numbers; at most ${MAX_RANGE} are allowed`,
    );
  return made;
}

function dict(name: string, { positional, named }: Arguments): Dict {
  const [source, ...more] = positional;
  if (more.length > 0) throw new TemplateError(`${name} takes at most one argument without a name`);
  const entries: [Value, Value][] =
    source instanceof Dict
      ? Array.from(source.entries())
      : collect(iterate(source ?? [])).map((pair) => {
          const [key, value, ...others] = collect(iterate(pair));
          if (key === undefined || value === undefined || others.length > 0)
            throw new TemplateError(`${name} expects pairs of a key and a value`);
          return [key, value];
        });
  return Dict.of([...entries, ...named]);
}

function namespace(given: Arguments): Value {
  const made = new Namespace();
  for (const [key, value] of dict('namespace', given).entries()) made.fields.set(print(key), value);
  return made;
}

function raise(given: Arguments): never {
  throw new RaisedError(print(new Bound('raise_exception', given, 'message!').get('message')!));
}

/** `now`: the time that strftime_now reports. */
export function makeGlobals(now: Date): Map<string, Value> {
  const refuse = (name: string) => () => {
    throw unsupported(`the function "${name}"`);
  };
  const functions: Record<string, (given: Arguments) => Value> = {
    range,
    namespace,
    dict: (given) => dict('dict', given),
    raise_exception: raise,
    strftime_now: (given) =>
      strftime(now, new Bound('strftime_now', given, 'format!').text('format')),
    lipsum: refuse('lipsum'),
    cycler: refuse('cycler'),
    joiner: refuse('joiner'),
  };
  return new Map(
    Object.entries(functions).map(([name, act]) => [name, new Callable(name, act)] as const),
  );
}

/** Formats a time as strftime does in the C locale; "%-d" drops the zero before a digit. */
import { joined } from './budget.js';
import { unsupported } from './errors.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

type Part = (time: Date) => string | [number: number, digits: number];

const dayOfYear = (time: Date) =>
  Math.round(
    (Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) -
      Date.UTC(time.getFullYear(), 0, 0)) /
      86_400_000,
  );

const PARTS: Record<string, Part> = {
  A: (time) => DAYS[time.getDay()]!,
  a: (time) => DAYS[time.getDay()]!.slice(0, 3),
  B: (time) => MONTHS[time.getMonth()]!,
  b: (time) => MONTHS[time.getMonth()]!.slice(0, 3),
  h: (time) => MONTHS[time.getMonth()]!.slice(0, 3),
  d: (time) => [time.getDate(), 2],
  H: (time) => [time.getHours(), 2],
  I: (time) => [time.getHours() % 12 || 12, 2],
  j: (time) => [dayOfYear(time), 3],
  M: (time) => [time.getMinutes(), 2],
  m: (time) => [time.getMonth() + 1, 2],
  p: (time) => (time.getHours() < 12 ? 'AM' : 'PM'),
  S: (time) => [time.getSeconds(), 2],
  Y: (time) => String(time.getFullYear()),
  y: (time) => [time.getFullYear() % 100, 2],
  F: (time) => strftime(time, '%Y-%m-%d'),
  T: (time) => strftime(time, '%H:%M:%S'),
  R: (time) => strftime(time, '%H:%M'),
  D: (time) => strftime(time, '%m/%d/%y'),
  '%': () => '%',
};

export function strftime(time: Date, form: string): string {
  const parts = form.split(/(%-?[^]?)/).map((part) => {
    if (!part.startsWith('%')) return part;
    const bare = part.startsWith('%-');
    const name = part.slice(bare ? 2 : 1);
    const made = Object.hasOwn(PARTS, name) ? PARTS[name]!(time) : undefined;
    if (made === undefined || (bare && typeof made === 'string'))
      throw unsupported(`"${part}" in a time`);
    if (typeof made === 'string') return made;
    return bare ? String(made[0]) : String(made[0]).padStart(made[1], '0');
  });
  return joined(parts);
}

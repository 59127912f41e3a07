/** Horizontal bars as an SVG: groups of a few series, lengths relative to the longest bar of each group. */
export interface BarGroup {
  name: string;
  /** One value for each series; a missing one leaves its bar out. */
  values: (number | undefined)[];
}

export interface BarChart {
  title: string;
  subtitle: string;
  series: string[];
  groups: BarGroup[];
}

const COLOURS = ['#1f6f8b', '#e07a5f', '#b8b8b8', '#81b29a'];
const BARS = 460;
const LETTER = 6.8; // of the font's usual width
const BAR = 16;
const GAP = 12;
const TOP = 84;

export function barChart({ title, subtitle, series, groups }: BarChart): string {
  const left = 26 + LETTER * Math.max(...groups.map(({ name }) => name.length));
  const width = left + BARS + 90;
  const parts = [text(16, 28, title, 'font-size="17" font-weight="600"'), text(16, 48, subtitle)];
  series.forEach((name, i) => {
    const x = 16 + 190 * i;
    parts.push(rect(x, 60, 12, 12, COLOURS[i]!), text(x + 18, 70, name));
  });
  let y = TOP;
  for (const { name, values } of groups) {
    const longest = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
    parts.push(text(left - 10, y + (BAR * values.length) / 2 + 4, name, 'text-anchor="end"'));
    values.forEach((value, i) => {
      if (value === undefined) return;
      const length = (BARS * value) / longest;
      const at = y + BAR * i;
      parts.push(rect(left, at, length, BAR - 3, COLOURS[i]!));
      parts.push(text(left + length + 6, at + 11, value.toFixed(value < 100 ? 1 : 0)));
    });
    y += BAR * values.length + GAP;
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="12" fill="#222">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`
  );
}

function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="${height}" fill="${fill}"/>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`;
}

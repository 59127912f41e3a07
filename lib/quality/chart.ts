/** The trade as a picture: score over bytes of keys and values, a point for each setting, with its 95 % interval. */
import type { SettingSummary } from './summary.js';

const WIDTH = 720;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 30;
const TOP = 40;
const BOTTOM = 60;
const COLOURS = ['#1f5fa8', '#c2571a', '#2b8a3e', '#8a2b7c', '#a88a1f', '#444444'];

export function chart(settings: readonly SettingSummary[], title: string): string {
  const most = Math.max(1, ...settings.map(({ kvBytes }) => kvBytes)) * 1.1;
  const x = (bytes: number) => LEFT + ((WIDTH - LEFT - RIGHT) * bytes) / most;
  const y = (share: number) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;
  const points = settings.map(({ setting, score, kvBytes }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const at = x(kvBytes);
    const share = score.of === 0 ? 0 : score.right / score.of;
    return [
      `<line x1="${at}" x2="${at}" y1="${y(score.low)}" y2="${y(score.high)}" stroke="${colour}"/>`,
      `<circle cx="${at}" cy="${y(share)}" r="5" fill="${colour}"/>`,
      `<text x="${at + 9}" y="${y(share) - 7}" fill="${colour}">${escaped(setting)}</text>`,
    ].join('');
  });
  const marks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share)}" y2="${y(share)}" stroke="#dddddd"/>` +
      `<text x="${LEFT - 8}" y="${y(share) + 4}" text-anchor="end">${100 * share} %</text>`,
  );
  const bytes = [0, 0.5, 1].map((part) => (most / 1.1) * part);
  const ticks = bytes.map(
    (at) =>
      `<text x="${x(at)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${(at / 1e6).toPrecision(3)} MB</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${escaped(title)}</text>`,
    ...marks,
    ...ticks,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">keys and values of a context</text>`,
    ...points,
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

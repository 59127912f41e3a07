import { readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { isOn, variable } from '../../lib/system/environment.js';
import { cacheFolder } from '../../lib/models/store/cache-folder.js';
import { authorization, hubHome, hubUrl } from '../../lib/models/sources/hub.js';

const environment = { ...process.env };
afterEach(() => {
  process.env = { ...environment };
});

test('a blank variable is an absent one', () => {
  for (const blank of ['', ' ', '\t\n']) {
    process.env['CACHALOT_TEST'] = blank;
    expect(variable('CACHALOT_TEST')).toBeUndefined();
    for (const name of ['HF_ENDPOINT', 'HF_HOME', 'XDG_CACHE_HOME', 'HF_HUB_OFFLINE'])
      process.env[name] = blank;
    expect(hubUrl('a b')).toBe('https://huggingface.co/a%20b');
    expect(cacheFolder()).toBe(join(homedir(), '.cache/cachalot'));
    expect(hubHome()).toBe(join(homedir(), '.cache/huggingface'));
    expect(isOn('HF_HUB_OFFLINE')).toBe(false);
    process.env['HF_TOKEN'] = blank;
    process.env['HF_TOKEN_PATH'] = '/no/such/file';
    expect(authorization()).toEqual({});
  }
  process.env['CACHALOT_TEST'] = ' x ';
  expect(variable('CACHALOT_TEST')).toBe('x');
});

test('a switch is on as the hub has it', () => {
  for (const on of ['1', 'true', 'YES', 'On']) {
    process.env['CACHALOT_TEST'] = on;
    expect(isOn('CACHALOT_TEST')).toBe(true);
  }
  for (const off of ['0', 'false', 'no', 'off', '2']) {
    process.env['CACHALOT_TEST'] = off;
    expect(isOn('CACHALOT_TEST')).toBe(false);
  }
});

test('an address or a token that cannot be one is named, and a token never shown', () => {
  process.env['HF_ENDPOINT'] = 'hub.example';
  expect(() => hubUrl('x')).toThrow(/HF_ENDPOINT is 'hub.example'/);
  process.env['HF_TOKEN'] = 'hf_se\ncret';
  expect(() => authorization()).toThrow(/characters that no token has/);
  expect(() => authorization()).not.toThrow(/cret/);
});

test('the environment is read in one place', () => {
  const lib = join(__dirname, '../../lib');
  const readers = readdirSync(lib, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => /process\.env\[/.test(readFileSync(join(lib, name), 'utf8')));
  expect(readers).toEqual(['system/environment.ts']);
});

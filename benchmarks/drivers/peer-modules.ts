/** Where the peer is installed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from '#lib/models/store/cache-folder.js';

const PEER = 'node-llama-cpp@3.22.1';

/** Its node_modules; it is fetched when it is first needed. */
export function peerModules(): string {
  const folder = join(cacheFolder(), 'peer');
  const modules = join(folder, 'node_modules');
  if (existsSync(join(modules, 'node-llama-cpp', 'package.json'))) return modules;
  console.error(`installing ${PEER} into ${folder}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['install', '--no-audit', '--no-fund', '--ignore-scripts', PEER], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return modules;
}

export function peerVersion(modules: string): string {
  const text = readFileSync(join(modules, 'node-llama-cpp', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { cachalot, cliPath } from './cachalot.js';

describe('cachalot pull', () => {
  const hub = useStubHub();

  test.each(['SIGKILL', 'SIGINT'] as const)(
    'ended by %s in the middle, then the same command again: nothing lost, nothing fetched twice',
    async (signal) => {
      const bytes = Buffer.from(new Random(1).bytes(3_000_000));
      bytes.write('GGUF');
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      hub().files.set('/o/r/resolve/main/m.gguf', {
        bytes: Buffer.alloc(0),
        redirect: '/storage/blob',
        headers: { 'x-linked-size': String(bytes.length), 'x-linked-etag': `"${sha256}"` },
      });
      // The first answer stops in the middle and stays open.
      const blob = { bytes, headers: { etag: '"v1"' }, stall: { after: 1_000_000, times: 1 } };
      hub().files.set('/storage/blob', blob);
      const cache = temporaryPath('cache');
      const environment = { HF_ENDPOINT: hub().url, XDG_CACHE_HOME: cache };
      const target = join(cache, 'cachalot/models/hf/o/r/m.gguf');

      const env = { ...process.env, ...environment };
      const child = execFile(process.execPath, [cliPath, 'pull', 'hf:o/r/m.gguf'], { env });
      const ended = new Promise((exit) => child.once('exit', (code, by) => exit(by ?? code)));
      const part = `${target}.part`;
      while (!existsSync(part) || statSync(part).size < 900_000)
        await new Promise((next) => setTimeout(next, 5));
      child.kill(signal);
      expect(await ended).toBe(signal === 'SIGINT' ? 130 : signal);
      expect(existsSync(target)).toBe(false);
      const held = statSync(part).size;

      const again = await cachalot(['pull', 'hf:o/r/m.gguf', '--json'], '', environment);
      expect(again.code).toBe(0);
      expect(JSON.parse(again.stdout)).toEqual({
        path: target,
        bytes: bytes.length,
        cached: false,
      });
      expect(readFileSync(target).equals(bytes)).toBe(true);
      expect(hub().requests.filter((request) => request.startsWith('GET'))).toEqual([
        'GET /o/r/resolve/main/m.gguf',
        'GET /storage/blob',
        `GET /o/r/resolve/main/m.gguf bytes=${held}-`,
        `GET /storage/blob bytes=${held}-`,
      ]);
      for (const left of [part, `${part}.etag`, `${target}.lock`])
        expect(existsSync(left)).toBe(false);
    },
  );
});

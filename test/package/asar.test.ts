/**
 * An application archive as Electron has it, with the rules of our example: code in app.asar, what must be real files beside it.
 * Electron reads the archive as if it were a folder; here it is one, of that name.
 */
import { execFile, fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');
const example = join(root, 'examples', 'electron');
const TEMPLATE = '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}assistant:';

interface Manifest {
  dependencies?: Record<string, string>;
  build?: { asarUnpack: string[] };
}
const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** The package and all that it needs, as an installation lays them out. */
function installInto(modules: string): void {
  const own = join(modules, 'cachalot');
  mkdirSync(own, { recursive: true });
  for (const name of ['package.json', 'dist'])
    cpSync(join(root, name), join(own, name), { recursive: true });
  const binary = join(own, 'prebuilds', `${process.platform}-${process.arch}`, 'cachalot.node');
  mkdirSync(dirname(binary), { recursive: true });
  cpSync(join(root, 'build', 'Release', 'cachalot.node'), binary);
  const waiting = Object.keys(manifest(root).dependencies!);
  for (const name of waiting) {
    const from = join(root, 'node_modules', name);
    cpSync(from, join(modules, name), { recursive: true });
    for (const next of Object.keys(manifest(from).dependencies ?? {}))
      if (!waiting.includes(next)) waiting.push(next);
  }
}

/** Electron's own tool for archives. */
function asar(...args: string[]) {
  const tool = join(root, 'node_modules', '@electron', 'asar', 'bin', 'asar.js');
  return promisify(execFile)(process.execPath, [tool, ...args]);
}

describe('inside an Electron archive', () => {
  let app: string;
  let model: string;

  const children: ChildProcess[] = [];
  afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

  beforeAll(async () => {
    ({ path: model } = await writeTinyModel({ template: TEMPLATE, shape: { context: 32768 } }));
    const source = temporaryPath('app');
    installInto(join(source, 'node_modules'));
    for (const name of readdirSync(example))
      if (name.endsWith('.js') || name === 'package.json')
        cpSync(join(example, name), join(source, name));
    const resources = temporaryPath('resources');
    mkdirSync(resources);
    const unpack = `{${manifest(example).build!.asarUnpack.join(',')}}`;
    const archive = join(resources, 'app.asar');
    await asar('pack', source, archive, '--unpack', unpack);
    await asar('extract', archive, join(resources, 'contents'));
    rmSync(archive);
    renameSync(join(resources, 'contents'), archive);
    app = archive;
    // What must come from outside the archive cannot come from inside of it.
    const inside = join(app, 'node_modules', 'cachalot');
    rmSync(join(inside, 'prebuilds'), { recursive: true });
    for (const name of ['chat/template-worker.js', 'text/tokenizer-worker.js'])
      rmSync(join(inside, 'dist', name));
  });

  test('the addon and both workers are found outside of it', async () => {
    const script = `const { Engine } = require('cachalot');
      (async () => { const e = await Engine.load(process.argv[1]);
        const long = 'the inn and the sea. '.repeat(500); // beyond what is tokenized on the spot
        const { usage } = await e.chat([{ role: 'user', content: long }], { maxTokens: 3 }).result;
        await e.dispose(); console.log(usage.promptTokens > 2000, usage.completionTokens); })()`;
    writeFileSync(join(app, 'check.js'), script.replace('process.argv[1]', 'process.argv[2]'));
    const { stdout } = await promisify(execFile)(process.execPath, [join(app, 'check.js'), model]);
    expect(stdout.trim()).toBe('true 3');
  });

  test("the example's engine process loads, answers, stops and ends by messages", async () => {
    writeFileSync(
      join(app, 'forked.js'),
      `require('./engine-host.js').serveEngine({
        onMessage: (listener) => process.on('message', listener),
        send: (message) => process.send(message),
        exit: () => process.exit(0),
      });`,
    );
    // child_process.fork is what Electron's utilityProcess is made of.
    const child = fork(join(app, 'forked.js'));
    children.push(child);
    const heard: {
      type: string;
      id?: number;
      text?: string;
      finishReason?: string;
      code?: string;
    }[] = [];
    let wake = () => undefined as void;
    child.on('message', (message) => {
      heard.push(message as (typeof heard)[0]);
      wake();
    });
    const until = async (type: string, id?: number) => {
      const isIt = (message: (typeof heard)[0]) => message.type === type && message.id === id;
      while (!heard.some(isIt)) await new Promise<void>((next) => (wake = next));
      return heard.find(isIt)!;
    };
    child.send({ type: 'chat', id: 1, text: 'too early' });
    expect(await until('error', 1)).toMatchObject({ message: 'no model has been loaded yet' });
    child.send({ type: 'load', model: '/no/such.gguf' });
    expect(await until('error')).toMatchObject({ code: 'model_not_found' });
    child.send({ type: 'load', model });
    await until('ready');
    child.send({ type: 'chat', id: 2, text: 'the' });
    await until('piece', 2);
    child.send({ type: 'stop', id: 2 });
    expect(await until('end', 2)).toMatchObject({ finishReason: 'aborted' });
    for (const strange of [null, { type: 'constructor' }, { type: 'toString' }, 7])
      child.send(strange as object);
    child.send({ type: 'load', model }); // as a page does that is loaded again
    await until('ready');
    child.send({ type: 'dispose' });
    expect(await new Promise((exit) => child.once('exit', exit))).toBe(0);
  });
});

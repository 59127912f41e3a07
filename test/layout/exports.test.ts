/** What is written in C++ and again in TypeScript is the same: exports of both addons, methods, codes of errors. */
import { join } from 'node:path';
import ts from 'typescript';

import { native } from '../../lib/native.js';
import { testing } from '../testing.js';
import { filesOf, matches, root, textOf } from './house.js';

/** Members of an interface, its bases' included; interfaces are looked for in these files. */
function membersOf(name: string, paths: readonly string[]): string[] {
  const found = paths
    .map((path) => ts.createSourceFile(path, textOf(path), ts.ScriptTarget.Latest, true))
    .flatMap((file) => file.statements)
    .filter(ts.isInterfaceDeclaration)
    .find((one) => one.name.text === name);
  if (!found) throw new Error(`no interface ${name} in ${paths.join()}`);
  const bases = (found.heritageClauses ?? []).flatMap(({ types }) => types);
  return [
    ...found.members.map((member) => member.name!.getText()),
    ...bases.flatMap((base) => membersOf(base.expression.getText(), paths)),
  ].sort();
}

const methodsOf = (constructor: { prototype: object }) =>
  Object.getOwnPropertyNames(constructor.prototype)
    .filter((name) => name !== 'constructor')
    .sort();

const binding = ['lib/native.ts'];
const testings = [
  'test/testing.ts',
  ...filesOf('test/testing', /\.ts$/).map((name) => `test/testing/${name}`),
];

test("the addon's exports are those of NativeBinding", () => {
  expect(Object.keys(native()).sort()).toEqual(membersOf('NativeBinding', binding));
  expect(methodsOf(native().PromptOrderer)).toEqual(membersOf('NativePromptOrderer', binding));
});

test("an engine's methods are those of NativeEngine", () => {
  // The class is not exported: engines come from `load`.
  const methods = matches(textOf('native/addon/engine_wrap.cpp'), /ethod<[^"]*>\("(\w+)"\)/g);
  expect(methods.sort()).toEqual(membersOf('NativeEngine', binding));
});

test("the testing addon's exports are those of TestingBinding", () => {
  const addon = require(join(root, 'build', 'test', 'cachalot_testing.node')) as object;
  expect(Object.keys(addon).sort()).toEqual(membersOf('TestingBinding', testings));
  expect(methodsOf(testing.KvCache)).toEqual(membersOf('NativeKvCache', testings));
  expect(methodsOf(testing.KvBlocks)).toEqual(membersOf('NativeKvBlocks', testings));
});

test('the codes of errors are the same on both sides', () => {
  const errors = textOf('lib/errors.ts');
  for (const code of matches(textOf('native/base/error.cpp'), /return "(\w+)"/g))
    expect(errors).toContain(`'${code}'`);
});

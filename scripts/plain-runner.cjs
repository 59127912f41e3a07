// Runs compiled jest tests in a bare Node: the few of jest's functions that the kernel tests use, over jest's own `expect`.
//   node plain-runner.cjs test.js ...        ends with "N passed, N failed"
const { format } = require('node:util');
const { expect } = require('expect');

const tests = [];
let prefix = [];

function each(declare) {
  return (cases) => (title, body) => {
    for (const one of cases) {
      const values = Array.isArray(one) ? one : [one];
      const used = (title.match(/%[sdj]/g) ?? []).length;
      declare(format(title, ...values.slice(0, used)), () => body(...values));
    }
  };
}

const describe = (title, body) => {
  prefix.push(title);
  body();
  prefix = prefix.slice(0, -1);
};
const test = (title, body) => tests.push({ title: [...prefix, title].join(' > '), body });
const skip = () => undefined;
describe.each = each(describe);
test.each = each(test);
test.skip = Object.assign(skip, { each: () => skip });
Object.assign(globalThis, { describe, test, it: test, expect });

for (const file of process.argv.slice(2)) require(file);

void (async () => {
  let failed = 0;
  for (const { title, body } of tests) {
    try {
      await body();
    } catch (error) {
      failed++;
      console.log(`FAIL ${title}\n${error.message}`);
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
})();

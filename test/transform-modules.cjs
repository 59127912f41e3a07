// Examples are ES modules; here they are CommonJS, as everything that Jest runs. `npm run test:package` runs them as they are.
const { ModuleKind, ScriptTarget, transpileModule } = require('typescript');

const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, allowJs: true };

module.exports = {
  process: (text) => ({ code: transpileModule(text, { compilerOptions }).outputText }),
};

// Bundlers, for both formats of modules: with the package outside of the bundle it runs, inside the error says what to do.
const { join } = require('node:path');

const { MAIN_MJS, answers, saysWhatToDo } = require('../main-job.cjs');
const { check, folderWith, installed, problemOf, run, versionOf } = require('../workplace.cjs');

const BUNDLED = /no_binary.*bundled|cachalot has been bundled.*external package/;

/** Each builds main.mjs into out/FORMAT-KIND/main.*, where KIND is "external", "default" or "bundled". */
const TOOLS = {
  esbuild: {
    packages: ['esbuild'],
    build: `const [format, kind] = process.argv.slice(2);
      require('esbuild').buildSync({ entryPoints: ['main.mjs'], bundle: true, platform: 'node', format, logLevel: 'error',
        outfile: 'out/' + format + '-' + kind + '/main.' + (format === 'esm' ? 'mjs' : 'cjs'),
        external: kind === 'external' ? ['cachalot'] : [] });`,
  },
  webpack: {
    packages: ['webpack'],
    build: `const [format, kind] = process.argv.slice(2);
      const isEsm = format === 'esm';
      require('webpack')({ mode: 'production', target: 'node20', entry: './main.mjs', context: __dirname,
        externals: kind === 'external' ? { cachalot: (isEsm ? 'module' : 'commonjs') + ' cachalot' } : [],
        experiments: { outputModule: isEsm },
        output: { path: __dirname + '/out/' + format + '-' + kind, filename: 'main.' + (isEsm ? 'mjs' : 'cjs'),
          library: { type: isEsm ? 'module' : 'commonjs2' } } },
        (error, stats) => {
          if (error || stats.hasErrors()) { console.error(error || stats.toString('errors-only')); process.exit(1); }
        });`,
  },
  rollup: {
    packages: [
      'rollup',
      '@rollup/plugin-node-resolve',
      '@rollup/plugin-commonjs',
      '@rollup/plugin-json',
    ],
    build: `const [format, kind] = process.argv.slice(2);
      const plugin = (name) => require('@rollup/plugin-' + name).default;
      (async () => {
        const plugins = [plugin('node-resolve')({ preferBuiltins: true }), plugin('commonjs')(), plugin('json')()];
        const bundle = await require('rollup').rollup({ input: 'main.mjs', plugins, onwarn() {},
          external: kind === 'external' ? ['cachalot'] : [] });
        await bundle.write({ format, file: 'out/' + format + '-' + kind + '/main.' + (format === 'esm' ? 'mjs' : 'cjs'),
          inlineDynamicImports: true });
      })().catch((error) => { console.error(error); process.exit(1); });`,
  },
  vite: {
    packages: ['vite'],
    formats: ['esm'],
    kinds: ['default', 'bundled'], // for servers, it leaves packages outside by itself
    build: `const [format, kind] = process.argv.slice(2);
      import('vite').then(({ build }) => build({ logLevel: 'error', configFile: false, ssr: kind === 'bundled' ? { noExternal: true } : {},
        build: { ssr: 'main.mjs', outDir: 'out/' + format + '-' + kind, rollupOptions: { output: { entryFileNames: 'main.mjs' } } } }))
        .catch((error) => { console.error(error); process.exit(1); });`,
  },
};

function bundled(
  tool,
  { packages, build, formats = ['cjs', 'esm'], kinds = ['external', 'bundled'] },
) {
  return ({ tarball, model }) => {
    const folder = folderWith(tool, { 'main.mjs': MAIN_MJS, 'build.cjs': build });
    if (!installed(folder, tarball, packages)) return;
    for (const format of formats)
      for (const kind of kinds) {
        const name = `${versionOf(folder, tool)}, ${format}, ${kind}`;
        const made = run(process.execPath, ['build.cjs', format, kind], { cwd: folder });
        if (made.status !== 0) {
          check(`${name}: builds`, problemOf(made));
          continue;
        }
        const file = join(
          folder,
          'out',
          `${format}-${kind}`,
          `main.${format === 'esm' ? 'mjs' : 'cjs'}`,
        );
        const where = { cwd: folder, model };
        if (kind === 'bundled')
          saysWhatToDo(`${name}: says what to do`, [process.execPath, file], BUNDLED, where);
        else answers(`${name}: runs`, [process.execPath, file], where);
      }
  };
}

module.exports = Object.entries(TOOLS).map(([name, tool]) => ({
  name,
  about: `what ${name} makes runs with the package outside of it, and says what to do with it inside`,
  run: bundled(name, tool),
}));

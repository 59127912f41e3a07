#!/usr/bin/env node
// Stands in for node-gyp when prebuildify builds: the same CMake as `npm run build:native`.
const { spawnSync } = require('node:child_process');

const args = [require.resolve('cmake-js/bin/cmake-js'), 'build', '--out', 'build'];
if (process.argv.includes('--debug')) args.push('--debug');
process.exit(spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);

// Tests are of the CPU and of the emulated GPU, also where there is a real one: `npm run gpu:check` is for that.
process.env.CUDA_VISIBLE_DEVICES = '';

module.exports = {
  maxWorkers: '100%', // jest leaves a core to its watcher otherwise
  // What takes long is in `name.exhaustive.test.ts` beside its suite: `npm run test:all` runs it, too.
  testMatch: ['<rootDir>/test/**/*.test.ts', '!**/*.exhaustive.test.ts'],
  moduleNameMapper: {
    '^#lib/(.*)\\.js$': '<rootDir>/lib/$1',
    '^(\\.{1,2}/.*)\\.js$': '$1', // nodenext imports end in .js
  },
  transform: {
    '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }],
    '/examples/.+\\.mjs$': '<rootDir>/test/transform-modules.cjs',
  },
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/prebuilds', '<rootDir>/dist'],
  reporters: ['default', '<rootDir>/test/count-reporter.cjs'],
  testTimeout: 900_000, // what hangs ends; a busy machine is not a fault
};

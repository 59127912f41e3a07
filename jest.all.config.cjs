// Every test there is: CI runs these.
module.exports = { ...require('./jest.config.cjs'), testMatch: ['<rootDir>/test/**/*.test.ts'] };

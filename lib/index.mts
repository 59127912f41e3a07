import './binary/outside-bundles.mjs';

export * from './index.js';

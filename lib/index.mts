import './outside-bundles.mjs';

export * from './index.js';

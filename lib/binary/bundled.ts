/** The advice for a bundled package. Requires nothing, so that it runs in any bundler's output. */
export const BUNDLED =
  'cachalot has been bundled: its binary and its workers are files of its own, so it must stay outside, as an external package ' +
  "(esbuild --external:cachalot, webpack externals, rollup and vite external: ['cachalot'], Next.js serverExternalPackages; see docs/bundling.md)";

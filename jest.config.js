// Tests run from the built packages, so that what is tested is what is shipped. The suffix is the price:
// .test.ts needs nothing, .int.test.ts a real mongod, .e2e.ts real processes. The timeout catches what hangs; it is no measure of
// speed. Jest heeds it here only, not in projects.
const common = {
  testEnvironment: 'node',
  transform: {},
  roots: ['lib', 'schema', 'subgraphs', 'experiments', 'gateway', 'clients', 'deploy', 'test'].map(
    (d) => `<rootDir>/${d}`,
  ),
  modulePathIgnorePatterns: ['/\\.rhizome/'],
};
const inDist = (suffix) => `**/dist/**/*${suffix}`;

export default {
  maxWorkers: 2,
  testTimeout: 180_000,
  // At the end nothing is open in a worker (each file looks for what it has left), but modules loaded through node:vm are never let go, and to
  // take down a heap of 700 MB lasts 0.4 s on an idle machine: jest's 0.5 s would tell of leaks that are none. What really hangs is told.
  workerGracefulExitTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [inDist('.test.js')],
      testPathIgnorePatterns: ['/node_modules/', '\\.int\\.test\\.js$'],
    },
    {
      ...common,
      displayName: 'integration',
      testMatch: [inDist('.int.test.js')],
      // Offers one real replica set to all files; it is started when the first of them asks for it.
      globalSetup: '<rootDir>/lib/testkit/dist/jest/global-setup.js',
      globalTeardown: '<rootDir>/lib/testkit/dist/jest/global-teardown.js',
    },
    { ...common, displayName: 'e2e', testMatch: [inDist('.e2e.js')] },
  ],
};

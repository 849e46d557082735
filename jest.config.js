// Tests run from the built packages, so that what is tested is what is shipped. The suffix is the price:
// .test.ts needs nothing, .int.test.ts a real mongod, .e2e.ts real processes. The timeouts catch what hangs; they are no measure of speed.
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
  projects: [
    {
      ...common,
      displayName: 'unit',
      testTimeout: 30_000,
      testMatch: [inDist('.test.js')],
      testPathIgnorePatterns: ['/node_modules/', '\\.int\\.test\\.js$'],
    },
    {
      ...common,
      displayName: 'integration',
      testTimeout: 90_000,
      testMatch: [inDist('.int.test.js')],
      // Offers one real replica set to all files; it is started when the first of them asks for it.
      globalSetup: '<rootDir>/lib/testkit/dist/jest/global-setup.js',
      globalTeardown: '<rootDir>/lib/testkit/dist/jest/global-teardown.js',
    },
    { ...common, displayName: 'e2e', testTimeout: 180_000, testMatch: [inDist('.e2e.js')] },
  ],
};

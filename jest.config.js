// Tests run from the built packages, so that they test what is shipped. The suffix is the price: .test.ts
// needs nothing, .int.test.ts a real mongod, sockets or child processes, .e2e.ts our own programs as
// processes, .soak.ts a long time. The timeout catches tests that hang; it does not measure speed. Jest reads
// it here only, not in projects.
const common = {
  testEnvironment: 'node',
  transform: {},
  roots: ['lib', 'schema', 'subgraphs', 'experiments', 'gateway', 'clients', 'deploy', 'test'].map(
    (d) => `<rootDir>/${d}`,
  ),
  modulePathIgnorePatterns: ['/\\.rhizome/'],
};
const built = (suffix) => `**/{dist,dist-test}/**/*${suffix}`;

export default {
  maxWorkers: 2,
  testTimeout: 600_000,
  testSequencer: '<rootDir>/tools/longest-first.mjs',
  // Each test file checks that it leaves nothing open. But modules loaded through node:vm are never released,
  // and freeing a heap of 700 MB takes 0.4 s on an idle machine, so that jest's default of 0.5 s reports
  // leaks that do not exist. Workers that really hang are still reported.
  workerGracefulExitTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [built('.test.js')],
      testPathIgnorePatterns: ['/node_modules/', '\\.int\\.test\\.js$'],
    },
    {
      ...common,
      displayName: 'integration',
      testMatch: [built('.int.test.js')],
      // Offers one real replica set to all files; it is started when the first of them asks for it.
      globalSetup: '<rootDir>/lib/testkit/dist/jest/global-setup.js',
      globalTeardown: '<rootDir>/lib/testkit/dist/jest/global-teardown.js',
    },
    { ...common, displayName: 'e2e', testMatch: [built('.e2e.js')] },
    // Long stories that `npm test` leaves out: `npm run soak`.
    { ...common, displayName: 'soak', testMatch: [built('.soak.js')] },
  ],
};

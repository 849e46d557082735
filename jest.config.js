import { packageRoots } from './tools/test-files.mjs';

// Tests run from the built packages, so that they test what is shipped. The suffix is the price: .test.ts
// needs nothing, .int.test.ts a real mongod, sockets or child processes, .e2e.ts our own programs as
// processes, .soak.ts a long time. The timeout catches tests that hang; it does not measure speed. Jest reads
// it here only, not in projects.
// Test files of a worker share its modules (tools/jest).
const common = {
  testEnvironment: '<rootDir>/tools/jest/environment.mjs',
  testRunner: '<rootDir>/tools/jest/test-runner.mjs',
  setupFilesAfterEnv: ['<rootDir>/lib/testkit/dist/jest/each-file.js'],
  transform: {},
  roots: packageRoots.map((folder) => `<rootDir>/${folder}`),
  modulePathIgnorePatterns: ['/\\.rhizome/'],
};
const built = (suffix) => `**/{dist,dist-test}/**/*${suffix}`;

export default {
  maxWorkers: 2,
  testTimeout: 600_000,
  testSequencer: '<rootDir>/tools/longest-first.mjs',
  // Each test file checks that it leaves nothing open. On a busy machine a worker with a large heap takes
  // longer to exit than jest's default of 0.5 s, which would report leaks that do not exist. Workers that
  // really hang are still reported.
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

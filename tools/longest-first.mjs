// The order of test files: those that take longest first, so that no core is idle while the last file runs.
// Jest knows durations from earlier runs only, and a fresh clone has none; it takes large files first, and
// many stories are a small file that imports others.
import Sequencer from '@jest/test-sequencer';
import { builtFile } from './test-files.mjs';

/**
 * Sources of tests that take more than half a minute, the longest first; those that mostly wait are mixed
 * with those that compute.
 */
export const longTests = [
  'test/e2e/cli/cli.e2e.ts',
  'test/e2e/new-experiment/new-experiment.e2e.ts',
  'test/e2e/ctrl-c/ctrl-c.e2e.ts',
  'test/security/programs/programs.e2e.ts',
  'test/e2e/reload/reload.e2e.ts',
  'test/e2e/dashboard/dashboard.e2e.ts',
  'test/e2e/schema-publish/schema-publish.e2e.ts',
  'test/security/attack/attack.e2e.ts',
  'test/e2e/live-faults/live-faults.e2e.ts',
  'test/e2e/lease-clock/lease-clock.e2e.ts',
  'test/e2e/outage/cut-off.e2e.ts',
  'test/security/fuzz/fuzz.e2e.ts',
  'test/security/audit.e2e.ts',
  'lib/federation/src/testing/differential/differential.e2e.ts',
  'test/e2e/worker-killed/worker-killed.e2e.ts',
  'test/e2e/outage/outage.e2e.ts',
  'clients/pilot/src/supervisor/survival.e2e.ts',
  'test/e2e/dev/dev.e2e.ts',
  'test/e2e/login/renewal.e2e.ts',
  'test/e2e/schema-publish/command-line.e2e.ts',
  'test/e2e/bad-input/bad-input.e2e.ts',
  'test/e2e/login/cli-login.e2e.ts',
  'test/security/worker-enrolment.e2e.ts',
  'test/security/secrets.e2e.ts',
  'test/e2e/gateway-restart/gateway-restart.e2e.ts',
  'test/e2e/tour/tour.e2e.ts',
  'test/e2e/restart-of-everything/restart.e2e.ts',
  'subgraphs/core/test/workers/lease-clock-store.int.test.ts',
  'test/security/permissions/permissions.int.test.ts',
  'test/experiments/epic-live.int.test.ts',
  'test/experiments/rubin.int.test.ts',
  'subgraphs/core/test/workers/preemption.int.test.ts',
  'test/experiments/larkspur.int.test.ts',
  'lib/mongo/src/server/start.int.test.ts',
  'test/security/non-interference.int.test.ts',
  'clients/pilot/src/checkpoints/checkpoints.int.test.ts',
  'subgraphs/core/test/history/defects.int.test.ts',
  'lib/mongo/src/binary/resolve.int.test.ts',
  'test/storage/xrootd.int.test.ts',
  'clients/pilot/src/agent/notice.int.test.ts',
  'clients/pilot/src/agent/core-unreachable.int.test.ts',
];
const positions = new Map(longTests.map((source, position) => [builtFile(source), position]));

/** Jest's own order, after the long files. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const position = ({ path, context }) => {
      const fromRoot = path.slice(context.config.rootDir.length + 1).replaceAll('\\', '/');
      return positions.get(fromRoot) ?? longTests.length;
    };
    return super.sort(tests).sort((a, b) => position(a) - position(b));
  }
}

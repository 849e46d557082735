/** A campaign from end to end: a quantum graph on a real pilot, with a failure and its retry. */
import { expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { PlaygroundSystem } from '../system/playground-system.js';

/** A quantum that fails with the memory that its label has. */
const greedy = 'isr-7';
/** For each quantum, a line about how it ended; the job ends as the last that failed. */
const program = `code=0
while [ $# -gt 0 ]; do
  if [ "$1" = --quantum ]; then
    one=0
    if [ "$2" = ${greedy} ] && [ "$RHIZOME_MEMORY_MIB" -lt 100 ]; then one=7; code=7; fi
    echo "{\\"rubinQuantum\\":\\"$2\\",\\"exitCode\\":$one,\\"seconds\\":0.1}"
  fi
  shift
done
exit $code`;
const perCoadd = 12;
const perCalibration = 3;

interface Answer {
  readonly rubin: {
    readonly workflow: {
      readonly finishedQuanta: number;
      readonly workflow: { readonly state: string };
      readonly labels: readonly object[];
      readonly failures: readonly object[];
      readonly report: { readonly text: string };
    };
  };
}

const ask = `query ($id: ID!) { rubin { workflow(id: $id) {
  finishedQuanta workflow { state } report { text }
  labels { label expected succeeded failed blocked }
  failures { code exitCode count samples { name dataId } }
} } }`;

function quantaOf(coadds: number): readonly object[] {
  const named = (label: string, count: number, needs: (at: number) => readonly string[]) =>
    Array.from({ length: count }, (_, at) => ({
      ...{ name: `${label}-${at}`, label, needs: needs(at) },
      dimensions: [{ dimension: label === 'coadd' ? 'patch' : 'visit', value: String(at) }],
    }));
  const range = (label: string, from: number, count: number) =>
    Array.from({ length: count }, (_, at) => `${label}-${from + at}`);
  return [
    ...named('isr', coadds * perCoadd * perCalibration, () => []),
    ...named('calibrate', coadds * perCoadd, (at) => range('isr', at * perCalibration, perCalibration)),
    ...named('coadd', coadds, (at) => range('calibrate', at * perCoadd, perCoadd)),
  ];
}

/** Declares the story. @param coadds each has 48 quanta before it, and a job; 100 of the others share one */
export function campaignTest(system: () => PlaygroundSystem, coadds: number, deadlineMs: number): void {
  const calibrations = coadds * perCoadd;
  const exposures = calibrations * perCalibration;
  const total = exposures + calibrations + coadds;

  it(
    `runs a campaign of ${total} quanta, and again what failed`,
    async () => {
      const api = system().api();
      const cluster = { quantaPerJob: 100, maxAttempts: 1 };
      const { workflow } = await api.change<{ workflow: { id: string } }>(
        'submitRubinWorkflow',
        {
          ...{ idempotencyKey: `campaign of ${total}`, name: 'campaign', pipeline: 'DRP', memoryMiB: 64 },
          ...{ command: 'sh', arguments: ['-c', program, 'quantum'], quanta: quantaOf(coadds) },
          labels: ['isr', 'calibrate'].map((label) => ({ label, ...cluster })),
          finalJob: { command: 'true', memoryMiB: 64 },
        },
        'workflow { id }',
      );
      const after = async (state: string, isDone: (of: Answer['rubin']['workflow']) => boolean) =>
        waitFor(
          `the campaign to be ${state}`,
          async () => {
            const found = (await api.data<Answer>(ask, { id: workflow.id })).rubin.workflow;
            return found.workflow.state === state && isDone(found) && found;
          },
          { deadlineMs },
        );
      const failed = await after('FAILED', ({ labels }) =>
        labels.some((one) => (one as { failed: number }).failed === 1),
      );
      expect(failed.failures).toMatchObject([
        { code: 'EXIT_CODE', exitCode: 7, count: 1, samples: [{ name: greedy, dataId: 'visit=7' }] },
      ]);
      // All in the cluster but one are done, so nothing else has failed; what needs the cluster is blocked.
      expect(failed.labels).toMatchObject([
        { label: 'isr', expected: exposures, succeeded: exposures - 1, failed: 1, blocked: 0 },
        { label: 'calibrate', failed: 0, blocked: expect.any(Number) },
        { label: 'coadd', failed: 0, blocked: expect.any(Number) },
      ]);
      await api.change('retryRubinWorkflow', {
        ...{ workflowId: workflow.id, idempotencyKey: 'again', memoryFactor: 2 },
      });
      const done = await after('SUCCEEDED', ({ finishedQuanta }) => finishedQuanta === total);
      expect(done.labels).toEqual([
        { label: 'isr', expected: exposures, succeeded: exposures, failed: 0, blocked: 0 },
        { label: 'calibrate', expected: calibrations, succeeded: calibrations, failed: 0, blocked: 0 },
        { label: 'coadd', expected: coadds, succeeded: coadds, failed: 0, blocked: 0 },
      ]);
      expect(done.failures).toEqual([]);
      process.stderr.write(`${done.report.text}`);
    },
    deadlineMs * 2,
  );
}

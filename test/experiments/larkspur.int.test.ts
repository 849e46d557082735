import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { experiment } from '@rhizome/larkspur';
import { waitFor } from '@rhizome/testkit';
import { type House, startHouse } from './house.js';
import { startWorker, type TestWorker } from './worker.js';

jest.setTimeout(60_000);

const submit = `mutation ($input: LarkspurSubmitObservationInput!) {
  submitLarkspurObservation(input: $input) {
    observation { id state exposures calibratedExposures submittedBy task { id } }
    userErrors { code path message }
  }
}`;
const show = `query ($id: ID!) {
  larkspur { observation(id: $id) { state calibratedExposures task { id state jobs(first: 100) { nodes {
    id name taskIndex state larkspur { step exposure observation { id } }
  } } } } }
}`;
const observationInput = (key: string, more: object = {}) => ({
  idempotencyKey: key,
  field: 'LK-042',
  band: 'RED',
  exposures: 3,
  exposureSeconds: 30,
  command: 'calibrate',
  ...more,
});

let house: House;
let worker: TestWorker;

beforeAll(async () => {
  house = await startHouse([experiment]);
  worker = await startWorker(house, 'labelled', { 'larkspur-calibration': '2030a' });
}, 120_000);

const submitted = async (input: object, token?: string) =>
  (await house.ask(submit, { input }, token)).data.submitLarkspurObservation;
const shown = async (id: string) => (await house.ask(show, { id })).data.larkspur.observation;

describe('an observation', () => {
  test('becomes a task of core whose jobs say what they are, at once', async () => {
    const { observation, userErrors } = await submitted(observationInput('shown'));
    expect(userErrors).toEqual([]);
    expect(observation).toMatchObject({ exposures: 3, calibratedExposures: 0, submittedBy: 'admin@example' });
    const jobs = await waitFor(
      'all jobs',
      async () => {
        const { nodes } = (await shown(observation.id)).task.jobs;
        return nodes.length === 4 && nodes;
      },
      { deadlineMs: 5000 },
    );
    expect(
      jobs.map(({ name, taskIndex, state, larkspur }: Record<string, unknown>) => ({
        name,
        taskIndex,
        state,
        larkspur,
      })),
    ).toEqual([
      ...[0, 1, 2].map((exposure) => ({
        name: `calibrate ${exposure}`,
        taskIndex: exposure,
        state: 'ACTIVATED',
        larkspur: { step: 'CALIBRATE', exposure, observation: { id: observation.id } },
      })),
      {
        name: 'stack 3',
        taskIndex: 3,
        state: 'PENDING',
        larkspur: { step: 'STACK', exposure: null, observation: { id: observation.id } },
      },
    ]);
    const run = await worker.runAll();
    expect(run.map((job) => job.arguments)).toEqual([
      ...['0', '1', '2'].map((exposure) => [
        '--step',
        'calibrate',
        '--exposure',
        exposure,
        '--field',
        'LK-042',
      ]),
      ['--step', 'stack', '--field', 'LK-042'],
    ]);
    await waitFor('the end', async () => (await shown(observation.id)).state === 'COMPLETE', {
      deadlineMs: 5000,
    });
    expect((await shown(observation.id)).calibratedExposures).toBe(3);
  });
});

// An experiment's service dies: only its own fields are null, with one error that names it; everybody else
// goes on, and it comes back.
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Api } from '../system/api.js';
import { jobOf, submit } from '../system/jobs.js';
import { faultsOf, type JobWatch, watchJobs } from '../system/job-watch.js';
import { startPilot } from '../system/pilots.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

let system: ServiceSystem;
let api: Api;
let watch: JobWatch;
let ids: { readonly atlas: readonly string[]; readonly epic: readonly string[] };

interface Details {
  readonly jobs: {
    readonly nodes: readonly {
      readonly id: string;
      readonly state: string;
      readonly atlas: { readonly step: string; readonly task: { readonly campaign: string } } | null;
      readonly epic: { readonly run: { readonly runNumber: number } } | null;
    }[];
  };
}

const details = /* GraphQL */ `
  query ($experiments: [String!]!) {
    jobs(filter: { experiments: $experiments }, order: OLDEST, first: 100) {
      nodes {
        id
        state
        atlas {
          step
          task {
            campaign
          }
        }
        epic {
          run {
            runNumber
          }
        }
      }
    }
  }
`;

async function submitAtlas(key: string) {
  const transform = { step: 'EVGEN', command: ['true'], output: 'events' };
  const input = {
    ...{ idempotencyKey: key, campaign: 'mc23e', requestId: 1, physicsShort: 'Zmumu' },
    ...{ totalEvents: 20, eventsPerJob: 10, transforms: [transform], memoryMiB: 64, walltimeSeconds: 60 },
  };
  return api.post<{
    submitAtlasTask: { task: { id: string } | null; userErrors: { message: string }[] } | null;
  }>(
    'mutation ($input: SubmitAtlasTaskInput!) { submitAtlasTask(input: $input) { task { id } userErrors { message } } }',
    { input },
  );
}

async function submitEpic() {
  const input = {
    ...{ idempotencyKey: randomUUID(), runNumber: 7, detectorConfiguration: 'epic_craterlake' },
    ...{ superTimeFrames: 20, framesPerGroup: 10, command: 'true', memoryMiB: 64, walltimeSeconds: 60 },
  };
  return api.data<{ submitEpicRun: { userErrors: { message: string }[] } }>(
    'mutation ($input: SubmitEpicRunInput!) { submitEpicRun(input: $input) { userErrors { message } } }',
    { input },
  );
}

/** The jobs of an experiment, once the task has been expanded. */
const jobsOfExperiment = (experiment: string, count: number) =>
  waitFor(
    `${count} jobs of ${experiment}`,
    async () => {
      const { jobs } = await api.data<Details>(details, { experiments: [experiment] });
      return jobs.nodes.length >= count && jobs.nodes.map(({ id }) => id);
    },
    { deadlineMs: 10_000 },
  );

beforeAll(async () => {
  system = await startServices({ experiments: ['atlas', 'epic'] });
  api = system.api();
  watch = await watchJobs(system.client());
  expect((await submitAtlas('before')).errors).toBeUndefined();
  expect((await submitEpic()).submitEpicRun.userErrors).toEqual([]);
  ids = { atlas: await jobsOfExperiment('atlas', 2), epic: await jobsOfExperiment('epic', 2) };
});

const everything = () => api.post<Details>(details, { experiments: ['atlas', 'epic'] });

describe('an experiment that is down', () => {
  it('answers for its jobs before it goes down', async () => {
    const { data, errors } = await everything();
    expect(errors).toBeUndefined();
    const shown = data?.jobs.nodes.map(({ id, atlas, epic }) => [
      id,
      atlas?.step ?? null,
      epic?.run.runNumber ?? null,
    ]);
    expect(shown).toEqual([
      ...ids.atlas.map((id) => [id, 'EVGEN', null]),
      ...ids.epic.map((id) => [id, null, 7]),
    ]);
  });

  it('only its fields are null, and each of them has one error that names it', async () => {
    await system.service('atlas').kill();
    const { data, errors, status } = await everything();
    expect(status).toBe(200);
    const shown = data?.jobs.nodes.map(({ id, atlas, epic }) => [id, atlas, epic?.run.runNumber ?? null]);
    expect(shown).toEqual([
      ...ids.atlas.map((id) => [id, null, null]),
      ...ids.epic.map((id) => [id, null, 7]),
    ]);
    // One service is down: one error, which says where that is felt.
    const paths = [0, 1, 2, 3].map((index) => ['jobs', 'nodes', index, 'atlas']);
    expect(errors).toMatchObject([
      { path: paths[0], extensions: { subgraph: 'atlas', retry: 'later', count: 4, paths } },
    ]);
    expect(errors?.[0]?.message).toContain('atlas');
    expect(errors?.[0]?.message).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
  });

  it('its root fields are null, its mutation is refused with the same word, and nothing else is touched', async () => {
    const query = await api.post<{ atlas: null; epic: { run: { phase: string } } }>(
      '{ atlas { tasks { nodes { id } } } epic { run(runNumber: 7) { phase } } }',
    );
    expect(query.data).toMatchObject({ atlas: null, epic: { run: { phase: expect.any(String) } } });
    expect(query.errors).toMatchObject([{ path: ['atlas'], extensions: { subgraph: 'atlas' } }]);
    const refused = await submitAtlas('while down');
    expect(refused.errors).toMatchObject([{ path: ['submitAtlasTask'], extensions: { subgraph: 'atlas' } }]);
  });

  it('jobs of all experiments go on, and are seen live', async () => {
    const pilot = await startPilot(system, { name: 'busy' });
    const [own = ''] = await submit(api, [{ name: 'of an experiment without a service' }]);
    for (const id of [own, ...ids.epic]) await watch.untilState(id, 'FINISHED', 20_000);
    for (const id of ids.atlas) await watch.untilState(id, ['FINISHED', 'FAILED'], 20_000);
    for (const id of [own, ...ids.epic, ...ids.atlas]) expect(faultsOf(watch.of(id))).toEqual([]);
    expect(await jobOf(api, own)).toMatchObject({ exitCode: 0 });
    await pilot.kill('SIGTERM');
  });

  it('leaves the gateway ready', async () => {
    expect((await fetch(new URL('/readyz', system.url))).status).toBe(200);
  });
});

it('answers again after its restart, including what happened meanwhile', async () => {
  await system.startAgain('atlas');
  const { data, errors } = await everything();
  expect(errors).toBeUndefined();
  expect(data?.jobs.nodes.filter(({ atlas }) => atlas !== null).map(({ id }) => id)).toEqual(ids.atlas);
  interface Tasks {
    readonly atlas: { readonly tasks: { readonly nodes: readonly { readonly state: string }[] } };
  }
  const caughtUp = await waitFor(
    'the task in its final state',
    async () => {
      const { atlas } = await api.data<Tasks>('{ atlas { tasks { nodes { state processedEvents } } } }');
      return ['DONE', 'FINISHED', 'FAILED'].includes(atlas.tasks.nodes[0]?.state ?? '') && atlas.tasks.nodes;
    },
    { deadlineMs: 15_000 },
  );
  expect(caughtUp).toHaveLength(1);
  // The same key as before gives the same task.
  expect((await submitAtlas('before')).data?.submitAtlasTask?.userErrors).toEqual([]);
  expect(await jobsOfExperiment('atlas', 2)).toHaveLength(2);
});

import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { instead } from '../support/instead.fixture.js';
import {
  aSpec,
  deadline,
  freshKey,
  idsOf,
  live,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('dependencies');
  process = await shared.process();
});

const stateIs = (id: string, state: string) =>
  waitFor(`${id} to be ${state}`, async () => (await shared.read(id)).state === state, deadline);

describe('dependencies', () => {
  const submit = async (...specs: Parameters<typeof aSpec>[0][]): Promise<string[]> => {
    const { jobs, refusals } = await process.domain.submits.submit(someone, {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: specs.map((spec) => aSpec(spec)),
    });
    expect(refusals).toEqual([]);
    return idsOf(jobs);
  };

  it('keeps a child PENDING until all of its parents FINISHED, and activates it once', async () => {
    const [a = '', b = '', child = ''] = await submit({}, {}, { dependsOn: ['#0', '#1'] });
    expect(await shared.read(child)).toMatchObject({ state: 'PENDING', waitingFor: [a, b] });
    await live(process.writer, [a]);
    await waitFor(
      'the first parent to be removed',
      async () => (await shared.read(child)).waitingFor.length === 1,
      deadline,
    );
    expect((await shared.read(child)).state).toBe('PENDING');
    await live(process.writer, [b]);
    await stateIs(child, 'ACTIVATED');
    expect(await shared.read(child)).toMatchObject({
      waitingFor: [],
      lookup: ['o:alpha:someone@example', 's:alpha/default'],
      dependsOn: [a, b],
      transitions: [{ from: 'PENDING', to: 'ACTIVATED', actor: 'system:dependencies' }],
    });
  });

  it('does not delay a child whose parent had FINISHED before the submit', async () => {
    const [parent = ''] = await submit({});
    await live(process.writer, [parent]);
    const [child = ''] = await submit({ dependsOn: [parent] });
    expect(await shared.read(child)).toMatchObject({
      state: 'ACTIVATED',
      waitingFor: [],
      dependsOn: [parent],
    });
  });

  it.each(['FINISHED', 'FAILED'] as const)(
    'detects a parent that ends as %s between its read and the write of its child',
    async (end) => {
      const [parent = ''] = await submit({});
      const racing = await shared.process({
        leads: false,
        stores: (stores) => {
          const { jobs } = stores;
          const insertNew = async (documents: Parameters<typeof jobs.insertNew>[0]): Promise<void> => {
            // The parent ends, and its event is handled, before the child can be found.
            await live(process.writer, [parent], end);
            await jobs.insertNew(documents);
          };
          return { ...stores, jobs: instead(jobs, { insertNew }) };
        },
      });
      process.leader.lose();
      const { jobs } = await racing.domain.submits.submit(someone, {
        experiment: 'alpha',
        idempotencyKey: freshKey(),
        jobs: [aSpec({ dependsOn: [parent] })],
      });
      expect((await shared.read(idsOf(jobs)[0] ?? '')).state).toBe(
        end === 'FINISHED' ? 'ACTIVATED' : 'CLOSED',
      );
      process.leader.gain();
    },
  );

  it('closes the children of a failed parent and theirs, with a reason that names it', async () => {
    const [parent = '', child = '', grandchild = ''] = await submit(
      {},
      { dependsOn: ['#0'] },
      { dependsOn: ['#1'] },
    );
    await live(process.writer, [parent], 'FAILED');
    await stateIs(grandchild, 'CLOSED');
    expect((await shared.read(child)).transitions.at(-1)?.reason).toBe(
      `its parent ${parent} ended as FAILED`,
    );
    expect((await shared.read(grandchild)).transitions.at(-1)?.reason).toBe(
      `its parent ${child} ended as CLOSED`,
    );
  });

  it('keeps a held child held when its parents end, and continues with it on release', async () => {
    const [parent = '', child = ''] = await submit({}, { dependsOn: ['#0'] });
    await process.domain.bulk.change(someone, 'HOLD', {
      selection: { ids: [child] },
      parameters: { reason: 'later' },
    });
    await live(process.writer, [parent]);
    await waitFor(
      'the parent to be removed',
      async () => (await shared.read(child)).waitingFor.length === 0,
      deadline,
    );
    expect((await shared.read(child)).state).toBe('PENDING');
    await process.domain.bulk.change(someone, 'RELEASE', { selection: { ids: [child] }, parameters: {} });
    expect((await shared.read(child)).state).toBe('ACTIVATED');
  });

  it('continues at the position of the previous leader and loses no ends in between', async () => {
    const [a = '', b = '', child = '', other = ''] = await submit(
      {},
      {},
      { dependsOn: ['#0'] },
      { dependsOn: ['#1'] },
    );
    await live(process.writer, [a]);
    await stateIs(child, 'ACTIVATED');
    process.leader.lose();
    await live(process.writer, [b]);
    const next = await shared.process();
    await stateIs(other, 'ACTIVATED');
    await next.stop();
    process.leader.gain();
  });

  it('reads the store if a process has lost its position in the stream', async () => {
    process.leader.lose();
    const [a = '', b = '', child = '', other = ''] = await submit(
      {},
      {},
      { dependsOn: ['#0'] },
      { dependsOn: ['#1'] },
    );
    await live(process.writer, [a]);
    await live(process.writer, [b], 'FAILED');
    await shared.db.collection('consumers').deleteMany({});
    process.leader.gain();
    await stateIs(child, 'ACTIVATED');
    await stateIs(other, 'CLOSED');
  });

  it('activates many children of many parents once each, with two processes at once', async () => {
    const parents = await submit(...Array.from({ length: 20 }, () => ({})));
    const children = await submit(
      ...Array.from({ length: 200 }, (_, at) => ({
        dependsOn: [parents[at % 20] ?? '', parents[(at * 7 + 3) % 20] ?? ''].filter(
          (id, position, all) => all.indexOf(id) === position,
        ),
      })),
    );
    await Promise.all([live(process.writer, parents.slice(0, 10)), live(process.writer, parents.slice(10))]);
    const both = parents.map((id) => ({ id, state: 'FINISHED' as const }));
    const second = await shared.process({ leads: false });
    await Promise.all([
      process.domain.dependencies.parentsEnded(both),
      second.domain.dependencies.parentsEnded([...both].reverse()),
    ]);
    for (const id of children)
      expect(await shared.read(id)).toMatchObject({ state: 'ACTIVATED', waitingFor: [], revision: 2 });
  });
});

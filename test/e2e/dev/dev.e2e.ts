// `npm run dev`: what is saved becomes live while clients watch.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@rhizome/client';
import type { PlaygroundFile } from '@rhizome/playground';
import { leftovers, spawnProcess, type TestProcess, waitFor } from '@rhizome/testkit';
import { type Api, apiOf } from '../system/api.js';
import { type JobWatch, watchJobs } from '../system/job-watch.js';
import { submit } from '../system/jobs.js';
import { dataFolder } from '../system/playground-system.js';
import { type WorkingCopy, workingCopy } from './working-copy.js';

const generous = { deadlineMs: 300_000 };
const motto = '{ larkspur { motto } }';

let copy: WorkingCopy;
let dev: TestProcess;
let api: Api;
let jobs: JobWatch;

/** Saves a file, and waits until the service is live with it. */
async function save(service: string, edit: Promise<void>): Promise<void> {
  const before = dev.lines.length;
  await edit;
  const isLive = (line: string): boolean => line.startsWith('dev: live') && line.includes(service);
  await waitFor(`the update of ${service}`, () => dev.lines.slice(before).some(isLive), generous);
}

const mottoIs = (expected: string | null): Promise<unknown> =>
  waitFor(
    `the motto ${expected}`,
    async () => {
      const { data } = await api.post<{ larkspur: { motto: string | null } | null }>(motto);
      return data?.larkspur != null && data.larkspur.motto === expected;
    },
    generous,
  );

beforeAll(async () => {
  copy = await workingCopy();
  const data = await dataFolder();
  dev = spawnProcess({
    name: 'npm run dev',
    command: 'node',
    args: ['tools/dev.mjs', '--data', data, '--port', '0', '--pilots', '0'],
    cwd: copy.path,
  });
  await dev.line(/^dev: watching sources/, generous.deadlineMs);
  const file = JSON.parse(await readFile(join(data, 'playground.json'), 'utf8')) as PlaygroundFile;
  api = apiOf(file.url, file.token);
  const { url, wsUrl, token } = file;
  jobs = await watchJobs(leftovers.use(createClient({ url, wsUrl, token }), 'a client'));
});

describe('npm run dev', () => {
  it('composes and serves a changed schema of an experiment', async () => {
    expect(JSON.stringify(await api.post(motto))).toMatch(/Cannot query field \\"motto\\"/);
    await save(
      'larkspur',
      copy.edit(
        'experiments/larkspur/src/schema.graphql',
        'type LarkspurQuery {',
        'type LarkspurQuery {\n  "Motto of the array."\n  motto: String',
      ),
    );
    await mottoIs(null);
    expect(dev.lines).toContainEqual(expect.stringMatching(/SAFE: .*motto/));
    expect(dev.lines).toContainEqual(expect.stringMatching(/schema version \d+ is live/));
  });

  it('serves a saved resolver of an experiment', async () => {
    await save(
      'larkspur',
      copy.edit(
        'experiments/larkspur/src/resolvers.ts',
        'LarkspurQuery: {',
        "LarkspurQuery: {\n    motto: () => 'Look up',",
      ),
    );
    await mottoIs('Look up');
  });

  it('restarts core while streams resume without a gap or a repetition', async () => {
    const [early = ''] = await submit(api, [{ name: 'before the restart' }]);
    await jobs.untilState(early, 'ACTIVATED', generous.deadlineMs);
    await save(
      'core',
      copy.edit('subgraphs/core/src/viewer/graphql/resolvers.ts', '`principal_${', '`restarted_${'),
    );
    // Right after a restart, the gateway may not call core for a moment.
    const owner = await waitFor(
      'an answer of core',
      async () => {
        const { data } = await api.post<{ job: { owner: { subject: string; id: string } } | null }>(
          'query ($id: ID!) { job(id: $id) { owner { subject id } } }',
          { id: early },
        );
        return data?.job?.owner;
      },
      generous,
    );
    expect(owner.id).toBe(`restarted_${owner.subject}`);
    const [late = ''] = await submit(api, [{ name: 'after the restart' }]);
    await api.data(
      'mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { message } } }',
      { ids: [early, late] },
    );
    for (const id of [early, late]) {
      await jobs.untilState(id, 'CANCELLED', generous.deadlineMs);
      const events = jobs.of(id).map(({ revision, state }) => `${revision} ${state}`);
      expect(events).toEqual(['1 ACTIVATED', '2 CANCELLED']);
    }
  });

  it('starts the command line as it was saved', async () => {
    const description = 'Submit and manage jobs.';
    await save('command line', copy.edit('clients/cli/src/program.ts', description, 'Saved.'));
    const program = join(copy.path, 'clients/cli/bin/rhizome.mjs');
    const help = spawnProcess({ name: 'rhizome', command: 'node', args: [program, '--help'] });
    expect(await help.exited).toEqual({ code: 0, signal: null });
    expect(help.lines).toContain('Saved.');
    expect(help.lines).not.toContain(description);
  });

  it('keeps what runs if a saved file does not compile', async () => {
    await copy.edit('experiments/larkspur/src/resolvers.ts', "'Look up'", "'Look up");
    await dev.line(/^dev: not built; what runs stays as it is/, generous.deadlineMs);
    await mottoIs('Look up');
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';
import { ChangingService, type ResolversOf } from './publish-system.js';

const heronSdl = (fields: string, query = 'HeronQuery'): string => `
  extend type Query { "Heron's own questions." heron: ${query} }
  "Heron's own questions." type HeronQuery { ${fields} }
`;
const first = heronSdl('"Nests counted." nests: Int');
const second = heronSdl('"Nests counted." nests: Int "Eggs counted." eggs: Int');
const broken = heronSdl('nests: Int', 'HeronQuery!');

const resolversOf: ResolversOf = (sdl) => ({
  resolvers: {
    Query: { heron: () => ({}) },
    HeronQuery: { nests: () => 3, ...(sdl.includes('eggs') ? { eggs: () => 12 } : {}) },
  },
  fields: ['Query.heron'],
});

/**
 * An experiment that nobody at the playground knows joins it, as its team would do it: by commands, from a
 * service of its own.
 */
describe('rhizome schema', () => {
  let system: PlaygroundSystem;
  let cli: CommandLine;
  let service: ChangingService;
  let token: string;
  const asHeron = (args: readonly string[]) => cli.run(['--token-file', token, ...args]);

  beforeAll(async () => {
    system = await startPlayground();
    cli = commandLineOf(system);
    service = await ChangingService.start('heron', system.identities.callVerifier('heron'), resolversOf);
    const folder = dirname(system.data);
    token = join(folder, 'heron.token');
    await writeFile(token, await system.identities.service('heron'), { mode: 0o600 });
    await mkdir(join(folder, 'sdl'));
    await writeFile(join(folder, 'sdl', 'schema.graphql'), first);
    await writeFile(join(folder, 'sdl', 'operations.graphql'), 'query Q { heron { nests } }');
    await mkdir(join(folder, 'agent'));
    await writeFile(
      join(folder, 'agent', 'nests.graphql'),
      '"Counts nests." query Nests { heron { nests } }',
    );
    await mkdir(join(folder, 'wrong'));
    await writeFile(join(folder, 'wrong', 'eggs.graphql'), '"Counts eggs." query Eggs { heron { eggs } }');
  });

  it('takes a schema from nothing to live and back, and says what is wrong on the way', async () => {
    const unknown = await cli.run(['schema', 'check', 'heron', '--sdl', 'sdl']);
    expect(unknown).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('Register it with its endpoint first'),
    });
    const denied = await asHeron([
      'schema',
      'register',
      'heron',
      '--prefix',
      'Heron',
      '--endpoint',
      service.url,
    ]);
    expect(denied.exitCode).toBe(4);
    const registered = await cli.run([
      'schema',
      'register',
      'heron',
      '--prefix',
      'Heron',
      '--endpoint',
      service.url,
    ]);
    expect(registered).toMatchObject({ exitCode: 0, stderr: '' });

    service.serve(broken);
    const refused = await asHeron(['schema', 'check', 'heron']);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(
      /✗ Query\.heron: nullable\n.*Query\.heron must be nullable.*\n {2}Remedy: Take the `!` off the type/,
    );
    const asJson = await asHeron(['schema', 'check', 'heron', '--json']);
    expect(asJson.exitCode).toBe(1);
    const { check } = asJson.json<{
      check: { hasPassed: boolean; findings: { rule: string; coordinate: string }[] };
    }>();
    expect(check.hasPassed).toBe(false);
    expect(check.findings.map(({ rule, coordinate }) => `${rule} ${coordinate}`).sort()).toEqual([
      'DESCRIPTION HeronQuery.nests',
      'NULLABLE Query.heron',
    ]);

    const differs = await asHeron(['schema', 'publish', 'heron', '--sdl', 'sdl']);
    expect(differs).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[ENDPOINT_DIFFERS]') });
    service.serve(first);
    const wrong = await asHeron(['schema', 'check', 'heron', '--sdl', 'sdl', '--agent', 'wrong']);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stdout).toMatch(/✗ heron\.Eggs: agent-operation\n.*Cannot query field "eggs"/);
    const published = await asHeron([
      'schema',
      'publish',
      'heron',
      '--sdl',
      'sdl',
      '--agent',
      'agent',
      '--note',
      'nests are counted',
    ]);
    expect(published).toMatchObject({ exitCode: 0, stderr: '' });
    expect(published.stdout).toMatch(/SAFE +Query\.heron[^]*Live: version \d+: heron\./);
    await waitFor('the answer of heron', () => answers('nests', 3), { deadlineMs: 2_000 });
    expect((await asHeron(['schema', 'publish', 'core'])).exitCode).toBe(4);

    service.serve(second);
    expect((await asHeron(['schema', 'publish', 'heron'])).exitCode).toBe(0);
    await waitFor('the new field', () => answers('eggs', 12), { deadlineMs: 2_000 });
    const diff = await cli.run(['schema', 'diff']);
    expect(diff.stdout).toContain("SAFE       HeronQuery.eggs: Field 'eggs' was added");
    await waitFor('the recorded use', () => used('HeronQuery.eggs'), { deadlineMs: 10_000 });

    const back = await asHeron(['schema', 'rollback', 'heron', '--note', 'eggs were wrong']);
    expect(back).toMatchObject({ exitCode: 0, stderr: '' });
    expect(back.stdout).toMatch(/Live: version \d+: heron as in version \d+\./);
    await waitFor('the end of the new field', async () => !(await answers('eggs', 12)), {
      deadlineMs: 2_000,
    });
    expect(await answers('nests', 3)).toBe(true);

    const history = await cli.run(['schema', 'history', '--limit', '3', '--json']);
    expect(history.json<object[]>()).toMatchObject([
      {
        isLive: true,
        kind: 'ROLLBACK',
        subgraphName: 'heron',
        publishedBy: { subject: 'experiment:heron' },
        note: 'eggs were wrong',
      },
      { isLive: false, kind: 'PUBLISH', subgraphName: 'heron' },
      { isLive: false, kind: 'PUBLISH', subgraphName: 'heron', note: 'nests are counted' },
    ]);
    const usage = await cli.run(['schema', 'rollback']);
    expect(usage).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--all') });
  });

  it('takes a subgraph out when that is accepted by a permitted user, and brings it back', async () => {
    const used = await asHeron(['schema', 'withdraw', 'heron']);
    expect(used).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[CHECK_FAILED]') });
    expect(used.stdout).toMatch(/✗ .*breaking/);
    expect((await asHeron(['schema', 'withdraw', 'core', '--accept-breaking'])).exitCode).toBe(4);
    const forGood = ['schema', 'withdraw', 'heron', '--accept-breaking', '--unregister'];
    expect((await asHeron(forGood)).exitCode).toBe(4);
    expect(await answers('nests', 3)).toBe(true);

    const out = await asHeron(['schema', 'withdraw', 'heron', '--accept-breaking', '--note', 'it rests']);
    expect(out).toMatchObject({ exitCode: 0, stderr: '' });
    expect(out.stdout).toMatch(/Live: version \d+: without heron\./);
    await waitFor('the end of heron', async () => !(await answers('nests', 3)), { deadlineMs: 2_000 });
    const history = await cli.run(['schema', 'history', '--limit', '1', '--json']);
    expect(history.json<object[]>()).toMatchObject([
      {
        isLive: true,
        kind: 'WITHDRAWAL',
        subgraphName: 'heron',
        publishedBy: { subject: 'experiment:heron' },
        note: 'it rests',
      },
    ]);
    expect((await cli.run(['schema', 'withdraw', 'nobody'])).exitCode).toBe(3);

    expect((await asHeron(['schema', 'rollback', 'heron'])).exitCode).toBe(0);
    await waitFor('heron again', () => answers('nests', 3), { deadlineMs: 2_000 });
  });

  it('shows the state of the service, and what became of it outlives the playground', async () => {
    service.serve(second);
    const { exitCode, stdout } = await cli.run(['subgraphs', '--json']);
    expect(exitCode).toBe(0);
    const listed = JSON.parse(stdout) as {
      name: string;
      state: string;
      isLive: boolean;
      publishedBy: { subject: string };
    }[];
    expect(listed.find(({ name }) => name === 'heron')).toMatchObject({
      state: 'UP',
      isLive: true,
      publishedBy: { subject: 'experiment:heron' },
      endpoint: service.url,
    });
    expect((await cli.run(['subgraphs'])).stdout).toMatch(/^heron +UP /m);
    await system.stop();
    system = await startPlayground({ data: system.data });
    expect(await answers('nests', 3)).toBe(true);
  });

  async function answers(field: string, value: number): Promise<boolean> {
    const { data } = await system
      .api()
      .post<{ heron: Record<string, number> | null }>(`{ heron { ${field} } }`);
    return data?.heron?.[field] === value;
  }

  async function used(coordinate: string): Promise<boolean> {
    const { stdout } = await cli.run(['schema', 'use', coordinate]);
    return stdout.includes('Used ');
  }
});

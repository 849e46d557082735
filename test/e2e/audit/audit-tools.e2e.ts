// The audit log as an operator uses it: by the command line, and on the dashboard in a real browser.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import { MongoClient } from 'mongodb';
import { openPage, startBrowser } from '../system/browser.js';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';

interface Found {
  readonly id: string;
  readonly action: string;
  readonly result: string;
}

let system: PlaygroundSystem;
let cli: CommandLine;
let heads: string;

beforeAll(async () => {
  system = await startPlayground({ pilots: 0 });
  cli = commandLineOf(system);
  heads = join(system.data, 'audit');
  await cli.run(['queue', 'create', 'audited', '--site', 'here']);
  await cli.run(['queue', 'set-state', 'audited', 'PAUSED', '--reason', 'a test']);
});

const search = async (...flags: readonly string[]): Promise<readonly Found[]> =>
  (await cli.run(['audit', 'search', '--json', ...flags])).json<readonly Found[]>();

describe('rhizome audit', () => {
  it('finds calls by object, and prints them as a table', async () => {
    const found = await waitFor(
      'the outcome of the last call',
      async () => {
        const entries = await search('--target', 'audited');
        return entries.length === 2 && entries.every(({ result }) => result === 'SUCCEEDED') && entries;
      },
      { deadlineMs: 10_000 },
    );
    expect(found.map(({ action }) => action)).toEqual(['Mutation.setQueueState', 'Mutation.createQueue']);
    const { stdout } = await cli.run(['audit', 'search', '--action', 'Mutation.createQueue']);
    expect(stdout).toMatch(/playground:newcomer +Mutation\.createQueue +SUCCEEDED/);
  });

  it('verifies the log with its heads, and an export of it', async () => {
    const direct = await cli.run(['audit', 'verify', '--heads', heads]);
    expect([direct.exitCode, direct.stdout]).toEqual([0, expect.stringMatching(/: intact\n?$/)]);
    const { stdout } = await cli.run(['audit', 'export']);
    const file = join(system.data, 'export.jsonl');
    await writeFile(file, stdout);
    const exported = await cli.run(['audit', 'verify', '--file', file, '--heads', heads, '--json']);
    expect(exported.json<object>()).toMatchObject({ isIntact: true, tampering: [], headFaults: [] });
  });
});

describe('the dashboard', () => {
  it('lists entries, narrows them, and shows one', async () => {
    const browser = await startBrowser();
    const { origin } = new URL(system.file.url);
    const { page, faults } = await openPage(browser, `${origin}/#token=${system.file.token}`);
    await page.getByRole('link', { name: 'Audit' }).click();
    const table = page.getByRole('table', { name: 'Audit entries' });
    await table.getByText('Mutation.setQueueState').first().waitFor();
    await page.getByLabel('Action').fill('Mutation.createQueue');
    await page.getByLabel('Target').fill('audited');
    await page.getByRole('button', { name: 'Search' }).click();
    await table.getByText('Mutation.setQueueState').first().waitFor({ state: 'detached' });
    await table.getByText('Mutation.createQueue').first().waitFor();
    expect(await table.locator('tbody tr').count()).toBe(1);
    await table.getByRole('link').click();
    await page.getByRole('heading', { name: 'Mutation.createQueue' }).waitFor();
    await page.getByText('HUMAN playground:newcomer').waitFor();
    expect(page.url()).toContain(`${origin}/audit/audit_`);
    expect(faults).toEqual([]);
  });
});

describe('a changed log', () => {
  it('is named by rhizome audit verify with chain and position', async () => {
    const uri = readFileSync(join(system.data, 'mongo', 'uri'), 'utf8').trim();
    const client = leftovers.use(await MongoClient.connect(uri), 'a client of the store');
    const entries = client.db('identity').collection('auditEntries');
    const entry = await entries.findOneAndUpdate(
      { action: 'Mutation.createQueue', 'targets.ids': 'audited' },
      { $set: { 'actor.subject': 'somebody@else' } },
    );
    const { exitCode, stdout } = await cli.run(['audit', 'verify', '--heads', heads]);
    const { sequence } = (entry as unknown as { readonly link: { readonly sequence: number } }).link;
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`CHANGED ${String(entry?.['chain'])} ${sequence} ${String(entry?._id)}`);
    expect(stdout).toContain('1 place where the log was changed');
  });
});

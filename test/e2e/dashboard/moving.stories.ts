// Counts, a task and a log move without a reload, also across a restart of the gateway.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { createGate } from '../system/gated-payload.js';
import { experiment, jobInput, submit } from '../system/jobs.js';
import { api, origin, signedIn, system } from './stage.js';

const tile = (page: Page, list: string, state: string) =>
  page.getByRole('list', { name: list }).locator(`[data-state=${state}] strong`);

async function submitTask(name: string, shells: readonly string[]): Promise<string> {
  const jobs = shells.map((shell, index) => jobInput({ name: `${name} ${index}`, shell }));
  const template = { ...(jobs[0] as object), name };
  const input = { experiment, name, idempotencyKey: randomUUID(), jobs: { count: shells.length }, template };
  const { submitTask: answer } = await api.data<{
    submitTask: { task: { id: string } | null; userErrors: { message: string }[] };
  }>(
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
    {
      input,
    },
  );
  if (!answer.task) throw new Error(JSON.stringify(answer.userErrors));
  return answer.task.id;
}

describe('a page that moves', () => {
  it('counts jobs by state, and the counts move', async () => {
    const { page, faults } = await signedIn();
    // The token is not left in the address, where it would be copied or kept.
    expect(page.url()).toBe(`${origin}/`);
    await page.getByRole('status').getByText('live').waitFor();
    const gate = createGate(system.data);
    await submit(api, [{ name: 'counted', shell: gate.wait }]);
    await tile(page, 'Jobs by state', 'RUNNING').getByText('1', { exact: true }).waitFor();
    await page.getByRole('table', { name: 'Latest jobs' }).getByRole('link', { name: 'counted' }).waitFor();
    gate.open();
    await tile(page, 'Jobs by state', 'FINISHED').getByText('1', { exact: true }).waitFor();
    await tile(page, 'Jobs by state', 'RUNNING').waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
  });

  it('shows a task, found by a link, and its progress moves to the end', async () => {
    const gate = createGate(system.data);
    const id = await submitTask('a task to watch', [gate.wait, gate.wait]);
    const { page } = await signedIn();
    await page.getByRole('link', { name: 'a task to watch', exact: true }).first().click();
    expect(page.url()).toBe(`${origin}/tasks/${id}`);
    const bar = page.getByRole('progressbar', { name: 'Progress' });
    await bar.waitFor();
    expect(await bar.getAttribute('aria-valuenow')).toBe('0');
    gate.open();
    await page.getByText('2 of 2 jobs have ended').waitFor();
    expect(await bar.getAttribute('aria-valuenow')).toBe('100');
    await tile(page, 'Jobs of the task by state', 'FINISHED').getByText('2', { exact: true }).waitFor();
    // Nothing of it moves any more: that is no loss of the connection.
    await page.getByRole('status').getByText('at rest').waitFor();
    // A step back is a view, too.
    await page.goBack();
    await page.getByRole('list', { name: 'Jobs by state' }).waitFor();
  });

  it('shows the end of a log as it is written, across a restart of the gateway: nothing lost, nothing twice', async () => {
    const [second, third] = [createGate(system.data), createGate(system.data)];
    const shell = `echo first; ${second.wait}; echo second; ${third.wait}; echo third; echo of errors >&2`;
    const [id = ''] = await submit(api, [{ name: 'talkative', shell }]);
    const { page, requests, faults } = await signedIn(`/jobs/${id}`);
    const log = page.getByLabel('Log', { exact: true });
    const state = page.getByTestId('job-state');
    await log.getByText('first').waitFor();
    await state.getByText('RUNNING').waitFor();
    await page.evaluate(() => Object.assign(globalThis, { isTheSamePage: true }));

    const status = page.getByRole('status');
    system.service('gateway').signal('SIGKILL');
    await status.getByText('reconnecting…').waitFor();
    // The payload goes on meanwhile, and its pilot keeps what it wrote.
    second.open();
    await system.startAgain('gateway');
    await status.getByText('live').waitFor();
    await log.getByText('second').waitFor();

    third.open();
    await state.getByText('FINISHED').waitFor();
    await page.getByText('the job has ended: this is all of it').waitFor();
    const lines = ((await log.textContent()) ?? '').trim().split('\n').sort();
    expect(lines).toEqual(['first', 'of errors', 'second', 'third']);
    await page.getByRole('list', { name: 'States' }).getByText('FINISHED').waitFor();
    expect(await page.evaluate(() => 'isTheSamePage' in globalThis)).toBe(true);

    expect(faults).toEqual([]);
    const elsewhere = requests.filter(
      (url) => !url.startsWith(origin) && !url.startsWith(origin.replace('http', 'ws')),
    );
    expect(elsewhere.filter((url) => !url.startsWith('data:'))).toEqual([]);
    expect(requests.some((url) => url.startsWith('ws:'))).toBe(true);
    // Fragments are not sent; no other part of an address may hold the token.
    expect(requests.filter((url) => (url.split('#')[0] ?? '').includes(system.token))).toEqual([]);
  });
});

// The dashboard in a real browser: counts, a task and a log move without a reload, also across a restart of
// the gateway.
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type TestProcess, waitFor } from '@rhizome/testkit';
import type { Browser, Page } from 'playwright-core';
import type { Api } from '../system/api.js';
import { openPage, startBrowser } from '../system/browser.js';
import { commandLineOf } from '../system/cli.js';
import { createGate } from '../system/gated-payload.js';
import { experiment, jobInput, submit } from '../system/jobs.js';
import { openLeaseStore } from '../system/lease-store.js';
import { speakAsWorker, startPilot } from '../system/pilots.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

let system: ServiceSystem;
let browser: Browser;
let api: Api;
let origin: string;
let pilot: TestProcess;

beforeAll(async () => {
  system = await startServices({ experiments: [experiment] });
  api = system.api();
  ({ origin } = new URL(system.url));
  browser = await startBrowser();
  pilot = await startPilot(system, { name: 'steady' });
});

/** A page that has been given a token by its address, as the playground prints it. */
const signedIn = (path = '/') => openPage(browser, `${origin}${path}#token=${system.token}`);

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

const workflowNode = (name: string, shell: string, parents: readonly string[] = []): object => ({
  name,
  payload: { command: 'sh', arguments: ['-c', shell] },
  retry: { maxAttempts: 1 },
  dependsOn: parents.map((node) => ({ node })),
});

async function submitWorkflow(name: string, nodes: readonly object[], rest: object = {}): Promise<string> {
  const { workflow } = await api.change<{ workflow: { id: string } }>(
    'submitWorkflow',
    { experiment, name, idempotencyKey: randomUUID(), nodes, ...rest },
    'workflow { id } userErrors { code }',
  );
  return workflow.id;
}

/** Contrast between a colour of an element and the background of another one, by WCAG. */
async function contrast(page: Page, front: string, property: string, back: string): Promise<number> {
  const colour = (selector: string, name: string): Promise<readonly number[]> =>
    page.evaluate(`(() => {
      const context = document.createElement('canvas').getContext('2d');
      const element = document.querySelector(${JSON.stringify(selector)});
      context.fillStyle = getComputedStyle(element).getPropertyValue(${JSON.stringify(name)});
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    })()`);
  const luminance = (parts: readonly number[]): number => {
    const [r = 0, g = 0, b = 0] = parts.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const both = [luminance(await colour(front, property)), luminance(await colour(back, 'background-color'))];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}

describe('the dashboard', () => {
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

  it('asks for a token, says when it is none that the gateway takes, and takes a pasted one', async () => {
    const { page } = await openPage(browser, `${origin}/`);
    const field = page.getByLabel(/Paste a token/);
    await field.fill('no-such-token');
    await page.getByRole('button', { name: 'Look' }).click();
    await page.getByRole('alert').getByText('The gateway does not take this token.').waitFor();
    await field.fill(`Bearer ${system.token}`);
    await page.getByRole('button', { name: 'Look' }).click();
    await page.getByText('playground:newcomer').waitFor();
    await page.getByRole('list', { name: 'Jobs by state' }).waitFor();
    // It stays for the tab, not for the next visitor.
    await page.reload();
    await page.getByText('playground:newcomer').waitFor();
    await page.getByRole('button', { name: 'Leave' }).click();
    await field.waitFor();
    await page.reload();
    await field.waitFor();
  });

  it('asks for another token when the one it was given ends, and goes on where it was', async () => {
    const { issuer } = system.identities;
    const [id = ''] = await submit(api, [{ name: 'seen with two tokens', shell: 'true' }]);
    const short = await issuer.mint({
      kind: 'HUMAN',
      subject: 'brief@playground',
      grants: [{ experiment: '*', roles: ['READER'] }],
      ttlSeconds: 8,
    });
    const { page } = await openPage(browser, `${origin}/jobs/${id}#token=${short}`);
    await page.getByRole('alert').getByText('The token has expired.').waitFor();
    await page.getByLabel(/Paste a token/).fill(system.token);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'seen with two tokens' }).waitFor();
  });

  it('asks again by itself for what it could not read', async () => {
    const [id = ''] = await submit(api, [{ name: 'read at the second try', shell: 'echo readable' }]);
    const { page } = await signedIn();
    await page.getByRole('link', { name: 'read at the second try' }).waitFor();
    await page.route('**/graphql', (route) => route.abort());
    await page.getByRole('link', { name: 'read at the second try' }).click();
    await page
      .getByText(/The gateway cannot be reached; trying again/)
      .first()
      .waitFor();
    await page.unroute('**/graphql');
    await page.getByRole('heading', { name: 'read at the second try' }).waitFor();
    await page.getByLabel('Log', { exact: true }).getByText('readable').waitFor();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    expect(page.url()).toBe(`${origin}/jobs/${id}`);
  });

  it('fits a narrow screen, however long names are, and names each view', async () => {
    const name = `mc23_13p6TeV.801169.${'Py8EG_A14NNPDF23LO_jj_'.repeat(6)}HITS`;
    const [id = ''] = await submit(api, [{ name, shell: 'echo done' }]);
    const { page, faults } = await signedIn();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByRole('link', { name }).waitFor();
    const sidewards = () =>
      page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect([await page.title(), await sidewards()]).toEqual(['Overview · Rhizome', 0]);
    await page.getByRole('link', { name }).press('Enter');
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    expect(page.url()).toBe(`${origin}/jobs/${id}`);
    expect([await page.title(), await sidewards()]).toEqual([`${name} · Rhizome`, 0]);
    expect(faults).toEqual([]);
  });

  it('shows what fails where: by hour, code and site, with a link to a job, in light and dark', async () => {
    const [id = ''] = await submit(api, [{ name: 'fails', shell: 'exit 7', retry: { maxAttempts: 1 } }]);
    const { page, faults } = await signedIn('/errors');
    const row = page
      .getByRole('table', { name: 'Failures by code and site' })
      .getByRole('row', { name: /^EXIT_CODE/ });
    // Counts follow the event stream.
    await waitFor(
      'the failure in the counts',
      async () => {
        await page.getByRole('button', { name: 'Search' }).click();
        return (await row.getByRole('link', { name: 'fails' }).count()) > 0;
      },
      { deadlineMs: 60_000 },
    );
    expect(await row.textContent()).toMatch(/never before \d{4}-/);
    await page
      .getByTestId('error-count')
      .getByText(/^1 failed attempt, /)
      .waitFor();
    const bars = page.getByRole('list', { name: 'Failures by hour' }).getByRole('listitem');
    expect(await bars.count()).toBeGreaterThanOrEqual(24);
    // The hour may have changed since.
    expect(await bars.and(page.getByLabel(/^\d{4}-\d\d-\d\d \d\d:00: 1$/)).count()).toBe(1);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const failed = '.hours > li[data-count]:not([data-count="0"])';
      expect(await contrast(page, failed, 'background-color', '.hours')).toBeGreaterThan(3);
      expect(await contrast(page, '.new', 'color', '.table')).toBeGreaterThan(4.5);
      expect(await contrast(page, 'td.number', 'color', '.table')).toBeGreaterThan(4.5);
    }
    await page.getByRole('textbox', { name: 'Site' }).fill('NOWHERE');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('no failures').waitFor();
    await page.getByRole('textbox', { name: 'Site' }).fill('');
    await page.getByRole('button', { name: 'Search' }).click();
    await row.getByRole('link', { name: 'fails' }).click();
    expect(page.url()).toBe(`${origin}/jobs/${id}`);
    expect(faults).toEqual([]);
  });

  it('shows a workflow as a graph that moves, and a node with its reason and its job', async () => {
    const gate = createGate(system.data);
    const id = await submitWorkflow('a night', [
      workflowNode('fetch', gate.wait),
      workflowNode('broken', 'exit 3'),
      workflowNode('reduce', 'true', ['fetch', 'broken']),
      { ...workflowNode('collect', 'true'), isFinal: true },
    ]);
    const { page, requests, faults } = await signedIn('/workflows');
    await page.getByRole('table', { name: 'Workflows' }).getByRole('link', { name: 'a night' }).click();
    expect(page.url()).toBe(`${origin}/workflows/${id}`);
    const graph = page.getByRole('group', { name: /^Graph of the workflow/ });
    const node = (name: string) => graph.getByRole('button', { name: new RegExp(`^${name} `) });
    await node('reduce').and(page.locator('[data-state=SKIPPED]')).waitFor();
    await node('fetch').and(page.locator('[data-state=SUBMITTED]')).waitFor();
    // Three arrows: the final node waits for all, and has one from the last node before it.
    expect(await graph.locator('path.arrow').count()).toBe(3);
    gate.open();
    await node('collect').and(page.locator('[data-state=SUCCEEDED]')).waitFor();
    await page.getByText('FAILED', { exact: true }).first().waitFor();
    await node('fetch').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const details = page.getByRole('complementary', { name: 'Node' });
    await details.getByText('Node "broken", on which it depends, ended as FAILED').waitFor();
    await node('broken').click();
    await details.getByRole('button', { name: 'reduce' }).waitFor();
    await details.getByRole('link').click();
    await page.getByRole('heading', { name: 'broken', level: 1 }).waitFor();
    expect(page.url()).toContain(`${origin}/jobs/`);
    expect(requests.filter((url) => /dagre/.test(url))).toHaveLength(1);
    expect(faults).toEqual([]);
  });

  it('shows a large workflow by label and layer, and the nodes of a box when it is opened', async () => {
    const many = (label: string) =>
      Array.from({ length: 120 }, (_, at) => ({ ...workflowNode(`${label}-${at}`, 'true'), label }));
    const huge = { requirements: { memoryMiB: 16_000_000 } };
    const id = await submitWorkflow('a campaign', [...many('raw'), ...many('coadd')], {
      nodeLabels: ['raw', 'coadd'].map((label) => ({ label, ...huge })),
      groupEdges: [{ from: 'raw', to: 'coadd' }],
    });
    const { page, faults } = await signedIn(`/workflows/${id}`);
    const graph = page.getByRole('group', { name: /^Graph of the workflow/ });
    const raw = graph.getByRole('button', { name: /^raw layer 1 · 120 nodes/ });
    await raw.locator('[data-state=SUBMITTED]').getByText('120').waitFor();
    await raw.press('Enter');
    const marks = graph.locator('.node-mark');
    await marks.nth(99).waitFor();
    await graph.getByRole('button', { name: '100 more' }).click();
    await marks.nth(119).waitFor();
    expect(await marks.count()).toBe(120);
    const cancelled = { workflowId: id, nodes: ['raw-7'] };
    await api.change('cancelWorkflow', cancelled);
    await graph.getByRole('button', { name: 'raw-7: CANCELLED' }).click();
    await page.getByRole('complementary', { name: 'Node' }).getByText('CANCELLED').waitFor();
    await page.getByLabel('Nodes in boxes').selectOption('CANCELLED');
    await marks.nth(1).waitFor({ state: 'detached' });
    await raw.press('Enter');
    await marks.first().waitFor({ state: 'detached' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const state of ['waiting', 'submitted', 'succeeded', 'failed', 'skipped', 'cancelled'])
        expect(await contrast(page, `.workflow-tools .glyph-${state}`, '--tone', 'main')).toBeGreaterThan(3);
      expect(await contrast(page, '.box-head .muted', 'color', '.box')).toBeGreaterThan(4.5);
    }
    await api.change('cancelWorkflow', { workflowId: id, isFinalIncluded: true });
    expect(faults).toEqual([]);
  });

  it('finds jobs by the error of an attempt and by text', async () => {
    const [id = ''] = await submit(api, [
      { name: 'needle', shell: 'exit 9', retry: { maxAttempts: 1 } },
      { name: 'straw', shell: 'true' },
    ]);
    const { page, faults } = await signedIn('/jobs');
    const found = page.getByRole('table', { name: 'Jobs found' });
    await page.getByRole('textbox', { name: 'Error code' }).fill('EXIT_CODE');
    await page.getByRole('textbox', { name: 'Text' }).fill('NEEDLE');
    await waitFor(
      'the failed job, and no other',
      async () => {
        await page.getByRole('button', { name: 'Search' }).click();
        const names = await found.getByRole('link').allTextContents();
        return names.join() === 'needle';
      },
      { deadlineMs: 60_000 },
    );
    await page.getByRole('textbox', { name: 'Host' }).fill('elsewhere');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('no jobs').waitFor();
    await page.getByRole('textbox', { name: 'Host' }).fill('');
    await page.getByRole('button', { name: 'Search' }).click();
    await found.getByRole('link', { name: 'needle' }).click();
    expect(page.url()).toBe(`${origin}/jobs/${id}`);
    expect(faults).toEqual([]);
  });

  it('says so where there is no such job', async () => {
    const { page } = await signedIn('/jobs/job_nowhere');
    await page
      .getByRole('alert')
      .getByText(/There is no job job_nowhere/)
      .waitFor();
  });

  it('shows operators that losses of workers are postponed, as the command line does', async () => {
    const workers = await Promise.all(
      Array.from({ length: 5 }, (_, index) => speakAsWorker(system, { name: `silent ${index}` })),
    );
    const ids = workers.map(({ id }) => id);
    await (await openLeaseStore(system.mongo)).age(ids, 60);
    const { page } = await signedIn();
    const note = page.getByRole('note', { name: 'Lease clock' });
    await note.getByText(/Losses of workers are postponed, until .*: 5 of 6 workers fell silent/).waitFor();
    const env = { RHIZOME_URL: system.url, RHIZOME_TOKEN: system.token };
    const { stdout } = await commandLineOf(system).run(['status'], { env });
    expect(stdout).toMatch(/^lease clock +POSTPONED: .*\nreason +5 of 6 workers fell silent/);
    expect(stdout).toMatch(/^gateways +1 of \d+ accept pilots$/m);
    const ends = await Promise.allSettled(
      ids.map((workerId) => api.change('drainWorker', { workerId, hasEnded: true })),
    );
    // Too few are silent once most have ended: core may have given up the others by then.
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []));
    expect(refused.filter((text) => !text.includes('WORKER_LOST'))).toEqual([]);
    await note.waitFor({ state: 'detached' });
  });

  it('ends with its system in order', async () => {
    expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
  });
});

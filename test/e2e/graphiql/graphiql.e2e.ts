// GraphiQL in a real browser: it loads, runs a query, and asks nobody else than the gateway for anything.
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { newPage, startBrowser } from '../system/browser.js';
import { submit } from '../system/jobs.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';

let system: PlaygroundSystem;
let browser: Browser;
const requests: string[] = [];

beforeAll(async () => {
  system = await startPlayground();
  browser = await startBrowser();
});

/** A page of its own, with what went wrong in it. */
async function open(url: string): Promise<{ readonly page: Page; readonly faults: readonly string[] }> {
  const page = await newPage(browser);
  const faults: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('requestfailed', (request) => faults.push(`${request.url()}: ${request.failure()?.errorText}`));
  const answer = await page.goto(url, { waitUntil: 'load' });
  expect(answer?.status()).toBe(200);
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  return { page, faults };
}

/** Replaces what the editor holds that is seen at this place. */
async function type(page: Page, editor: string, text: string): Promise<void> {
  await page.locator(`${editor} .view-lines:visible`).click();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

describe('GraphiQL', () => {
  it('runs a query through the link that the playground prints', async () => {
    const [, link = ''] = await system.process.line(/GraphiQL +(http\S+)/, 10_000);
    const { page, faults } = await open(link);
    // The token is not left in the address, where it would be copied or kept.
    expect(page.url()).toBe(system.file.graphiql);
    await type(page, '.graphiql-query-editor', '{ viewer { subject kind } }');
    await page.getByRole('button', { name: /Execute/ }).click();
    const answer = page.locator('.result-window');
    await answer.getByText('playground:newcomer').waitFor();
    expect(await answer.innerText()).toContain('HUMAN');
    expect(faults).toEqual([]);
  });

  it('accepts a token in the headers', async () => {
    const { page } = await open(system.file.graphiql);
    await page.getByRole('button', { name: 'Headers' }).click();
    const headers = { authorization: `Bearer ${system.file.readerToken}` };
    await type(page, '.graphiql-editor-tool', JSON.stringify(headers));
    await type(page, '.graphiql-query-editor', '{ viewer { subject } }');
    await page.getByRole('button', { name: /Execute/ }).click();
    await page.locator('.result-window').getByText('playground:reader').waitFor();
  });

  it('shows the messages of a subscription', async () => {
    const query = encodeURIComponent(
      'subscription { jobStateChanged { cursor event { state job { name } } } }',
    );
    const { page } = await open(`${system.file.graphiql}#token=${system.file.token}&query=${query}`);
    await page.getByRole('button', { name: /Execute/ }).click();
    const answer = page.locator('.result-window');
    await answer.getByText('cursor').waitFor();
    await submit(system.api(), [{ name: 'seen in the browser' }]);
    await answer.getByText('seen in the browser').waitFor();
  });

  it('shows the plan of an operation with its times on request', async () => {
    const query = encodeURIComponent('{ jobs(first: 5) { nodes { id atlas { step } } } }');
    const { page, faults } = await open(`${system.file.graphiql}#token=${system.file.token}&query=${query}`);
    const execute = page.getByRole('button', { name: /Execute/ });
    await page.getByRole('button', { name: /Show Plan/ }).click();
    const panel = page.locator('.plan-panel');
    await panel.getByRole('checkbox').check();
    await execute.click();
    const steps = panel.locator('.plan-step');
    await steps.first().waitFor();
    const subgraphs = await steps.evaluateAll((found) =>
      found.map((step) => step.getAttribute('data-subgraph')),
    );
    expect(subgraphs).toEqual(['core', 'atlas']);
    expect(await panel.innerText()).toMatch(/[\d.]+ ms in total; .*cost \d+; planner: native/);
    expect(await steps.first().innerText()).toMatch(/core [\d.]+ ms from [\d.]+ ms/);
    await page.locator('.result-window').getByText('"plan"').first().waitFor();
    // Switched off again, it is not asked for.
    await panel.getByRole('checkbox').uncheck();
    await execute.click();
    const result = page.locator('.result-window').getByText('"plan"');
    await result.waitFor({ state: 'detached' });
    expect(faults).toEqual([]);
  });

  it('explains in the plan panel why a plan is not shown', async () => {
    const query = encodeURIComponent('{ viewer { subject } }');
    const { page } = await open(`${system.file.graphiql}#token=${system.file.readerToken}&query=${query}`);
    await page.getByRole('button', { name: /Show Plan/ }).click();
    await page.locator('.plan-panel').getByRole('checkbox').check();
    await page.getByRole('button', { name: /Execute/ }).click();
    await page.locator('.plan-panel').getByText('may not operation:trace').waitFor();
  });

  it('shows the fields of pilots, of the registry, of identities and of the audit log only on request', async () => {
    const { page, faults } = await open(`${system.file.graphiql}#token=${system.file.token}`);
    const names = page.locator('.graphiql-doc-explorer-field-name');
    await page.getByRole('button', { name: /Show Documentation Explorer/ }).click();
    await page.locator('.graphiql-doc-explorer-type-name', { hasText: /^Mutation$/ }).click();
    await names.getByText('submitJobs', { exact: true }).waitFor({ timeout: 60_000 });
    const shown = await names.allInnerTexts();
    expect(shown).toContain('cancelJobs');
    // Everybody may revoke the own tokens.
    expect(shown).toContain('revokeTokens');
    const hidden = ['acquireJobs', 'publishSchema', 'setTokenIssuer', 'inviteWorkers'];
    expect(shown.filter((name) => hidden.includes(name))).toEqual([]);
    await page.getByRole('button', { name: /Show Schema/ }).click();
    const whole = page.waitForResponse(async (response) =>
      (response.request().postData() ?? '').includes('IntrospectionQuery'),
    );
    await page.locator('.schema-panel').getByRole('checkbox').check();
    await whole;
    await page.getByRole('button', { name: /Show Documentation Explorer/ }).click();
    await names.getByText('acquireJobs', { exact: true }).waitFor({ timeout: 60_000 });
    expect(await names.allInnerTexts()).toEqual(
      expect.arrayContaining(['submitJobs', 'cancelJobs', ...hidden]),
    );
    expect(faults).toEqual([]);
  });

  it('sends no request to another host', () => {
    const { origin } = new URL(system.file.url);
    const elsewhere = requests.filter((url) => !url.startsWith(origin) && !/^(data|blob):/.test(url));
    expect(elsewhere).toEqual([]);
    expect(requests.length).toBeGreaterThan(3);
  });

  it('its page forbids other hosts by its own policy', async () => {
    const policy = (await fetch(system.file.graphiql)).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/https?:/);
  });
});

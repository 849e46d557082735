// Logins at the dashboard, in a real browser at a real issuer: no token is within reach of a script, and no
// page of another site can use the session.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { freePort } from '@rhizome/mongo';
import { leftovers } from '@rhizome/testkit';
import { testIssuer } from '@rhizome/testkit/oidc';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openPage, startBrowser } from '../system/browser.js';
import { root } from '../system/playground-system.js';
import { testAudit } from '../system/test-audit.js';
import { experiment, type LoginSystem, recordOf, startLoginSystem } from './login-system.js';

const cookieName = '__Host-rhizome';

let system: LoginSystem;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  const { audit } = await testAudit({ waitMs: 60_000 });
  system = await startLoginSystem({
    port,
    redirectUris: [`${origin}/auth/callback`],
    roles: ['USER', 'PRODUCTION'],
    gateway: { audit, dashboardRoot: join(root, 'clients', 'dashboard', 'dist', 'static') },
  });
  browser = await startBrowser();
});

/** Logs in by the pages of the issuer. */
async function logIn(page: Page, login: string): Promise<void> {
  await page.getByRole('link', { name: 'institute' }).click();
  await enterLogin(page, login);
  await page.locator('.who').getByText(/^usr_/).waitFor();
}

/** Fills in the pages of an issuer. */
async function enterLogin(page: Page, login: string): Promise<void> {
  await page.locator('input[name=login]').fill(login);
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.waitForURL(/interaction/);
  await page.locator('button[type=submit]').click();
}

async function sessionCookie(context: BrowserContext) {
  return (await context.cookies()).find(({ name }) => name === cookieName);
}

/** Status of a query of the page that runs the script. */
const query = (page: Page, headers: Record<string, string>, url = '/graphql') =>
  page.evaluate(
    async ([address, more]) => {
      const body = JSON.stringify({ query: '{ viewer { subject } }' });
      const init = { method: 'POST', credentials: 'include', body } as const;
      return fetch(address, { ...init, headers: { 'content-type': 'application/json', ...more } }).then(
        ({ status }) => status,
        () => 'blocked',
      );
    },
    [url, headers] as const,
  );

it('logs in at the issuer, and keeps every token out of reach of scripts', async () => {
  const { page, faults } = await openPage(browser, `${origin}/audit#token=planted`);
  await page.waitForURL(`${origin}/audit`);
  await logIn(page, 'ann');
  expect(new URL(page.url()).pathname).toBe('/audit');
  const cookie = await sessionCookie(page.context());
  expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/' });
  const reach: unknown = await page.evaluate(
    '({ cookie: document.cookie, local: Object.keys(localStorage), session: Object.keys(sessionStorage) })',
  );
  expect(reach).toEqual({ cookie: '', local: [], session: [] });
  await page.goto(origin);
  await page.getByRole('status').getByText('live').waitFor();
  expect(faults).toEqual([]);
});

it('takes the session only in requests of its own pages', async () => {
  const { page } = await openPage(browser, origin);
  await logIn(page, 'bob');
  expect(await query(page, { 'x-rhizome-csrf': '1' })).toBe(200);
  expect(await query(page, {})).toBe(401);
  // Another port is the same site, so the browser sends the cookie from there, too.
  const other = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>other</title>');
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  leftovers.defer('another site', () => void other.close());
  await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
  expect(await query(page, { 'x-rhizome-csrf': '1' }, `${origin}/graphql`)).toBe('blocked');
  const closed = await page.evaluate(
    (address) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(address, 'graphql-transport-ws');
        socket.onopen = () =>
          socket.send(JSON.stringify({ type: 'connection_init', payload: { 'x-rhizome-csrf': '1' } }));
        socket.onmessage = ({ data }) => resolve(String(data));
        socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
      }),
    `${origin.replace('http', 'ws')}/graphql`,
  );
  expect(closed).toBe('4403 FORBIDDEN');
  const logout = await page.evaluate(
    (address) =>
      fetch(address, { method: 'POST', credentials: 'include', mode: 'no-cors' }).then(() => 'sent'),
    `${origin}/auth/logout`,
  );
  expect(logout).toBe('sent');
  await page.goto(origin);
  await page.locator('.who').getByText(/^usr_/).waitFor();
});

it('ends the session by its button, also for a copy of the cookie', async () => {
  const { page } = await openPage(browser, origin);
  await logIn(page, 'cid');
  const cookie = await sessionCookie(page.context());
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.getByRole('link', { name: 'institute' }).waitFor();
  expect(await sessionCookie(page.context())).toBeUndefined();
  expect(await statusWith(cookie?.value ?? '')).toBe(401);
});

it('ends the earlier session of the browser at its next login, and records it', async () => {
  const { page } = await openPage(browser, origin);
  await logIn(page, 'coe');
  const subject = await page.locator('.who').innerText();
  const earlier = await idOf(page);
  // The issuer remembers the login, and asks for consent only.
  await page.goto(`${origin}/auth/login?issuer=institute&to=/`);
  await page.waitForURL(/interaction/);
  await page.locator('button[type=submit]').click();
  await page.locator('.who', { hasText: subject }).waitFor();
  const id = await idOf(page);
  expect(id).not.toBe(earlier);
  expect([await statusWith(earlier), await statusWith(id)]).toEqual([401, 200]);
  const [logout] = await inAudit('auth.logout');
  expect(logout?.actor.subject).toBe(subject);
});

/** Status of the answer to a request with the cookie of a session. */
async function statusWith(session: string): Promise<number> {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      cookie: `${cookieName}=${session}`,
      'x-rhizome-csrf': '1',
      origin,
    },
    body: JSON.stringify({ query: '{ viewer { subject } }' }),
  });
  return response.status;
}

it('ends the session when the principal is revoked, in the open page', async () => {
  const { page } = await openPage(browser, origin);
  await logIn(page, 'dora');
  await page.getByRole('status').getByText('live').waitFor();
  const subject = await page.locator('.who').innerText();
  await system.api.data(
    'mutation ($id: ID!) { suspendPrincipal(input: { id: $id }) { userErrors { message } } }',
    { id: subject },
  );
  await page.getByRole('link', { name: 'institute' }).waitFor();
});

it('takes roles with a reason, for this browser alone, and ends them', async () => {
  const { page, faults } = await openPage(browser, origin);
  await logIn(page, 'eve');
  const principalId = await page.locator('.who').innerText();
  const membership = { principalId, experiment, roles: [], elevatableRoles: ['PRODUCTION'] };
  await system.api.change('setMembership', membership);
  const other = await openPage(browser, origin);
  await logIn(other.page, 'eve');
  await page.reload();
  await page.getByRole('button', { name: 'Take roles…' }).click();
  await page.getByLabel('Reason').fill('the queue of the night is stuck');
  await page.getByRole('button', { name: 'Take', exact: true }).click();
  const note = page.getByRole('note', { name: 'Elevation' });
  await note.getByText(`PRODUCTION in ${experiment}`).waitFor();
  expect(await rolesOf(page)).toEqual(['PRODUCTION', 'USER']);
  expect(await rolesOf(other.page)).toEqual(['USER']);
  expect((await elevationsOf(principalId)).map(({ reason }) => reason)).toEqual([
    'the queue of the night is stuck',
  ]);
  await note.getByRole('button', { name: 'End elevation' }).click();
  await page.getByRole('button', { name: 'Take roles…' }).waitFor();
  expect(await rolesOf(page)).toEqual(['USER']);
  await page.getByRole('button', { name: 'Take roles…' }).click();
  await page.getByLabel('Reason').fill('the queue is stuck again');
  await page.getByRole('button', { name: 'Take', exact: true }).click();
  await note.getByText(`PRODUCTION in ${experiment}`).waitFor();
  await page.getByRole('status').getByText('live').waitFor();
  await endedByAdministrator(principalId);
  // The page opens its streams again without the roles.
  await page.getByRole('button', { name: 'Take roles…' }).waitFor();
  await page.getByRole('status').getByText('live').waitFor();
  const foreign = await fetch(`${origin}/auth/elevation/end`, {
    method: 'POST',
    headers: { origin: 'https://x.test' },
  });
  expect(foreign.status).toBe(403);
  expect(faults).toEqual([]);
});

/** Roles of the session in a page. */
const rolesOf = (page: Page): Promise<readonly string[]> =>
  page.evaluate(async () => {
    const body = JSON.stringify({ query: '{ viewer { grants { roles } } }' });
    const headers = { 'content-type': 'application/json', 'x-rhizome-csrf': '1' };
    const answer = await fetch('/graphql', { method: 'POST', headers, body });
    const { data } = (await answer.json()) as { data: { viewer: { grants: { roles: string[] }[] } } };
    return data.viewer.grants.flatMap(({ roles }) => roles).sort();
  });

interface StartedElevation {
  readonly id: string;
  readonly reason: string;
  readonly endedAt: string | null;
  readonly principal: { readonly subject: string };
}

/** Elevations that a person started, the newest first. */
async function elevationsOf(principal: string): Promise<readonly StartedElevation[]> {
  const { elevations } = await system.api.data<{ elevations: { nodes: readonly StartedElevation[] } }>(
    '{ elevations { nodes { id reason endedAt principal { subject } } } }',
  );
  return elevations.nodes.filter(({ principal: { subject } }) => subject === principal);
}

async function endedByAdministrator(principal: string): Promise<void> {
  const open = (await elevationsOf(principal)).filter(({ endedAt }) => endedAt === null);
  for (const { id } of open) await system.api.change('endElevation', { id });
}

it('links the account of a second login to the session, and unlinks it', async () => {
  const laboratory = await testIssuer({ redirectUris: [`${origin}/auth/callback`] });
  await system.api.change('setTokenIssuer', recordOf('laboratory', laboratory));
  const { page, faults } = await openPage(browser, origin);
  await logIn(page, 'fay');
  const own = await page.locator('.who').innerText();
  await page.locator('.who').getByRole('link').click();
  await page.getByText('no linked identities').waitFor();
  await page.getByRole('button', { name: 'Log in at laboratory…' }).click();
  await enterLogin(page, 'fay-2');
  const question = page.getByRole('group', { name: 'Link' });
  await question.getByText(`fay-2 at ${laboratory.issuer}`, { exact: false }).waitFor();
  // The session is that of the first account, and the address has lost the proof.
  await page.locator('.who', { hasText: own }).waitFor();
  expect(page.url()).toBe(`${origin}/identities`);
  await question.getByRole('button', { name: 'Link this account' }).click();
  const table = page.getByRole('table', { name: 'Linked identities' });
  const other = table.locator('tr', { hasText: `fay-2 at ${laboratory.issuer}` });
  await other.waitFor();
  await table
    .locator('tr', { hasText: `fay at ${system.institute.issuer}` })
    .getByText('(in use)')
    .waitFor();
  const [entry] = await inAudit('Mutation.linkIdentity');
  expect(entry).toMatchObject({
    actor: { subject: own },
    targets: { ids: expect.arrayContaining(['fay-2']) },
  });
  const [start] = await inAudit('auth.startLink');
  expect(start?.actor.subject).toBe(own);
  const [login] = await inAudit('auth.link');
  expect(await other.getAttribute('data-identity')).toBe(login?.actor.subject);
  await other.getByRole('button', { name: /^Unlink/ }).click();
  await page.getByText('no linked identities').waitFor();
  expect(faults).toEqual([]);
});

it('takes the proof of a second login in the session that began it only', async () => {
  const { page } = await openPage(browser, origin);
  await logIn(page, 'gus');
  const address = await page.evaluate(async () => {
    const headers = { 'x-rhizome-csrf': '1' };
    const answer = await fetch('/auth/link?issuer=institute', { method: 'POST', headers });
    return ((await answer.json()) as { address: string }).address;
  });
  const proof = new Promise<string>((resolve) => {
    page.on('response', (response) => {
      const { location = '' } = response.headers();
      if (response.url().includes('/auth/callback')) resolve(location);
    });
  });
  await page.goto(address);
  await enterLogin(page, 'gus-2');
  const other = await openPage(browser, origin);
  await logIn(other.page, 'hal');
  const confirm = other.page.getByRole('button', { name: 'Link this account' });
  await other.page.goto(`${origin}${await proof}`);
  await other.page.getByRole('heading', { name: 'Link another account' }).waitFor();
  expect(await confirm.count()).toBe(0);
  // As if this tab had begun the login.
  await other.page.evaluate("sessionStorage.setItem('rhizome:link', 'begun')");
  await other.page.goto('about:blank');
  await other.page.goto(`${origin}${await proof}`);
  await confirm.click();
  await other.page.getByRole('alert').getByText('it is no proof for this session').waitFor();
  const foreign = await fetch(`${origin}/auth/link?issuer=institute`, {
    method: 'POST',
    headers: { origin: 'https://x.test', cookie: `${cookieName}=${await idOf(page)}` },
  });
  expect(foreign.status).toBe(403);
});

const idOf = async (page: Page) => (await sessionCookie(page.context()))?.value ?? '';

interface LinkEntry {
  readonly actor: { readonly subject: string };
  readonly targets: { readonly ids: readonly string[] };
}

/** Entries of an action in the audit log, the newest first. */
async function inAudit(action: string): Promise<readonly LinkEntry[]> {
  const { auditEntries } = await system.api.data<{ auditEntries: { nodes: readonly LinkEntry[] } }>(
    'query ($action: String) { auditEntries(filter: { action: $action }) { nodes { actor { subject } targets { ids } } } }',
    { action },
  );
  return auditEntries.nodes;
}

it('refuses an answer of the issuer that belongs to another browser', async () => {
  const { page } = await openPage(browser, origin);
  const answer = await page.goto(`${origin}/auth/callback?code=stolen&state=guessed`);
  expect(answer?.status()).toBe(401);
  expect(await page.content()).toContain('began in another browser');
});

/** A real browser, and pages that note all that goes wrong in them. */
import { existsSync } from 'node:fs';
import { leftovers } from '@rhizome/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Browsers differ in where Debian and others put them; the test run installs one where there is none. */
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);

/** Limit of each step in a browser; generous, because machines differ and are shared. */
const stepLimitMs = 120_000;

/** Starts Chromium; ended with the file. */
export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined)
    throw new Error('no Chromium: npm test installs it, or says how on this system');
  const noBackgroundTraffic = [
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ];
  const args = ['--no-sandbox', '--disable-gpu', ...noBackgroundTraffic];
  const options = { executablePath, headless: true, args, timeout: stepLimitMs };
  return leftovers.use(await chromium.launch(options), 'Chromium');
}

/** A page in a session of its own. */
export async function newPage(browser: Browser): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(stepLimitMs);
  return page;
}

/** A page, with what it asked for and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Addresses of all requests, and of all sockets. */
  readonly requests: readonly string[];
  /** Errors of the page itself: exceptions, and what its policy forbade. */
  readonly faults: readonly string[];
}

/** Opens an address in a session of its own. */
export async function openPage(browser: Browser, url: string): Promise<WatchedPage> {
  const page = await newPage(browser);
  const requests: string[] = [];
  const faults: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && /policy|uncaught/i.test(message.text())) faults.push(message.text());
  });
  await page.goto(url, { waitUntil: 'load' });
  return { page, requests, faults };
}

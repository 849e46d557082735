// Downloads and previews of stored files, most of them hostile: no script of a file runs, no request leaves,
// and the page stays usable.
import { appendFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { Locator, Page } from 'playwright-core';
import { openPage, type WatchedPage } from '../system/browser.js';
import { jobOf, submit } from '../system/jobs.js';
import { api, browser, filesOrigin, origin, signedIn, storedFiles, system } from './stage.js';

/** Where files would report that something in them ran or was loaded. */
const beacon = 'http://127.0.0.1:9/beacon';
const script = `window.wasRun = true; fetch('${beacon}')`;

const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Shell that writes a text or bytes. */
const literal = (content: string | Buffer): string =>
  `echo ${Buffer.from(content).toString('base64')} | base64 -d`;
const repeated = (unit: string, count: number): string => `yes '${unit}' | head -n ${count} | tr -d '\n'`;

/** Shell that writes each file. */
const contents: Readonly<Record<string, string>> = {
  'pixel.dat': literal(pixel),
  'page.png': literal(
    `<!DOCTYPE html><html><body onload="${script}"><script>${script}</script></body></html>`,
  ),
  'image.svg': literal(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
    width="40" height="40" onload="${script}"><script>${script}</script>
    <image xlink:href="${beacon}" width="9" height="9"/><style>@import url(${beacon});</style>
    <foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="${beacon}"/></foreignObject>
    <rect width="40" height="40" fill="green"/></svg>`),
  'README.md': literal(`# Fit of *Z*

<script>${script}</script> <img src=x onerror="${script}">

[run](javascript:${encodeURI(script)}) [site](https://example.org/) ![plot](${beacon})

| mass | 91.2 &amp; 3 |
| ---- | ------------ |
`),
  'slow.md': repeated('*a_ ', 16_000),
  'large.json': `(echo '[12345678901234567890,'; ${repeated('1,', 80_000)}; echo '2]')`,
  'deep.json': `(${repeated('[', 100_000)}; ${repeated(']', 100_000)})`,
  'controls.txt': literal('a\u001b]0;title\u0007b \u202egpj.exe\u202c end\n'),
  'long.txt': repeated('x', 300_000),
  'grown.txt': 'echo as recorded',
  'altered.txt': 'echo as recorded',
  'gone.txt': 'echo as recorded',
  'plain.txt': 'echo as recorded',
  'plots/inner/nested.txt': 'echo deep in folders',
};

let jobId: string;

/** Path of a stored file in the folder of the file service. */
function storedPath(name: string): string {
  const found = readdirSync(storedFiles, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(`/${name}`),
  );
  if (found === undefined) throw new Error(`the storage has no file ${name}`);
  return join(storedFiles, found);
}

/** Opens the page of the job. */
async function openJob(): Promise<WatchedPage> {
  const watched = await signedIn(`/jobs/${jobId}`);
  await watched.page.getByRole('button', { name: 'Preview pixel.dat' }).waitFor();
  return watched;
}

/** Opens the preview of a file; resolves with its panel. */
async function preview(page: Page, name: string): Promise<Locator> {
  await page.getByRole('button', { name: `Preview ${name}` }).click();
  return page.getByRole('region', { name: new RegExp(`^Preview of (?:.*/)?${name}$`) });
}

/** Width of the image that is shown, once it is decoded. */
function widthOfImage(page: Page): Promise<number> {
  const image = "document.querySelector('.preview img')";
  return page.evaluate(`${image}.decode().then(() => ${image}.naturalWidth)`);
}

/** Asserts that nothing of a file ran, and nothing was requested elsewhere. */
async function assertHarmless({ page, requests, faults }: WatchedPage): Promise<void> {
  expect(await page.evaluate('window.wasRun')).toBeUndefined();
  const hosts = new Set(requests.filter((url) => /^(?:http|ws)/.test(url)).map((url) => new URL(url).host));
  expect([...hosts].sort()).toEqual([new URL(origin).host, new URL(filesOrigin).host].sort());
  expect(faults).toEqual([]);
}

describe('files of a job', () => {
  beforeAll(async () => {
    const commands = Object.entries(contents).map(
      ([name, shell]) =>
        `mkdir -p "$(dirname "$RHIZOME_OUTPUTS/${name}")"; ${shell} > "$RHIZOME_OUTPUTS/${name}"`,
    );
    const payload = { command: 'sh', arguments: ['-c', commands.join('\n')], outputs: ['**/*'] };
    [jobId = ''] = await submit(api, [{ name: 'stores files', payload, retry: { maxAttempts: 1 } }]);
    await waitFor('the outputs', async () => (await jobOf(api, jobId)).state === 'FINISHED', {
      deadlineMs: 120_000,
    });
  });

  it('are listed by folder, downloaded by a signed address, and shown as images', async () => {
    const watched = await openJob();
    const { page } = watched;
    await page.getByText('plots/inner/').waitFor({ state: 'detached' });
    await page.getByText(/^plots\//).click();
    await page.getByText(/^plots\/inner\//).click();
    const nested = await preview(page, 'nested.txt');
    await nested.getByText('deep in folders').waitFor();
    await nested.getByText('its SHA-256 is as recorded').waitFor();
    const arriving = page
      .context()
      .waitForEvent('response', (response) => response.url().startsWith(filesOrigin));
    await page.getByRole('button', { name: 'Download plain.txt' }).click();
    const answer = await arriving;
    expect([answer.status(), answer.headers()['content-disposition']]).toEqual([200, 'attachment']);
    const image = await preview(page, 'pixel.dat');
    await image.getByRole('img').waitFor();
    expect(await widthOfImage(page)).toBe(1);
    await assertHarmless(watched);
  });

  it('run no script and load nothing: HTML, SVG, Markdown', async () => {
    const watched = await openJob();
    const { page } = watched;
    const html = await preview(page, 'page.png');
    await html.getByText('<!DOCTYPE html>').waitFor();
    expect(await html.getByRole('img').count()).toBe(0);
    const svg = await preview(page, 'image.svg');
    await svg.getByRole('img').waitFor();
    expect(await widthOfImage(page)).toBe(40);
    const markdown = await preview(page, 'README.md');
    await markdown.getByRole('heading', { name: 'Fit of Z' }).waitFor();
    await markdown.getByText('91.2 & 3').waitFor();
    await markdown.getByText('[image: plot]').waitFor();
    const links = await markdown.getByRole('link').all();
    expect(await Promise.all(links.map((link) => link.getAttribute('href')))).toEqual([
      'https://example.org/',
    ]);
    expect(await links[0]?.getAttribute('rel')).toBe('noopener noreferrer');
    expect(await markdown.getByRole('img').count()).toBe(0);
    await assertHarmless(watched);
  });

  it('keep the page usable: slow Markdown, large JSON, controls, a long text', async () => {
    const watched = await openJob();
    const { page } = watched;
    const slow = await preview(page, 'slow.md');
    // Parsed elsewhere meanwhile.
    await slow.getByText('reading…').waitFor();
    await slow.getByRole('region', { name: 'Content' }).waitFor();
    const json = await preview(page, 'large.json');
    await json.getByText('12345678901234567890').waitFor();
    await json.getByRole('button', { name: /^Show all \d+ lines$/ }).click();
    await json.getByRole('button', { name: /^Show all/ }).waitFor({ state: 'detached' });
    // Indented, it would have several mebibytes.
    const deep = await preview(page, 'deep.json');
    await deep.getByText('its SHA-256 is as recorded').waitFor();
    expect((await deep.getByRole('region', { name: 'Content' }).textContent())?.length).toBe(200_000);
    const controls = await preview(page, 'controls.txt');
    await controls.getByText('a␛]0;title␇b ⟨U+202E⟩gpj.exe⟨U+202C⟩ end').waitFor();
    const long = await preview(page, 'long.txt');
    await long.getByText('These are the first 256 KiB').waitFor();
    expect((await long.getByRole('region', { name: 'Content' }).textContent())?.length).toBe(256 * 1024);
    await long.getByRole('button', { name: 'Close' }).click();
    await long.waitFor({ state: 'detached' });
    await assertHarmless(watched);
  });

  it('are not shown when they differ from their record, or are gone', async () => {
    appendFileSync(storedPath('grown.txt'), 'and more\n');
    writeFileSync(storedPath('altered.txt'), 'as replaced\n');
    rmSync(storedPath('gone.txt'));
    const { page } = await openJob();
    const grown = await preview(page, 'grown.txt');
    await grown.getByText('The file has more bytes; the job stored 12').waitFor();
    const altered = await preview(page, 'altered.txt');
    await altered.getByText('The SHA-256 of the file differs').waitFor();
    const gone = await preview(page, 'gone.txt');
    await gone.getByText('The storage does not have the file any more (status 404)').waitFor();
    expect(await gone.getByRole('region', { name: 'Content' }).count()).toBe(0);
  });

  it('are asked for once more when the address is refused, and then say what to do', async () => {
    const { page } = await openJob();
    let asked = 0;
    let broken = 1;
    await page.route(`${filesOrigin}/**`, async (route) => {
      asked += 1;
      const url = route.request().url();
      // As one that has expired: the service refuses it.
      await route.continue(asked > broken ? {} : { url: url.replace(/expires=\d/, 'expires=0') });
    });
    const panel = await preview(page, 'plain.txt');
    await panel.getByText('as recorded', { exact: true }).waitFor();
    expect(asked).toBe(2);
    await panel.getByRole('button', { name: 'Close' }).click();
    broken = Infinity;
    const denied = await preview(page, 'plain.txt');
    await denied.getByText('The storage refuses access to the file (status 403)').waitFor();
    await denied.getByText(`rhizome fetch ${jobId} '/plain.txt'`).waitFor();
    expect(asked).toBe(4);
  });

  it('say what to do where the storage does not permit the page', async () => {
    const other = origin.replace('127.0.0.1', 'localhost');
    const { page } = await openPage(browser, `${other}/jobs/${jobId}#token=${system.token}`);
    const panel = await preview(page, 'plain.txt');
    await panel.getByText(`The browser cannot read from ${filesOrigin}`).waitFor();
    await panel.getByText(`rhizome fetch ${jobId} '/plain.txt'`).waitFor();
  });
});

// Tokens, and a gateway that cannot be reached.
import { describe, expect, it } from '@jest/globals';
import { openPage } from '../system/browser.js';
import { submit } from '../system/jobs.js';
import { api, browser, origin, signedIn, system } from './stage.js';

describe('a session', () => {
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
});

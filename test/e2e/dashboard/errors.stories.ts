// The page of errors; it counts the failures of all stories before it.
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { submit } from '../system/jobs.js';
import { api, contrast, origin, signedIn } from './stage.js';

describe('the page of errors', () => {
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
    // The hour may have changed since.
    const failure = bars.and(page.getByLabel(/^\d{4}-\d\d-\d\d \d\d:00: 1$/));
    await failure.first().waitFor();
    expect(await failure.count()).toBe(1);
    expect(await bars.count()).toBeGreaterThanOrEqual(24);
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
});

// Jobs with long names, jobs that are searched, and jobs that are not there.
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { submit } from '../system/jobs.js';
import { api, origin, signedIn } from './stage.js';

describe('the pages of jobs', () => {
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

  it('shows a proposal with its effects, and runs it when it is approved', async () => {
    const far = { requirements: { cores: 4000, walltimeSeconds: 3600 } };
    const [id = ''] = await submit(api, [{ name: 'to be cancelled', shell: 'true', ...far }]);
    const input = {
      operation: 'mutation C($i: CancelJobsInput!) { cancelJobs(input: $i) { userErrors { code } } }',
      ...{ variables: { i: { selection: { ids: [id] } } }, reason: 'no worker is so large' },
      evidence: [{ text: 'it waits for 4000 cores', url: `/jobs/${id}` }],
    };
    const { proposal } = await api.change<{ proposal: { ref: string } }>(
      ...(['createProposal', input, 'proposal { ref }'] as const),
    );
    const { page, faults } = await signedIn('/proposals');
    await page.getByRole('link', { name: proposal.ref }).click();
    await page.getByRole('heading', { name: proposal.ref, level: 1 }).waitFor();
    await page.getByText('IRREVERSIBLE').waitFor();
    await page.getByRole('table', { name: 'Objects' }).getByRole('link', { name: id }).waitFor();
    await page.getByRole('textbox', { name: 'Note' }).fill('agreed');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText(/^approved by .*: agreed$/).waitFor();
    await page.getByText('DONE').waitFor();
    await page.getByRole('table', { name: 'Objects' }).getByRole('link', { name: id }).click();
    await page.getByText('CANCELLED').first().waitFor();
    expect(faults).toEqual([]);
  });

  it('says so where there is no such job', async () => {
    const { page } = await signedIn('/jobs/job_nowhere');
    await page
      .getByRole('alert')
      .getByText(/There is no job job_nowhere/)
      .waitFor();
  });
});

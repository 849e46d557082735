// The pages of queues, for operators and for owners of waiting jobs.
import { describe, expect, it } from '@jest/globals';
import { playgroundQueue as queue } from '@rhizome/playground';
import { api, origin, signedIn } from './stage.js';

describe('the page of a queue', () => {
  it('shows the state and who set it, excluded hosts and downtimes, and follows the state', async () => {
    const day = 86_400_000;
    const at = (days: number): string => new Date(Date.now() + days * day).toISOString();
    const window = { startsAt: at(300), endsAt: at(301), reason: 'new cooling' };
    await api.change('declareDowntime', { target: { queue }, ...window });
    await api.change('excludeHost', { queue, host: 'node-13', reason: 'broken disk' });
    const { page, faults } = await signedIn('/queues');
    const row = page
      .getByRole('table', { name: 'Queues' })
      .getByRole('row', { name: new RegExp(`^${queue} `) });
    await row.getByText('ONLINE').waitFor();
    await row.getByText('no canary jobs').waitFor();
    await row.getByRole('link', { name: queue }).click();
    expect(page.url()).toBe(`${origin}/queues/${queue}`);
    const host = page
      .getByRole('table', { name: 'Hosts that failed jobs' })
      .getByRole('row', { name: /^node-13 / });
    await host.getByText('EXCLUDED').waitFor();
    await host.getByText('broken disk').waitFor();
    const downtimes = page.getByRole('table', { name: 'Downtimes', exact: true });
    await downtimes.getByRole('row', { name: /PLANNED this queue new cooling/ }).waitFor();
    await api.change('setQueueState', { name: queue, state: 'BROKEROFF', reason: 'a test of the network' });
    await page.getByText('a test of the network').waitFor();
    await page.getByText('BROKEROFF').waitFor();
    await api.change('setQueueState', { name: queue, state: 'ONLINE', reason: 'as before' });
    await page.getByText('as before').waitFor();
    await page.goto(`${origin}/queues/no-such-queue`);
    await page.getByRole('alert').getByText('There is no queue no-such-queue').waitFor();
    expect(faults).toEqual([]);
  });
});

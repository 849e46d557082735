// What operators see of workers that fall silent.
import { describe, expect, it } from '@jest/globals';
import { commandLineOf } from '../system/cli.js';
import { openLeaseStore } from '../system/lease-store.js';
import { speakAsWorker } from '../system/pilots.js';
import { api, signedIn, system } from './stage.js';

describe('the note about the lease clock', () => {
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
});

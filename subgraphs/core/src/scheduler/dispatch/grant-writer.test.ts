import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { noObserver } from '../../shared/work-observer.js';
import { waitFor } from '@rhizome/testkit';
import type { TransitionOutcome, TransitionRequest } from '../../jobs/transitions/transition.types.js';
import { fenceStep } from '../leader/broker-lease.repository.js';
import { anEntry, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { GrantWriter } from './grant-writer.js';
import { Ledger } from '../cache/ledger.js';
import type { PendingGrant } from '../placement/matcher.types.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

/** A transition writer whose writes end when the test decides. */
class Writer {
  readonly groups: (readonly TransitionRequest[])[] = [];
  /** Jobs whose grants are refused, because they have changed. */
  readonly changed = new Set<string>();
  readonly #open: (() => void)[] = [];

  apply(requests: readonly TransitionRequest[]): Promise<readonly TransitionOutcome[]> {
    this.groups.push(requests);
    const at = systemClock.now();
    const current = { state: 'ACTIVATED', fence: 0, revision: 2 } as const;
    const outcomes = requests.map(({ jobId }): TransitionOutcome =>
      this.changed.has(jobId) ? { applied: false, jobId, current } : { applied: true, jobId, at },
    );
    return new Promise((resolve) => this.#open.push(() => resolve(outcomes)));
  }

  onApplied = () => () => undefined;
  close = () => Promise.resolve();

  end(): void {
    this.#open.shift()?.();
  }
}

let serial = 0;

function harness() {
  const writer = new Writer();
  const ledger = new Ledger();
  let next = fenceStep;
  const allocated: number[] = [];
  const changed: string[] = [];
  const grants = new GrantWriter({
    writer,
    ledger,
    fences: {
      isLeader: () => true,
      allocateFences: (count) => {
        allocated.push(count);
        const first = next;
        next += count * fenceStep;
        return Promise.resolve(first);
      },
    },
    ids: { next: (prefix) => `${prefix}_${(serial += 1)}` },
    modelOf: () => undefined,
    whereIs: () => ({}),
    observer: noObserver,
    clock: systemClock,
    onUncertain: () => undefined,
    onHeld: () => undefined,
    onChanged: (jobIds) => changed.push(...jobIds),
  });
  const requirements = someRequirements();
  const cls = prepareClass(classIdOf(requirements), 0, requirements);
  const picks = (count: number): PendingGrant[] =>
    Array.from({ length: count }, () => {
      const entry = anEntry({ jobId: `job_${(serial += 1)}`, classId: cls.id, fence: Infinity });
      ledger.add(entry);
      return { entry, cls };
    });
  return { writer, ledger, grants, picks, allocated, changed };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('GrantWriter', () => {
  it('combines grants of one turn into one write and one block of fences, and gives each worker its own', async () => {
    const { writer, grants, picks, allocated } = harness();
    const [first, second] = [picks(2), picks(1)];
    const answers = Promise.all([grants.write(first, 'main'), grants.write(second, 'main')]);
    await turns();
    expect(allocated).toEqual([3]);
    writer.end();
    const [one, two] = await answers;
    expect(one.map(({ jobId }) => jobId)).toEqual(first.map(({ entry }) => entry.jobId));
    expect(two.map(({ jobId }) => jobId)).toEqual(second.map(({ entry }) => entry.jobId));
    expect([...one, ...two].map(({ fence }) => fence)).toEqual([1, 2, 3].map((n) => n * fenceStep));
  });

  it('reports jobs that have changed since they were chosen, and books them no longer', async () => {
    const { writer, ledger, grants, picks, changed } = harness();
    const [one, two] = picks(2);
    const jobId = two?.entry.jobId ?? '';
    writer.changed.add(jobId);
    const answer = grants.write([{ ...one, generation: 3 }, two] as PendingGrant[], 'main');
    await turns();
    expect(writer.groups[0]?.map(({ generation }) => generation)).toEqual([3, 0]);
    writer.end();
    expect((await answer).map((grant) => grant.jobId)).toEqual([one?.entry.jobId]);
    expect(changed).toEqual([jobId]);
    expect(ledger.get(jobId)).toBeUndefined();
  });

  it('gathers small groups during a write, and writes them together when it ends', async () => {
    const { writer, grants, picks } = harness();
    const answers = [grants.write(picks(1), 'main')];
    await turns();
    answers.push(grants.write(picks(1), 'main'));
    await turns();
    answers.push(grants.write(picks(2), 'main'));
    await turns();
    expect(writer.groups.map(({ length }) => length)).toEqual([1]);
    writer.end();
    await turns();
    expect(writer.groups.map(({ length }) => length)).toEqual([1, 3]);
    writer.end();
    expect((await Promise.all(answers)).map(({ length }) => length)).toEqual([1, 1, 2]);
    await grants.idle();
  });

  it('writes large groups at once', async () => {
    const { writer, grants, picks } = harness();
    void grants.write(picks(1), 'main');
    await turns();
    void grants.write(picks(100), 'main');
    await turns();
    expect(writer.groups.map(({ length }) => length)).toEqual([1, 100]);
  });

  it('writes small groups without waiting for one that hangs', async () => {
    const { writer, grants, picks } = harness();
    void grants.write(picks(1), 'main');
    await turns();
    void grants.write(picks(2), 'main');
    await waitFor('the next group', () => writer.groups.length === 2, { deadlineMs: 60_000 });
    expect(writer.groups.map(({ length }) => length)).toEqual([1, 2]);
  });
});
